package listener

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/salita-mesh/salita/core/internal/identity"
)

// wire is one end of a connection in memory that, like a socket, buffers what is
// sent. It works in synctest bubbles and counts the calls that would be system
// calls.
type wire struct {
	in, out *flow
	reads   int // not guarded: for tests with one reader and one writer
	writes  int
}

// flow is one direction of a wire.
type flow struct {
	mu            sync.Mutex
	changed       *sync.Cond
	data          []byte
	limit         int // of buffered bytes; 0: none
	ended         bool
	readDeadline  time.Time
	writeDeadline time.Time
}

func newFlow() *flow {
	f := &flow{}
	f.changed = sync.NewCond(&f.mu)
	return f
}

func newWire() (a, b *wire) {
	x, y := newFlow(), newFlow()
	return &wire{in: x, out: y}, &wire{in: y, out: x}
}

func passed(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

func (w *wire) Read(p []byte) (int, error) {
	w.reads++
	f := w.in
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.data) == 0 || passed(f.readDeadline) {
		if passed(f.readDeadline) {
			return 0, os.ErrDeadlineExceeded
		}
		if f.ended {
			return 0, io.EOF
		}
		f.changed.Wait()
	}
	n := copy(p, f.data)
	f.data = f.data[n:]
	f.changed.Broadcast()
	return n, nil
}

func (w *wire) Write(p []byte) (int, error) {
	w.writes++
	f := w.out
	f.mu.Lock()
	defer f.mu.Unlock()
	for n := 0; ; {
		if f.ended {
			return n, net.ErrClosed
		}
		if passed(f.writeDeadline) {
			return n, os.ErrDeadlineExceeded
		}
		room := len(p) - n
		if f.limit > 0 {
			room = min(room, f.limit-len(f.data))
		}
		f.data = append(f.data, p[n:n+room]...)
		n += room
		f.changed.Broadcast()
		if n == len(p) {
			return n, nil
		}
		f.changed.Wait()
	}
}

func (w *wire) Close() error {
	w.CloseWrite()
	w.in.end()
	return nil
}

func (w *wire) CloseWrite() error {
	w.out.end()
	return nil
}

func (f *flow) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	f.changed.Broadcast()
}

func (f *flow) setDeadline(deadline *time.Time, t time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*deadline = t
	f.changed.Broadcast()
	if !t.IsZero() {
		time.AfterFunc(time.Until(t), f.changed.Broadcast)
	}
}

func (w *wire) SetReadDeadline(t time.Time) error {
	w.in.setDeadline(&w.in.readDeadline, t)
	return nil
}

func (w *wire) SetWriteDeadline(t time.Time) error {
	w.out.setDeadline(&w.out.writeDeadline, t)
	return nil
}

func (w *wire) SetDeadline(t time.Time) error {
	w.SetReadDeadline(t)
	return w.SetWriteDeadline(t)
}

func (w *wire) LocalAddr() net.Addr  { return wireAddr("here") }
func (w *wire) RemoteAddr() net.Addr { return wireAddr("there") }

type wireAddr string

func (a wireAddr) Network() string { return "wire" }
func (a wireAddr) String() string  { return string(a) }

// wires is a listener that accepts what the test puts into it.
type wires struct {
	next   chan any // net.Conn or error
	closed chan struct{}
	once   sync.Once
}

func newWires() *wires { return &wires{next: make(chan any, 64), closed: make(chan struct{})} }

func (l *wires) Accept() (net.Conn, error) {
	select {
	case v := <-l.next:
		if err, ok := v.(error); ok {
			return nil, err
		}
		return v.(net.Conn), nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *wires) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *wires) Addr() net.Addr { return wireAddr("door") }

// dial connects to the listener and returns the client's end.
func (l *wires) dial() *wire {
	client, server := newWire()
	l.next <- server
	return client
}

func newIdentity(tb testing.TB) *identity.Identity {
	tb.Helper()
	i, err := identity.Open(tb.TempDir(), identity.Options{Hosts: func() []string { return nil }})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { i.Close() })
	return i
}

// tlsPair returns both ends of a TLS connection over a wire.
func tlsPair(t *testing.T, i *identity.Identity, idle time.Duration) (server *Conn, client *tls.Conn, serverWire *wire) {
	t.Helper()
	a, b := newWire()
	client = tls.Client(a, i.ClientTLS(nil))
	done := make(chan error, 1)
	go func() { done <- client.Handshake() }()
	server, err := serverConn(&socket{Conn: b, idle: idle, buffers: newBuffers()}, i.ServerTLS())
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return server, client, b
}
