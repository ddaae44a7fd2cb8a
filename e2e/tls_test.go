package e2e

import (
	"context"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// tool runs a program of somebody else's against the gateway and returns what it
// printed, whatever its exit code.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed; scripts/install-test-tools does it on Debian", name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	out, _ := exec.CommandContext(ctx, name, args...).CombinedOutput()
	return string(out)
}

func TestOpenSSLSeesOnlyTLS13AndNoWishForACertificate(t *testing.T) {
	g := newGateway(t, "Desktop")
	out := tool(t, "openssl", "s_client", "-connect", g.address, "-alpn", "http/1.1", "-no_ign_eof")
	for _, want := range []string{"No client certificate CA names sent", "ALPN protocol: http/1.1", "TLSv1.3"} {
		if !strings.Contains(out, want) {
			t.Errorf("s_client does not say %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "Requested Signature Algorithms") {
		t.Error("a browser is asked for a certificate")
	}
	peer := tool(t, "openssl", "s_client", "-connect", g.address, "-alpn", "salita-peer/1", "-no_ign_eof")
	if !strings.Contains(peer, "Requested Signature Algorithms") {
		t.Error("a gateway is not asked for its certificate")
	}
	if out := tool(t, "openssl", "s_client", "-connect", g.address, "-tls1_2"); !strings.Contains(out, "alert protocol version") {
		t.Errorf("TLS 1.2 is answered:\n%s", out)
	}
	end := tool(t, "sh", "-c", "openssl s_client -connect "+g.address+" </dev/null 2>/dev/null | openssl x509 -noout -enddate")
	_, date, _ := strings.Cut(strings.TrimSpace(end), "=")
	until, err := time.Parse("Jan _2 15:04:05 2006 MST", date)
	if err != nil || time.Until(until) > 398*24*time.Hour || time.Until(until) < 300*24*time.Hour {
		t.Errorf("the certificate ends on %q", date)
	}
}

func TestSSLScanFindsNothingOld(t *testing.T) {
	g := newGateway(t, "Desktop")
	out := tool(t, "sslscan", "--no-colour", g.address)
	for _, m := range regexp.MustCompile(`(?m)^(SSLv\d|TLSv1\.\d)\s+(\w+)$`).FindAllStringSubmatch(out, -1) {
		if (m[2] == "enabled") != (m[1] == "TLSv1.3") {
			t.Errorf("%s is %s", m[1], m[2])
		}
	}
	if !strings.Contains(out, "TLSv1.3   enabled") || strings.Contains(out, "vulnerable to heartbleed\n") && !strings.Contains(out, "not vulnerable") {
		t.Errorf("sslscan says:\n%s", out)
	}
}
