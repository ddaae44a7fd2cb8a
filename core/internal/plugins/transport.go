package plugins

import (
	"context"
	"net"
	"net/http"
	"time"
)

// Dial opens a connection to one plugin's HTTP socket.
type Dial func(ctx context.Context) (net.Conn, error)

// Transport makes the round tripper for one launch of a plugin. What it returns
// may have CloseIdleConnections() or Close() error, which is called when the
// process is gone.
type Transport func(Dial) http.RoundTripper

// Bounds of the forwarding.
const (
	headerTimeout     = 30 * time.Second // from the last byte of the request to the answer's head
	maxResponseHeader = 64 << 10
	idleConnections   = 16
	// idleLifetime is below the five minutes after which a plugin made with the
	// SDK closes an idle connection, so that none is closed under a request.
	idleLifetime = 90 * time.Second
	// socketBuffer is asked for per direction, in bytes; the system may give less.
	socketBuffer = 2 << 20
)

// standardTransport is net/http's own client, tuned for large bodies.
func standardTransport(maxRequests int) Transport {
	return func(dial Dial) http.RoundTripper {
		return &http.Transport{
			DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
			MaxConnsPerHost:        maxRequests,
			MaxIdleConnsPerHost:    idleConnections,
			IdleConnTimeout:        idleLifetime,
			ResponseHeaderTimeout:  headerTimeout,
			MaxResponseHeaderBytes: maxResponseHeader,
			WriteBufferSize:        1 << 20,
			ReadBufferSize:         64 << 10,
			DisableCompression:     true,
		}
	}
}

// dialSocket returns the dial function for a plugin's socket.
func dialSocket(path string) Dial {
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, "unix", path)
		if err != nil {
			return nil, err
		}
		if u, ok := c.(*net.UnixConn); ok {
			_ = u.SetReadBuffer(socketBuffer)
			_ = u.SetWriteBuffer(socketBuffer)
		}
		return c, nil
	}
}

// closeTransport ends the idle connections of a transport.
func closeTransport(t http.RoundTripper) {
	switch t := t.(type) {
	case interface{ Close() error }:
		_ = t.Close()
	case interface{ CloseIdleConnections() }:
		t.CloseIdleConnections()
	}
}
