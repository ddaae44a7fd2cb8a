package pairing

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

const protocol = "salita-peer/1"

// newCertificate makes a key and a self-signed certificate for it.
func newCertificate(t *testing.T) (tls.Certificate, mesh.KeyHash) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, mesh.KeyOf(cert)
}

// listen serves requests over mutual TLS on a real socket and returns its
// address.
func listen(t *testing.T, cert tls.Certificate, handle func(ctx context.Context, key mesh.KeyHash, path string, body []byte) (int, []byte)) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, MaxMessage))
		state := r.Context().Value(connKey{}).(plainConn).tls.ConnectionState()
		if err != nil || state.NegotiatedProtocol != protocol {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		status, answer := handle(r.Context(), mesh.KeyOf(state.PeerCertificates[0]), r.URL.Path, body)
		w.WriteHeader(status)
		w.Write(answer)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, c)
	}
	server.Listener = plainListener{server.Listener, &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{protocol},
		Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAnyClientCert,
	}}
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// plainListener hides from net/http that a connection is TLS, because it hangs
// up on protocol names that it does not know.
type plainListener struct {
	net.Listener
	config *tls.Config
}

type plainConn struct {
	net.Conn
	tls *tls.Conn
}

type connKey struct{}

func (l plainListener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	conn := tls.Server(raw, l.config)
	return plainConn{conn, conn}, nil
}

// dialer is a Caller over real mutual TLS.
type dialer struct{ cert tls.Certificate }

var _ Caller = dialer{}

func (d dialer) Call(ctx context.Context, addresses []string, pin *mesh.KeyHash, path string, in, out any) (mesh.KeyHash, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return mesh.KeyHash{}, err
	}
	var errs []error
	for _, address := range addresses {
		key, status, answer, err := d.post(ctx, address, pin, path, body)
		if err == nil {
			return key, decodeAnswer(status, answer, out)
		}
		errs = append(errs, err)
	}
	return mesh.KeyHash{}, (&sdk.Error{Kind: sdk.Offline}).Because(errors.Join(errs...))
}

func (d dialer) post(ctx context.Context, address string, pin *mesh.KeyHash, path string, body []byte) (mesh.KeyHash, int, []byte, error) {
	var key mesh.KeyHash
	transport := &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS13, NextProtos: []string{protocol}, Certificates: []tls.Certificate{d.cert},
			InsecureSkipVerify: true,
			VerifyConnection: func(state tls.ConnectionState) error {
				key = mesh.KeyOf(state.PeerCertificates[0])
				if pin != nil && key != *pin {
					return errors.New("another key")
				}
				return nil
			},
		},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+address+path, bytes.NewReader(body))
	if err != nil {
		return key, 0, nil, err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return mesh.KeyHash{}, 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return key, resp.StatusCode, answer, err
}

// realHouse is a house with a key, a certificate and a socket of its own. Its
// changes are signalled, so that tests wait for them and not for time.
type realHouse struct {
	*house
	service *Service
	signal  chan struct{}
}

