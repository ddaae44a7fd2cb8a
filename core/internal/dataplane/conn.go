package dataplane

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// readBuffer is the size of a connection's own buffer: heads and small bodies
// pass through it, larger reads go straight into the caller's memory.
const readBuffer = 4 << 10

// conn is one connection with its read buffer. It belongs to one call at a time.
type conn struct {
	nc    net.Conn
	raw   syscall.RawConn // nil when the connection has no descriptor
	probe probe
	shut  func() // closes nc; bound once, so that watching a context allocates less

	buf    []byte
	r, w   int  // buf[r:w] is unread
	reused bool // has answered a call before
	since  time.Time
}

func newConn(nc net.Conn) *conn {
	c := &conn{nc: nc, buf: make([]byte, readBuffer)}
	c.shut = func() { _ = nc.Close() }
	c.raw = descriptor(nc)
	c.probe.init()
	return c
}

// descriptor finds the socket under a connection, TLS or not.
func descriptor(nc net.Conn) syscall.RawConn {
	if over, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = over.NetConn()
	}
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// buffered is how many bytes were received and not read yet.
func (c *conn) buffered() int { return c.w - c.r }

// take copies buffered bytes to p.
func (c *conn) take(p []byte) int {
	n := copy(p, c.buf[c.r:c.w])
	c.r += n
	return n
}

// fill waits for more bytes and appends them to the buffer, which grows up to
// limit unread bytes.
func (c *conn) fill(limit int) error {
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
	if c.w == len(c.buf) {
		if err := c.makeRoom(limit); err != nil {
			return err
		}
	}
	n, err := c.nc.Read(c.buf[c.w:])
	c.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

func (c *conn) makeRoom(limit int) error {
	if c.r > 0 {
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
		return nil
	}
	if len(c.buf) >= limit {
		return fmt.Errorf("%w: head larger than %d bytes", ErrBadResponse, limit)
	}
	bigger := make([]byte, min(2*len(c.buf), limit))
	c.w = copy(bigger, c.buf[:c.w])
	c.buf = bigger
	return nil
}

// unread puts bytes that belong to whatever follows back into the empty buffer.
func (c *conn) unread(p []byte, limit int) error {
	if len(p) > limit {
		return fmt.Errorf("%w: trailer larger than %d bytes", ErrBadResponse, limit)
	}
	if len(p) > len(c.buf) {
		c.buf = make([]byte, len(p))
	}
	c.r, c.w = 0, copy(c.buf, p)
	return nil
}

var (
	headPrefix = []byte("HTTP/")
	headEnd    = []byte("\r\n\r\n")
)

// readHead waits for a whole head and returns it without its empty line, as a
// view of the buffer that the next fill overwrites. It returns io.EOF only when
// nothing at all was received.
func (c *conn) readHead(limit int) ([]byte, error) {
	for scanned := 0; ; {
		head := c.buf[c.r:c.w]
		if known := min(len(head), len(headPrefix)); !bytes.Equal(head[:known], headPrefix[:known]) {
			return nil, fmt.Errorf("%w: not HTTP: %.20q", ErrBadResponse, head)
		}
		if i := bytes.Index(head[scanned:], headEnd); i >= 0 {
			end := scanned + i + len(headEnd)
			if end > limit {
				return nil, fmt.Errorf("%w: head larger than %d bytes", ErrBadResponse, limit)
			}
			c.r += end
			return head[:end-len("\r\n")], nil
		}
		scanned = max(0, len(head)-len(headEnd)+1)
		if err := c.fill(limit); err != nil {
			return nil, eofInside(err, len(head) > 0)
		}
	}
}

// readTrailer waits for the lines after the last chunk and returns them without
// the empty line that ends them.
func (c *conn) readTrailer(limit int) ([]byte, error) {
	for {
		lines := c.buf[c.r:c.w]
		if bytes.HasPrefix(lines, headEnd[:2]) {
			c.r += len("\r\n")
			return nil, nil
		}
		if i := bytes.Index(lines, headEnd); i >= 0 {
			c.r += i + len(headEnd)
			return lines[:i+len("\r\n")], nil
		}
		if err := c.fill(limit); err != nil {
			return nil, eofInside(err, true)
		}
	}
}

// eofInside makes an end of file an unexpected one when it came inside of
// something.
func eofInside(err error, inside bool) error {
	if inside && errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// write sends all of p. The stall time starts again whenever some of it went
// out; halted is asked before each wait.
func (c *conn) write(p []byte, stall time.Duration, halted func() bool) error {
	for {
		if err := c.nc.SetWriteDeadline(time.Now().Add(stall)); err != nil {
			return err
		}
		// After the deadline, never before: who halts sets its own deadline last.
		if halted() {
			return errHalted
		}
		n, err := c.nc.Write(p)
		p = p[n:]
		if err == nil || n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

// reset makes the connection ready for the next call, giving back what a large
// head made it grow to.
func (c *conn) reset() {
	c.r, c.w, c.reused = 0, 0, true
	if len(c.buf) > 4*readBuffer {
		c.buf = make([]byte, readBuffer)
	}
}
