package sdktest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/salita-mesh/salita/sdk/control"
	"github.com/salita-mesh/salita/sdk/internal/private"
)

// credential is this side's certificate for one launch. go-plugin calls it
// automatic mutual TLS: each side makes one and trusts the other's.
type credential struct {
	certificate tls.Certificate
	pem         string
}

func newCredential() (credential, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return credential{}, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "localhost"},
		DNSNames:              []string{"localhost"},
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(24 * time.Hour),
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return credential{}, err
	}
	return credential{
		certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem:         string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
	}, nil
}

// environ is what tells a program that a gateway starts it.
func (c credential) environ(sockets string) []string {
	cookie := control.Handshake()
	return []string{
		cookie.MagicCookieKey + "=" + cookie.MagicCookieValue,
		fmt.Sprintf("PLUGIN_PROTOCOL_VERSIONS=%d", control.ProtocolVersion),
		"PLUGIN_MIN_PORT=10000",
		"PLUGIN_MAX_PORT=25000",
		"PLUGIN_CLIENT_CERT=" + c.pem,
		"PLUGIN_UNIX_SOCKET_DIR=" + sockets,
	}
}

// handshake is the line by which a plugin says where it listens:
//
//	core version|plugin version|network|address|protocol|certificate
type handshake struct {
	path   string
	server *x509.Certificate
}

// awaitHandshake waits for the first line that looks like one.
func awaitHandshake(ctx context.Context, p *process, sockets string) (handshake, error) {
	for {
		ended := !p.running()
		text, more := p.stdout.look()
		if line, ok := findHandshake(text); ok {
			return parseHandshake(line, sockets)
		}
		if ended {
			return handshake{}, fmt.Errorf("it ended before the handshake: %s", p.ending())
		}
		select {
		case <-more:
		case <-p.exited:
		case <-ctx.Done():
			return handshake{}, errors.New("no handshake line came on its standard output")
		}
	}
}

// findHandshake returns the first whole line that looks like a handshake.
func findHandshake(text string) (string, bool) {
	for line := range strings.Lines(text) {
		if strings.HasSuffix(line, "\n") && looksLikeHandshake(line) {
			return strings.TrimRight(line, "\r\n"), true
		}
	}
	return "", false
}

func looksLikeHandshake(line string) bool {
	core, rest, _ := strings.Cut(line, "|")
	version, _, ok := strings.Cut(rest, "|")
	return ok && isNumber(core) && isNumber(version)
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func parseHandshake(line, sockets string) (handshake, error) {
	fail := func(format string, args ...any) (handshake, error) {
		return handshake{}, fmt.Errorf("handshake %.200q: "+format, append([]any{line}, args...)...)
	}
	parts := strings.Split(line, "|")
	if len(parts) < 6 {
		return fail("want six fields with | between them")
	}
	if parts[0] != fmt.Sprint(goplugin.CoreProtocolVersion) || parts[1] != fmt.Sprint(control.ProtocolVersion) {
		return fail("want it to begin with %d|%d", goplugin.CoreProtocolVersion, control.ProtocolVersion)
	}
	if parts[2] != "unix" || filepath.Clean(parts[3]) != parts[3] || filepath.Dir(parts[3]) != sockets {
		return fail("want a unix socket right in the folder of PLUGIN_UNIX_SOCKET_DIR")
	}
	if parts[4] != string(goplugin.ProtocolGRPC) {
		return fail("want the protocol grpc")
	}
	der, err := base64.RawStdEncoding.DecodeString(parts[5]) // go-plugin takes no padding
	if err != nil {
		return fail("the certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return fail("the certificate: %w", err)
	}
	return handshake{path: parts[3], server: certificate}, nil
}

// dial connects to the control plane.
func (h handshake) dial(c credential) (*grpc.ClientConn, error) {
	roots := x509.NewCertPool()
	roots.AddCert(h.server)
	return grpc.NewClient("passthrough:plugin",
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
			Certificates: []tls.Certificate{c.certificate},
			RootCAs:      roots,
			ServerName:   "localhost",
			MinVersion:   tls.VersionTLS12,
		})),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", h.path)
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(control.MaxMessageBytes)))
}

// checkEndpoint refuses every address but a socket right inside the folder.
func checkEndpoint(sockets string, e control.Endpoint) error {
	if e.Network != "unix" || filepath.Clean(e.Address) != e.Address || filepath.Dir(e.Address) != sockets {
		return fmt.Errorf("HTTP is served on %q, %q: want a unix socket right in the folder socket_dir", e.Network, e.Address)
	}
	if err := private.IsSocket(e.Address); err != nil {
		return fmt.Errorf("HTTP is served on %q: %w", e.Address, err)
	}
	return nil
}
