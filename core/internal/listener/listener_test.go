package listener

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/salita-mesh/salita/core/internal/identity"
	"github.com/salita-mesh/salita/core/internal/mesh"
)

// patience is for what must happen in no time, on a busy machine.
const patience = 30 * time.Second

// serve accepts in the background and greets everyone who is accepted with one
// line about themselves.
func serve(t *testing.T, inner net.Listener, opts Options) *Listener {
	t.Helper()
	l := New(inner, opts)
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c := conn.(*Conn)
			key, ok := c.PeerKey()
			fmt.Fprintf(c, "peer=%v key=%v owner=%v tls=%v\n", ok, key, c.Owner(), c.ConnectionState().Version == tls.VersionTLS13)
			c.Close()
		}
	})
	t.Cleanup(func() {
		l.Close()
		work.Wait()
	})
	return l
}

// greeting connects and reads what serve says.
func greeting(address string, config *tls.Config) (string, error) {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", address, config)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	line, err := io.ReadAll(conn)
	return string(line), err
}

func TestWhoIsAtTheOtherEnd(t *testing.T) {
	gateway, other := newIdentity(t), newIdentity(t)
	inner := listenTCP(t)
	serve(t, inner, Options{TLS: gateway.ServerTLS()})
	for name, tt := range map[string]struct {
		config *tls.Config
		want   string
	}{
		"gateway": {other.ClientTLS(nil), fmt.Sprintf("peer=true key=%v owner=false tls=true\n", other.Key())},
		"browser": {&tls.Config{InsecureSkipVerify: true}, fmt.Sprintf("peer=false key=%v owner=false tls=true\n", mesh.KeyHash{})},
	} {
		if got, err := greeting(inner.Addr().String(), tt.config); got != tt.want || err != nil {
			t.Errorf("%s: %q, %v, want %q", name, got, err, tt.want)
		}
	}
}

// TestAThousandIdleConnections checks that a device gets through while a
// thousand connections say nothing, half of a hello, or come from its address.
func TestAThousandIdleConnections(t *testing.T) {
	i := newIdentity(t)
	inner := listenTCP(t)
	serve(t, inner, Options{TLS: i.ServerTLS(), HandshakeTimeout: time.Hour, MaxPending: 50})
	for n := range 1000 {
		conn, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if n%2 == 0 {
			conn.Write([]byte{tlsHandshake, 3, 1, 2})
		}
		if n%100 == 99 {
			if _, err := greeting(inner.Addr().String(), i.ClientTLS(nil)); err != nil {
				t.Fatalf("after %d idle connections: %v", n+1, err)
			}
		}
	}
}

func TestAFloodDrivesOutItself(t *testing.T) {
	p := newPending(10)
	add := func(host string) *candidate {
		conn, _ := newWire()
		return p.add(&addressed{conn, wireAddr(host)})
	}
	device := add("device")
	var flood []*candidate
	for range 100 {
		flood = append(flood, add("flood"))
	}
	if device.place == nil {
		t.Error("the one connection of another address was dropped")
	}
	if kept := flood[len(flood)-1]; kept.place == nil {
		t.Error("the newest connection was dropped")
	}
	if p.oldest.Len() != 10 || p.count["flood"] != 9 || p.count["device"] != 1 {
		t.Errorf("%d pending, %v", p.oldest.Len(), p.count)
	}
	if !p.remove(device) || p.remove(device) || p.remove(flood[0]) {
		t.Error("remove does not tell whether the connection still had its place")
	}
	p.close()
	if p.oldest.Len() != 0 || len(p.count) != 0 || add("late") != nil {
		t.Error("close left something, or let something in")
	}
}

// addressed is a wire with an address of its own.
type addressed struct {
	*wire
	remote wireAddr
}

func (a *addressed) RemoteAddr() net.Addr { return a.remote }

func TestSlowClientsAreDroppedInTime(t *testing.T) {
	i := newIdentity(t)
	for name, slow := range map[string]func(*wire){
		"silent":          func(*wire) {},
		"one byte":        func(w *wire) { w.Write([]byte{tlsHandshake}) },
		"half a hello":    func(w *wire) { w.Write([]byte{tlsHandshake, 3, 1, 0, 200, 1}) },
		"half a request":  func(w *wire) { io.WriteString(w, "GET / HT") },
		"endless drizzle": drizzle,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner := newWires()
				l := serve(t, inner, Options{TLS: i.ServerTLS(), HandshakeTimeout: 5 * time.Second})
				client := inner.dial()
				var sending sync.WaitGroup
				sending.Go(func() { slow(client) })
				begin := time.Now()
				got, _ := io.ReadAll(client)
				if took := time.Since(begin); took > 5*time.Second+lingerTime {
					t.Errorf("dropped after %v, want 5s", took)
				}
				if len(got) != 0 {
					t.Errorf("answered %q", got)
				}
				client.Close()
				sending.Wait()
				l.Close()
			})
		})
	}
}

// drizzle sends a header a byte a second.
func drizzle(w *wire) {
	for _, b := range []byte("GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("y", 1000)) {
		if _, err := w.Write([]byte{b}); err != nil {
			return
		}
		time.Sleep(time.Second)
	}
}

