package identity

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// handshake runs one handshake over a real connection and one byte each way,
// and returns both states and errors.
func handshake(t *testing.T, server, client *tls.Config) (s, c tls.ConnectionState, serverErr, clientErr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		raw, err := l.Accept()
		if err != nil {
			serverErr = err
			return
		}
		conn := tls.Server(raw, server)
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		if _, serverErr = conn.Write([]byte{1}); serverErr == nil {
			_, serverErr = io.ReadFull(conn, make([]byte, 1))
		}
		s = conn.ConnectionState()
	}()
	conn, clientErr := tls.Dial("tcp", l.Addr().String(), client)
	if clientErr == nil {
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		// With TLS 1.3 the client learns at the first read whether the server
		// took its certificate; session tickets arrive then, too.
		if _, clientErr = io.ReadFull(conn, make([]byte, 1)); clientErr == nil {
			_, clientErr = conn.Write([]byte{1})
		}
		c = conn.ConnectionState()
		conn.Close()
	}
	<-done
	return s, c, serverErr, clientErr
}

// browser is how a browser that clicked the warning away connects.
func browser(protocols ...string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: protocols}
}

func TestGatewaysRecogniseEachOther(t *testing.T) {
	a, b := open(t, t.TempDir()), open(t, t.TempDir())
	pin := a.Key()
	for name, p := range map[string]*mesh.KeyHash{"pinned": &pin, "not pinned": nil} {
		t.Run(name, func(t *testing.T) {
			s, c, serverErr, clientErr := handshake(t, a.ServerTLS(), b.ClientTLS(p))
			if err := errors.Join(serverErr, clientErr); err != nil {
				t.Fatal(err)
			}
			if key, ok := PeerKey(s); !ok || key != b.Key() {
				t.Errorf("the server sees %v %v, want %v", key, ok, b.Key())
			}
			if key, ok := PeerKey(c); !ok || key != a.Key() {
				t.Errorf("the client sees %v %v, want %v", key, ok, a.Key())
			}
			if s.Version != tls.VersionTLS13 || s.NegotiatedProtocol != PeerProtocol {
				t.Errorf("version %x, protocol %q", s.Version, s.NegotiatedProtocol)
			}
		})
	}
}

func TestWrongKeyIsRefused(t *testing.T) {
	a, b, c := open(t, t.TempDir()), open(t, t.TempDir()), open(t, t.TempDir())
	other, zero := c.Key(), mesh.KeyHash{}
	for name, pin := range map[string]*mesh.KeyHash{"another": &other, "zero": &zero} {
		_, _, serverErr, clientErr := handshake(t, a.ServerTLS(), b.ClientTLS(pin))
		if !errors.Is(clientErr, ErrWrongKey) {
			t.Errorf("%s key: client error %v, want ErrWrongKey", name, clientErr)
		}
		if serverErr == nil {
			t.Errorf("%s key: the server did not notice", name)
		}
	}
}

func TestARenewedCertificateKeepsThePin(t *testing.T) {
	dir := t.TempDir()
	pin := once(t, dir).Key()
	renewed := open(t, dir, func(o *Options) { o.Now = func() time.Time { return start.AddDate(3, 0, 0) } })
	b := open(t, t.TempDir())
	if _, _, serverErr, clientErr := handshake(t, renewed.ServerTLS(), b.ClientTLS(&pin)); errors.Join(serverErr, clientErr) != nil {
		t.Errorf("server %v, client %v", serverErr, clientErr)
	}
}

func TestARenewalReachesConfigurationsAlreadyInUse(t *testing.T) {
	now := start
	a := open(t, t.TempDir(), func(o *Options) { o.Now = func() time.Time { return now } })
	server := a.ServerTLS()
	_, before, _, _ := handshake(t, server, browser())
	now = start.AddDate(2, 0, 0)
	if err := a.RefreshCertificate(); err != nil {
		t.Fatal(err)
	}
	_, after, _, _ := handshake(t, server, browser())
	if before.PeerCertificates[0].Equal(after.PeerCertificates[0]) {
		t.Error("the old certificate is still served")
	}
}

