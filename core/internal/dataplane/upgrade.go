package dataplane

import (
	"io"
	"sync"
)

// upgraded is the body of a 101 answer: the connection itself, for both
// directions, without deadlines. The request's context no longer matters.
type upgraded struct {
	p    *pool
	c    *conn
	once sync.Once
}

var _ io.ReadWriteCloser = (*upgraded)(nil)

// Read reads what the peer sent after its 101 answer.
func (u *upgraded) Read(p []byte) (int, error) {
	if u.c.buffered() > 0 {
		return u.c.take(p), nil
	}
	return u.c.nc.Read(p)
}

// Write sends to the peer.
func (u *upgraded) Write(p []byte) (int, error) { return u.c.nc.Write(p) }

// CloseWrite ends this direction only, where the connection can do that, and
// the whole connection elsewhere.
func (u *upgraded) CloseWrite() error {
	if half, ok := u.c.nc.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return u.Close()
}

// Close ends the connection.
func (u *upgraded) Close() error {
	u.once.Do(func() { u.p.discard(u.c) })
	return nil
}
