package listener

import (
	"crypto/tls"
	"net"
	"sync"
	"time"

	"github.com/salita-mesh/salita/core/internal/identity"
	"github.com/salita-mesh/salita/core/internal/mesh"
)

// Conn is a connection of one of this package's listeners, ready for HTTP. Its
// methods may be called from several goroutines, one Read and one Write at a
// time.
//
// A Write fails when nothing of it could be sent for the idle time (Options);
// SetWriteDeadline only adds an absolute limit. A Read has the absolute deadline
// of SetReadDeadline, except after StreamBody.
//
// It deliberately has no SyscallConn: os.File.ReadFrom would take that as leave
// to move the encrypted bytes.
type Conn struct {
	socket *socket
	tls    *tls.Conn // nil for the owner's socket
	state  tls.ConnectionState
	owner  bool

	reading sync.Mutex
	ahead   []byte           // decrypted, not read yet
	memory  *[maxRecord]byte // what ahead lies in
	unsure  bool             // crypto/tls may hold more that is ready
	failed  error            // what Read returns after ahead

	writing sync.Mutex
}

var _ net.Conn = (*Conn)(nil)

// serverConn does the TLS handshake under the socket's deadline.
func serverConn(s *socket, config *tls.Config) (*Conn, error) {
	t := tls.Server(s, config)
	if err := t.Handshake(); err != nil {
		return nil, err
	}
	if err := s.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	return &Conn{socket: s, tls: t, state: t.ConnectionState()}, nil
}

// Handshake returns nil: it was done before the connection was accepted. With
// ConnectionState it tells fasthttp that the connection is private.
func (c *Conn) Handshake() error { return nil }

// ConnectionState describes the TLS connection; the owner's has the zero value.
func (c *Conn) ConnectionState() tls.ConnectionState { return c.state }

// PeerKey is the key that another gateway at the other end has proved, and true;
// false for everyone else.
func (c *Conn) PeerKey() (mesh.KeyHash, bool) { return identity.PeerKey(c.state) }

// Owner reports whether the connection came through the owner's socket.
func (c *Conn) Owner() bool { return c.owner }

// StreamBody says that a body of any length is read from now on: until the next
// SetReadDeadline each read may wait for the idle time, however long the whole
// takes. fasthttp sets a deadline before every request.
func (c *Conn) StreamBody() { c.socket.stream() }

// Cut ends reading: a Read that waits, and every later one, fails with a
// timeout. Use it to refuse a request whose body is still coming, and close the
// connection once the answer is written.
func (c *Conn) Cut() error { return c.socket.stopReading() }

// Read reads what has arrived. It waits for one TLS record at most, and returns
// with it all those after it that are here already and fit.
func (c *Conn) Read(p []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if c.tls == nil || len(p) == 0 {
		return c.socket.Read(p)
	}
	n := c.takeAhead(p)
	err := c.failed
	if n == 0 && err == nil {
		n, err = c.tls.Read(p)
	}
	for err == nil && n < len(p) {
		var m int
		m, err = c.readReady(p[n:])
		n += m
	}
	c.unsure = err == nil // p is full
	if n == 0 {
		return 0, err
	}
	c.fail(err)
	return n, nil
}

// Pending reports whether the next Read has something without waiting for the
// network: data, or the connection's end.
func (c *Conn) Pending() bool {
	if !c.reading.TryLock() {
		return false // a Read is waiting right now
	}
	defer c.reading.Unlock()
	if c.unsure && len(c.ahead) == 0 && c.failed == nil {
		c.lookAhead()
	}
	return len(c.ahead) > 0 || c.failed != nil
}

// lookAhead is the only way to learn whether crypto/tls holds a whole record.
func (c *Conn) lookAhead() {
	c.memory = c.socket.buffers.ahead.Get().(*[maxRecord]byte)
	n, err := c.readReady(c.memory[:])
	c.ahead = c.memory[:n]
	c.takeAhead(nil)
	c.unsure = err == nil
	c.fail(err)
}

// readReady reads from crypto/tls without touching the network.
func (c *Conn) readReady(p []byte) (int, error) {
	c.socket.in.only = true
	defer func() { c.socket.in.only = false }()
	return c.tls.Read(p)
}

// fail keeps an error for the next Read.
func (c *Conn) fail(err error) {
	if err != (errNothingBuffered{}) {
		c.failed = err
	}
}

func (c *Conn) takeAhead(p []byte) int {
	n := copy(p, c.ahead)
	c.ahead = c.ahead[n:]
	if len(c.ahead) == 0 && c.memory != nil {
		c.socket.buffers.ahead.Put(c.memory)
		c.ahead, c.memory = nil, nil
	}
	return n
}

// Write sends p, in as few pieces as the joining of TLS records allows.
func (c *Conn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	switch {
	case c.tls == nil:
		return c.socket.Write(p)
	case len(p) <= maxRecord: // one record, one write
		return c.tls.Write(p)
	}
	c.socket.cork()
	n, err := c.tls.Write(p)
	if failed := c.socket.uncork(); err == nil {
		err = failed
	}
	return n, err
}

// Close ends the connection. While a body may still be coming in (after
// StreamBody or Cut) it first ends only our direction and discards what arrives,
// for two seconds at most: otherwise the kernel would answer that data with a
// reset, on which the client forgets the answer it has not read yet.
func (c *Conn) Close() error {
	if c.socket.unread() && c.writing.TryLock() {
		c.socket.stopReading()
		if c.tls == nil || c.tls.CloseWrite() == nil {
			linger(c.socket.Conn)
		}
		c.writing.Unlock()
	}
	if c.tls == nil {
		return c.socket.Conn.Close()
	}
	return c.tls.Close()
}

// SetDeadline is SetReadDeadline and SetWriteDeadline.
func (c *Conn) SetDeadline(t time.Time) error { return c.socket.SetDeadline(t) }

// SetReadDeadline sets when reads fail and ends what StreamBody began; the zero
// time means never.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.socket.SetReadDeadline(t) }

// SetWriteDeadline sets when writes fail although they make progress; the zero
// time means never.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.socket.SetWriteDeadline(t) }

// LocalAddr is this machine's address.
func (c *Conn) LocalAddr() net.Addr { return c.socket.LocalAddr() }

// RemoteAddr is the other end's address; it identifies nobody.
func (c *Conn) RemoteAddr() net.Addr { return c.socket.RemoteAddr() }