func TestWhoIsAskedForACertificate(t *testing.T) {
	a := open(t, t.TempDir())
	tests := []struct {
		name      string
		protocols []string
		asked     bool
		protocol  string
	}{
		{"browser", []string{"h2", "http/1.1"}, false, "http/1.1"},
		{"plain client", nil, false, ""},
		{"curl", []string{"http/1.1"}, false, "http/1.1"},
		{"gateway", []string{PeerProtocol}, true, PeerProtocol},
		{"gateway that also speaks http", []string{"http/1.1", PeerProtocol}, true, PeerProtocol},
		{"nearly a gateway", []string{"salita-peer/10", "http/1.1"}, false, "http/1.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asked := false
			client := browser(tt.protocols...)
			client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				asked = true
				return a.certificate.Load(), nil
			}
			s, _, serverErr, clientErr := handshake(t, a.ServerTLS(), client)
			if err := errors.Join(serverErr, clientErr); err != nil {
				t.Fatal(err)
			}
			if asked != tt.asked || s.NegotiatedProtocol != tt.protocol {
				t.Errorf("asked %v, protocol %q; want %v, %q", asked, s.NegotiatedProtocol, tt.asked, tt.protocol)
			}
			if _, ok := PeerKey(s); ok != tt.asked {
				t.Errorf("PeerKey ok = %v, want %v", ok, tt.asked)
			}
		})
	}
}

func TestAPeerWithoutACertificateIsRefused(t *testing.T) {
	a := open(t, t.TempDir())
	_, _, serverErr, clientErr := handshake(t, a.ServerTLS(), browser(PeerProtocol))
	if serverErr == nil || clientErr == nil {
		t.Errorf("server %v, client %v; want both to fail", serverErr, clientErr)
	}
}

func TestOlderTLSIsRefused(t *testing.T) {
	a := open(t, t.TempDir())
	client := browser("http/1.1")
	client.MaxVersion = tls.VersionTLS12
	_, _, serverErr, _ := handshake(t, a.ServerTLS(), client)
	if serverErr == nil || !strings.Contains(serverErr.Error(), "version") {
		t.Errorf("server error %v, want one about the version", serverErr)
	}
}

func TestSomethingElseThatSpeaksTLS(t *testing.T) {
	a, b := open(t, t.TempDir()), open(t, t.TempDir())
	server := a.ServerTLS()
	server.GetConfigForClient = nil
	server.NextProtos = nil // accepts any ALPN by ignoring it
	pin := a.Key()
	_, _, _, clientErr := handshake(t, server, b.ClientTLS(&pin))
	if !errors.Is(clientErr, ErrNotGateway) {
		t.Errorf("client error %v, want ErrNotGateway", clientErr)
	}
}

// TestResumption shows that a browser may resume, and that no session ever
// carries a key over to a peer's connection.
func TestResumption(t *testing.T) {
	a, b := open(t, t.TempDir()), open(t, t.TempDir())
	server := a.ServerTLS()
	cache := tls.NewLRUClientSessionCache(8)
	dial := func(client *tls.Config) (resumed bool, key mesh.KeyHash, err error) {
		client.ClientSessionCache, client.ServerName = cache, "salita"
		s, _, serverErr, clientErr := handshake(t, server, client)
		key, _ = PeerKey(s)
		return s.DidResume, key, errors.Join(serverErr, clientErr)
	}
	type result struct {
		Resumed bool
		Key     mesh.KeyHash
	}
	var got []result
	for _, client := range []*tls.Config{
		browser("http/1.1"), browser("http/1.1"), // the second resumes
		b.ClientTLS(nil), b.ClientTLS(nil), // offered the browser's session, must prove their key
		browser("http/1.1"),
	} {
		resumed, key, err := dial(client)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, result{resumed, key})
	}
	want := []result{{false, mesh.KeyHash{}}, {true, mesh.KeyHash{}}, {false, b.Key()}, {false, b.Key()}, {true, mesh.KeyHash{}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// With a browser's session in hand a client without a certificate still
	// does not pass as a peer.
	if _, _, err := dial(browser(PeerProtocol)); err == nil {
		t.Error("a resumed session stood in for a certificate")
	}
}

func TestPeerKeyNeedsAFinishedHandshake(t *testing.T) {
	i := open(t, t.TempDir())
	state := tls.ConnectionState{NegotiatedProtocol: PeerProtocol}
	state.PeerCertificates = append(state.PeerCertificates, i.certificate.Load().Leaf)
	if _, ok := PeerKey(state); ok {
		t.Error("PeerKey is true before the handshake finished")
	}
}