func newRealHouse(t *testing.T, name string) *realHouse {
	t.Helper()
	cert, key := newCertificate(t)
	h := &realHouse{house: newHouse(name, 0), signal: make(chan struct{}, 1)}
	h.key, h.caller = key, dialer{cert}
	h.address = listen(t, cert, func(ctx context.Context, from mesh.KeyHash, path string, body []byte) (int, []byte) {
		return serve(ctx, h.service, from, path, body)
	})
	h.service = New(Config{
		Policy: h.policy, Self: h.self, Store: h.store, Tokens: h.tokens, Caller: h.caller,
		Changed: func(string) {
			select {
			case h.signal <- struct{}{}:
			default:
			}
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := h.service.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return h
}

// until waits for a state of a join.
func (h *realHouse) until(t *testing.T, id string, states ...JoinState) JoinView {
	t.Helper()
	for {
		v, err := h.service.Joining(id)
		if err != nil {
			t.Fatal(err)
		}
		for _, state := range states {
			if v.State == state {
				return v
			}
		}
		if v.State.over() {
			t.Fatalf("the join is %s: %+v", v.State, v.Error)
		}
		select {
		case <-h.signal:
		case <-t.Context().Done():
			t.Fatalf("the join stays %s", v.State)
		}
	}
}

func TestOverTLS(t *testing.T) {
	for _, mode := range []Mode{ModeLink, ModeNearby} {
		t.Run(string(mode), func(t *testing.T) {
			desktop, nas := newRealHouse(t, "desktop"), newRealHouse(t, "nas")
			w := opened(t, desktop.service)
			where := w.Link
			if mode == ModeNearby {
				where = desktop.address
			}
			id, err := nas.service.Join(t.Context(), where)
			if err != nil {
				t.Fatal(err)
			}
			nas.until(t, id, JoinPINNeeded)
			pin := pinOf(t, desktop.service, w.Code)
			if err := nas.service.EnterPIN(id, wrong(pin)); err != nil {
				t.Fatal(err)
			}
			v := nas.until(t, id, JoinPINNeeded, JoinFailed)
			if v.Error == nil || v.Error.Message != mesh.WordsWrongPIN {
				t.Fatalf("after a wrong number the join is %+v", v)
			}
			strangers(t, desktop.house, nas.house)
			if err := nas.service.EnterPIN(id, pin); err != nil {
				t.Fatal(err)
			}
			if v := nas.until(t, id, JoinPaired, JoinFailed); v.State != JoinPaired {
				t.Fatalf("the join is %+v", v.Error)
			}
			friends(t, desktop.house, nas.house)
			if got := nas.store.devices[desktop.key.DeviceID()].Addresses; len(got) != 1 || got[0] != desktop.address {
				t.Errorf("desktop is at %v, want %s", got, desktop.address)
			}
		})
	}
}

// relay stands between two devices with a key of its own and hands every
// message on, in the hope of becoming both sides' friend.
func relay(t *testing.T, to *realHouse) (address string, heard *counter) {
	cert, _ := newCertificate(t)
	heard = &counter{byPath: map[string]int{}}
	address = listen(t, cert, func(ctx context.Context, _ mesh.KeyHash, path string, body []byte) (int, []byte) {
		heard.add(path)
		_, status, answer, err := dialer{cert}.post(ctx, to.address, &to.key, path, body)
		if err != nil {
			return http.StatusBadGateway, nil
		}
		return status, answer
	})
	return address, heard
}

type counter struct {
	mu     sync.Mutex
	byPath map[string]int
}

func (c *counter) add(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byPath[path]++
}

func (c *counter) count(path string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byPath[path]
}

// TestRelayNearby: the relay's two ends have two keys, so the right number
// proves nothing on either side.
func TestRelayNearby(t *testing.T) {
	desktop, nas := newRealHouse(t, "desktop"), newRealHouse(t, "nas")
	address, heard := relay(t, desktop)
	w := opened(t, desktop.service)
	id, err := nas.service.Join(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	nas.until(t, id, JoinPINNeeded)
	pin := pinOf(t, desktop.service, w.Code)
	for range DefaultAttempts - 1 {
		if err := nas.service.EnterPIN(id, pin); err != nil {
			t.Fatal(err)
		}
		v := nas.until(t, id, JoinPINNeeded, JoinPaired, JoinFailed)
		if v.Error == nil || v.Error.Message != mesh.WordsWrongPIN {
			t.Fatalf("the join is %+v", v)
		}
	}
	if err := nas.service.EnterPIN(id, pin); err != nil {
		t.Fatal(err)
	}
	if v := nas.until(t, id, JoinPaired, JoinFailed); v.State != JoinFailed || v.Error.Message != mesh.WordsTooMany {
		t.Errorf("the join is %+v, %+v", v, v.Error)
	}
	if v, err := desktop.service.Window(w.Code); err != nil || v.State != mesh.PairingFailed {
		t.Errorf("the window is %+v, %v", v, err)
	}
	if n := heard.count(PathConfirm); n != DefaultAttempts {
		t.Errorf("the relay handed on %d confirms, want %d", n, DefaultAttempts)
	}
	strangers(t, desktop.house, nas.house)
	if len(nas.store.records)+len(desktop.store.records) != 0 {
		t.Error("notes are left")
	}
}

// TestRelayOnLink: the link names the key, so the joining side does not even
// say hello.
func TestRelayOnLink(t *testing.T) {
	desktop, nas := newRealHouse(t, "desktop"), newRealHouse(t, "nas")
	address, heard := relay(t, desktop)
	w := opened(t, desktop.service)
	l, err := ParseLink(w.Link)
	if err != nil {
		t.Fatal(err)
	}
	l.Addresses = []string{address}
	id, err := nas.service.Join(t.Context(), l.String())
	if err != nil {
		t.Fatal(err)
	}
	if v := nas.until(t, id, JoinPINNeeded, JoinFailed); v.State != JoinFailed || v.Error.Message != sdk.Offline.Message() {
		t.Errorf("the join is %+v", v)
	}
	if n := heard.count(PathHello); n != 0 {
		t.Errorf("the relay heard %d hellos", n)
	}
	if v, err := desktop.service.Window(w.Code); err != nil || v.State != mesh.PairingOpen {
		t.Errorf("the window is %+v, %v", v, err)
	}
	strangers(t, desktop.house, nas.house)
}

// TestRelayRewritesLink: the relay swaps the key in the link for its own (a QR
// code pasted over another). It then also needs the number, and both sides' keys
// to be the same.
func TestRelayRewritesLink(t *testing.T) {
	desktop, nas := newRealHouse(t, "desktop"), newRealHouse(t, "nas")
	cert, key := newCertificate(t)
	address := listen(t, cert, func(ctx context.Context, _ mesh.KeyHash, path string, body []byte) (int, []byte) {
		_, status, answer, err := dialer{cert}.post(ctx, desktop.address, &desktop.key, path, body)
		if err != nil {
			return http.StatusBadGateway, nil
		}
		return status, answer
	})
	w := opened(t, desktop.service)
	l, err := ParseLink(w.Link)
	if err != nil {
		t.Fatal(err)
	}
	l.Addresses, l.Key = []string{address}, key
	id, err := nas.service.Join(t.Context(), l.String())
	if err != nil {
		t.Fatal(err)
	}
	nas.until(t, id, JoinPINNeeded)
	if err := nas.service.EnterPIN(id, pinOf(t, desktop.service, w.Code)); err != nil {
		t.Fatal(err)
	}
	if v := nas.until(t, id, JoinPINNeeded, JoinPaired, JoinFailed); v.Error == nil || v.Error.Message != mesh.WordsWrongPIN {
		t.Errorf("the join is %+v", v)
	}
	strangers(t, desktop.house, nas.house)
}

// TestImposterAnswersTheConfirm: whoever answers a confirm without knowing the
// number is found out, at once and for good.
func TestImposterAnswersTheConfirm(t *testing.T) {
	desktop, nas := newRealHouse(t, "desktop"), newRealHouse(t, "nas")
	cert, _ := newCertificate(t)
	address := listen(t, cert, func(ctx context.Context, _ mesh.KeyHash, path string, body []byte) (int, []byte) {
		if path == PathConfirm {
			return written(ConfirmReply{Tag: make(Binary, 64), Sealed: Binary{1}}, nil)
		}
		_, status, answer, err := dialer{cert}.post(ctx, desktop.address, &desktop.key, path, body)
		if err != nil {
			return http.StatusBadGateway, nil
		}
		return status, answer
	})
	w := opened(t, desktop.service)
	id, err := nas.service.Join(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	nas.until(t, id, JoinPINNeeded)
	if err := nas.service.EnterPIN(id, pinOf(t, desktop.service, w.Code)); err != nil {
		t.Fatal(err)
	}
	if v := nas.until(t, id, JoinPINNeeded, JoinPaired, JoinFailed); v.State != JoinFailed || v.Error.Message != "Couldn't connect to device" {
		t.Errorf("the join is %+v", v)
	}
	strangers(t, desktop.house, nas.house)
	if len(nas.store.records) != 0 {
		t.Error("a note is left")
	}
}

// TestNoCertificate: without a client certificate there is no key, and the
// connection ends before a message.
func TestNoCertificate(t *testing.T) {
	desktop := newRealHouse(t, "desktop")
	opened(t, desktop.service)
	conn, err := tls.Dial("tcp", desktop.address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}})
	if err == nil {
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, err = conn.Read(make([]byte, 1))
	}
	var timeout net.Error
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("the connection stays open: %v", err)
	}
}
