package listener

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// What Options mean when they are zero.
const (
	defaultHandshakeTimeout = 10 * time.Second
	defaultMaxPending       = 256
	defaultBodyIdle         = 30 * time.Second
)

// Options are what New is told; everything but TLS has a default.
type Options struct {
	// TLS is the server's configuration.
	TLS *tls.Config
	// Plain answers a request that came without TLS; Redirect when nil. The
	// request's body is never read, and the connection is closed afterwards.
	Plain func(*http.Request) *http.Response
	// HandshakeTimeout is how long a client has from connecting until its
	// handshake, or its plain request, is done; 10 s when zero.
	HandshakeTimeout time.Duration
	// MaxPending is how many connections may be in that state at once, 256 when
	// zero. One more drops the oldest of the address that has most of them.
	MaxPending int
	// BodyIdle is how long a streamed body may stand still in either direction;
	// 30 s when zero.
	BodyIdle time.Duration
	// Log receives refused handshakes and failing accepts; may be nil.
	Log hclog.Logger
}

// Listener is the public door. Its Accept returns *Conn. Slow and silent clients
// wait elsewhere and hold up nobody.
type Listener struct {
	inner   net.Listener
	opts    Options
	pending *pending
	ready   chan *Conn
	buffers *buffers

	start sync.Once
	work  sync.WaitGroup // the accept loop and every pending connection
	done  chan struct{}  // closed when nothing more will be accepted

	finish sync.Once
	err    error // why; set before done is closed
}

var _ net.Listener = (*Listener)(nil)

// New makes a listener of an ordinary TCP one, which it then owns. Nothing is
// accepted before the first call of Accept.
func New(inner net.Listener, opts Options) *Listener {
	if opts.Plain == nil {
		opts.Plain = Redirect
	}
	if opts.HandshakeTimeout <= 0 {
		opts.HandshakeTimeout = defaultHandshakeTimeout
	}
	if opts.MaxPending <= 0 {
		opts.MaxPending = defaultMaxPending
	}
	if opts.BodyIdle <= 0 {
		opts.BodyIdle = defaultBodyIdle
	}
	if opts.Log == nil {
		opts.Log = hclog.NewNullLogger()
	}
	return &Listener{
		inner:   inner,
		opts:    opts,
		pending: newPending(opts.MaxPending),
		ready:   make(chan *Conn),
		buffers: newBuffers(),
		done:    make(chan struct{}),
	}
}

// Accept returns the next connection whose TLS handshake is done, as a *Conn.
// After Close the error is net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	l.start.Do(func() { l.work.Go(l.acceptLoop) })
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.done:
		return nil, l.err
	}
}

// Addr is the address of the TCP listener.
func (l *Listener) Addr() net.Addr { return l.inner.Addr() }

// Close stops accepting, drops the connections that are not ready yet and waits
// for what they run. Accepted connections stay open.
func (l *Listener) Close() error {
	err := l.inner.Close()
	l.end(net.ErrClosed)
	// Unless Accept was never called this changes nothing; then it keeps a late
	// Accept from starting the loop while Wait is under way.
	l.start.Do(func() {})
	l.work.Wait()
	return err
}

// end makes every Accept fail with err. Only the first reason counts.
func (l *Listener) end(err error) {
	l.finish.Do(func() {
		l.err = err
		close(l.done)
		l.pending.close()
	})
}

// The wait after a failed accept, doubled each time.
const (
	minAcceptDelay = 5 * time.Millisecond
	maxAcceptDelay = time.Second
)

func (l *Listener) acceptLoop() {
	delay := minAcceptDelay
	for {
		raw, err := l.inner.Accept()
		if err == nil {
			delay = minAcceptDelay
			l.admit(raw)
			continue
		}
		if errors.Is(err, net.ErrClosed) || !temporary(err) {
			l.end(err)
			return
		}
		// Most likely we are out of file descriptors: free one that matters least.
		l.opts.Log.Warn("connection not accepted", "error", err)
		l.pending.dropOne()
		select {
		case <-time.After(delay):
			delay = min(2*delay, maxAcceptDelay)
		case <-l.done:
			return
		}
	}
}

// temporary reports whether an accept may succeed when tried again, by the only
// sign that the net package gives of it.
func temporary(err error) bool {
	var e interface{ Temporary() bool }
	return errors.As(err, &e) && e.Temporary()
}

// admit starts getting a connection ready, beside the others.
func (l *Listener) admit(raw net.Conn) {
	c := l.pending.add(raw)
	if c == nil {
		raw.Close()
		return
	}
	l.work.Go(func() {
		conn := l.prepare(c)
		// Whoever is ready can no longer be dropped to make room.
		if kept := l.pending.remove(c); conn == nil || !kept {
			raw.Close()
			return
		}
		select {
		case l.ready <- conn:
		case <-l.done:
			raw.Close()
		}
	})
}

const tlsHandshake = 0x16 // the content type of a TLS record, RFC 8446 section 5.1

// prepare finds out what a new connection speaks. It returns nil when there is
// nothing to hand out: plain HTTP was answered, or the handshake failed.
func (l *Listener) prepare(c *candidate) *Conn {
	s := &socket{Conn: c.raw, idle: l.opts.BodyIdle, buffers: l.buffers}
	if err := s.SetDeadline(time.Now().Add(l.opts.HandshakeTimeout)); err != nil {
		return nil
	}
	first := make([]byte, 1)
	if n, _ := s.Read(first); n == 0 {
		return nil
	}
	switch b := first[0]; {
	case b == tlsHandshake:
		s.in.data = first
		conn, err := serverConn(s, l.opts.TLS)
		if err != nil {
			l.opts.Log.Debug("handshake failed", "remote", c.raw.RemoteAddr(), "error", err)
			return nil
		}
		return conn
	case 'A' <= b && b <= 'Z':
		answerPlain(c.raw, first, l.opts.Plain)
	}
	return nil
}
