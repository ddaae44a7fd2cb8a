package plugins

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/salita-mesh/salita/core/internal/dataplane"
)

// Dial opens a connection to one plugin's HTTP socket.
type Dial func(ctx context.Context) (net.Conn, error)

// Transport makes the round tripper for one launch of a plugin. What it returns
// may have Close() error or CloseIdleConnections(), which is called when the
// process is gone.
type Transport func(Dial) http.RoundTripper

// warm is short enough that a plugin closes hardly more connections in it than
// between the question whether one is alive and its use.
const warm = 20 * time.Millisecond

// standardTransport is the gateway's own data plane.
func standardTransport(maxRequests int) Transport {
	return func(dial Dial) http.RoundTripper {
		return dataplane.New(dial, dataplane.Options{MaxConns: maxRequests, MaxIdle: maxRequests, Warm: warm})
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
		dataplane.TuneSocket(c)
		return c, nil
	}
}

// closeTransport ends what a transport still holds.
func closeTransport(t http.RoundTripper) {
	switch t := t.(type) {
	case interface{ Close() error }:
		_ = t.Close()
	case interface{ CloseIdleConnections() }:
		t.CloseIdleConnections()
	}
}
