package identity

import (
	"context"
	"crypto/tls"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// openssl runs the tool at the tests' date.
func openssl(t *testing.T, args ...string) (output string, err error) {
	t.Helper()
	tool, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl here, a verifier that is not Go's")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, tool, args...).CombinedOutput()
	return string(out), err
}

// TestOpenSSLAgreesOnTheAuthority shows every host to OpenSSL's verifier, in its
// strict mode.
func TestOpenSSLAgreesOnTheAuthority(t *testing.T) {
	i, ca := studyAuthority(t)
	dir := t.TempDir()
	caFile, leafFile := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "leaf.pem")
	write(t, caFile, string(ca.PEM))
	verify := func(der []byte, host string) (string, error) {
		write(t, leafFile, string(encodeCertificate(der)))
		option := "-verify_hostname"
		if net.ParseIP(host) != nil {
			option = "-verify_ip"
		}
		return openssl(t, "verify", "-x509_strict", "-purpose", "sslserver", "-attime", strconv.FormatInt(start.Unix(), 10),
			"-CAfile", caFile, option, host, leafFile)
	}
	if out, err := verify(i.signed.Load().Leaf.Raw, i.HostName()); err != nil {
		t.Errorf("the gateway's own certificate: %v\n%s", err, out)
	}
	for _, host := range insideHosts {
		if out, err := verify(stolen(t, i, host).Raw, host); err != nil {
			t.Errorf("%s: %v\n%s", host, err, out)
		}
	}
	for _, host := range outsideHosts {
		out, err := verify(stolen(t, i, host).Raw, host)
		if err == nil || !strings.Contains(out, "permitted subtree violation") {
			t.Errorf("%s: %v, want it to be refused for its name\n%s", host, err, out)
		}
	}
}

// TestOpenSSLConnects has OpenSSL's client in a browser's place.
func TestOpenSSLConnects(t *testing.T) {
	i, ca := withAuthority(t, t.TempDir(), hostsOf("localhost", "127.0.0.1"))
	l, err := tls.Listen("tcp", "127.0.0.1:0", i.ServerTLS())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.SetDeadline(time.Now().Add(20 * time.Second))
			conn.Write([]byte("hello\n"))
			conn.Close()
		}
	}()
	defer func() { l.Close(); <-done }()
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	write(t, caFile, string(ca.PEM))

	connect := func(more ...string) (string, error) {
		return openssl(t, append([]string{
			"s_client", "-connect", l.Addr().String(), "-CAfile", caFile, "-attime", strconv.FormatInt(start.Unix(), 10),
			"-x509_strict", "-verify_return_error", "-alpn", "h2,http/1.1",
		}, more...)...)
	}
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"name":           {[]string{"-servername", "localhost", "-verify_hostname", "localhost"}, "Verify return code: 0 (ok)"},
		"address":        {[]string{"-noservername", "-verify_ip", "127.0.0.1"}, "Verify return code: 0 (ok)"},
		"another name":   {[]string{"-servername", "example.com", "-verify_hostname", "example.com"}, "hostname mismatch"},
		"not asked":      {[]string{"-servername", "localhost"}, "No client certificate CA names sent"},
		"older protocol": {[]string{"-tls1_2"}, "alert protocol version"},
	} {
		if out, _ := connect(tt.args...); !strings.Contains(out, tt.want) {
			t.Errorf("%s: output lacks %q:\n%s", name, tt.want, out)
		}
	}
	out, _ := connect("-servername", "localhost", "-showcerts")
	if got := strings.Count(out, "BEGIN CERTIFICATE"); got < 2 {
		t.Errorf("%d certificates shown, want leaf and authority", got)
	}
	for _, want := range []string{"TLSv1.3", "ALPN protocol: http/1.1"} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
}