func TestNeitherTLSNorHTTP(t *testing.T) {
	i := newIdentity(t)
	inner := listenTCP(t)
	serve(t, inner, Options{TLS: i.ServerTLS()})
	for _, first := range []string{"\x00", "\x80\x2e\x01", "get / HTTP/1.1\r\n\r\n", "\x05\x01\x00", "\n", "\xff"} {
		conn, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(patience))
		io.WriteString(conn, first)
		got, err := io.ReadAll(conn)
		var timeout net.Error
		if len(got) != 0 || errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("%q: got %q, %v; want the connection closed", first, got, err)
		}
		conn.Close()
	}
}

func TestCloseEndsEverything(t *testing.T) {
	i := newIdentity(t)
	synctest.Test(t, func(t *testing.T) {
		inner := newWires()
		l := New(inner, Options{TLS: i.ServerTLS(), HandshakeTimeout: time.Hour})
		accepted := make(chan error, 1)
		go func() {
			_, err := l.Accept()
			accepted <- err
		}()
		silent := inner.dial()
		synctest.Wait()
		if err := l.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
		if err := <-accepted; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept = %v, want net.ErrClosed", err)
		}
		if _, err := silent.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the pending connection: %v, want it closed", err)
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept after Close = %v", err)
		}
		l.Close()
	})
}

func TestCloseBeforeAccept(t *testing.T) {
	l := New(newWires(), Options{})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept = %v, want net.ErrClosed", err)
	}
}

func TestCloseDropsWhatNobodyAccepted(t *testing.T) {
	i := newIdentity(t)
	synctest.Test(t, func(t *testing.T) {
		inner := newWires()
		l := New(inner, Options{TLS: i.ServerTLS()})
		first := make(chan net.Conn)
		go func() {
			conn, _ := l.Accept()
			first <- conn
		}()
		one, two := tls.Client(inner.dial(), i.ClientTLS(nil)), inner.dial()
		if err := one.Handshake(); err != nil {
			t.Fatal(err)
		}
		conn := <-first
		second := tls.Client(two, i.ClientTLS(nil))
		if err := second.Handshake(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		l.Close()
		if _, err := second.Read(make([]byte, 1)); err == nil {
			t.Error("the connection that nobody accepted is still open")
		}
		if _, err := conn.Write([]byte("x")); err != nil {
			t.Errorf("the accepted connection was closed: %v", err)
		}
	})
}

func TestOutOfDescriptors(t *testing.T) {
	i := newIdentity(t)
	synctest.Test(t, func(t *testing.T) {
		inner := newWires()
		l := serve(t, inner, Options{TLS: i.ServerTLS(), HandshakeTimeout: time.Hour})
		silent := inner.dial()
		synctest.Wait()
		for range 3 {
			inner.next <- &net.OpError{Op: "accept", Err: syscall.EMFILE}
		}
		begin := time.Now()
		client := tls.Client(inner.dial(), i.ClientTLS(nil))
		if err := client.Handshake(); err != nil {
			t.Fatalf("after the errors: %v", err)
		}
		if took := time.Since(begin); took < 3*minAcceptDelay || took > time.Second {
			t.Errorf("served again after %v, want a short pause for each error", took)
		}
		if _, err := silent.Read(make([]byte, 1)); err != io.EOF || time.Since(begin) > time.Second {
			t.Errorf("the pending connection: %v after %v, want it dropped to free its descriptor", err, time.Since(begin))
		}
		client.Close()
		l.Close()
	})
}

func TestAPermanentAcceptErrorIsReturned(t *testing.T) {
	inner := newWires()
	l := New(inner, Options{})
	defer l.Close()
	broken := errors.New("broken")
	inner.next <- broken
	if _, err := l.Accept(); !errors.Is(err, broken) {
		t.Errorf("Accept = %v, want the listener's error", err)
	}
}

// TestAnHTTPServerOnTop runs net/http over the connections: keep-alive, large
// bodies both ways, several clients.
func TestAnHTTPServerOnTop(t *testing.T) {
	gateway, other := newIdentity(t), newIdentity(t)
	inner := listenTCP(t)
	l := New(inner, Options{TLS: gateway.ServerTLS()})
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			w.Write(body)
		}
	})}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	var clients sync.WaitGroup
	for n := range 4 {
		clients.Go(func() {
			if err := echoes(other, inner.Addr().String(), n); err != nil {
				t.Error(err)
			}
		})
	}
	clients.Wait()
	server.Close()
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve = %v", err)
	}
}

func echoes(i *identity.Identity, address string, n int) error {
	transport := &http.Transport{TLSClientConfig: i.ClientTLS(nil)}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 2 * patience}
	for _, size := range []int{0, 1, 5000, 3_000_000, 10} {
		sent := bytes.Repeat([]byte{byte(n), byte(size), 7}, size/3+1)
		resp, err := client.Post("https://"+address+"/", "application/octet-stream", bytes.NewReader(sent))
		if err != nil {
			return err
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !bytes.Equal(got, sent) {
			return fmt.Errorf("%d bytes came back as %d: %w", len(sent), len(got), err)
		}
	}
	return nil
}
