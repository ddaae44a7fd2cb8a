package plugins

import (
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Bounds of the socket on which the gateway serves one plugin. There is no
// deadline for a whole request: what it asks for may be a film on another device.
const (
	hostSocketName    = "host.sock"
	hostHeaderTimeout = 10 * time.Second
	hostIdleTimeout   = 2 * time.Minute
	hostHeaderBytes   = 64 << 10
	maxHostConns      = 64 // at once; each is one request
)

// hostServer serves the gateway's own HTTP to one plugin process, on a socket in
// the folder that belongs to the two of them.
type hostServer struct {
	path   string
	server *http.Server
	served chan struct{}
}

// openHostSocket listens in the folder and begins to serve. The folder is private
// to this user, and the plugin may put links into it: the socket's mode is left
// alone, because a change of it could be led to another file.
func openHostSocket(dir string, h http.Handler, log hclog.Logger) (*hostServer, error) {
	path := filepath.Join(dir, hostSocketName)
	_ = os.Remove(path) // in a folder that outlives a launch, that of the launch before
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("make the gateway's socket for the plugin: %w", err)
	}
	s := &hostServer{
		path: path,
		server: &http.Server{
			Handler:           h,
			ReadHeaderTimeout: hostHeaderTimeout,
			IdleTimeout:       hostIdleTimeout,
			MaxHeaderBytes:    hostHeaderBytes,
			ErrorLog:          stdlog.New(&complaints{log: log, limiter: limiter{most: 5, period: time.Minute}}, "", 0),
		},
		served: make(chan struct{}),
	}
	go func() {
		defer close(s.served)
		_ = s.server.Serve(limitConns(listener, maxHostConns)) // ends with close
	}()
	return s, nil
}

// close ends every connection; nil has none.
func (s *hostServer) close() {
	if s == nil {
		return
	}
	_ = s.server.Close()
	<-s.served
}

// complaints puts what net/http says about a plugin's requests into the log, so
// often.
type complaints struct {
	log hclog.Logger

	mu      sync.Mutex
	limiter limiter
}

func (c *complaints) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ok, _ := c.limiter.allow(time.Now()); ok {
		c.log.Warn("serving the plugin", "text", printable(strings.TrimSpace(string(p)), maxLogText))
	}
	return len(p), nil
}

// limitedListener accepts so many connections at once; more wait their turn.
type limitedListener struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
}

func limitConns(l net.Listener, most int) net.Listener {
	return &limitedListener{Listener: l, slots: make(chan struct{}, most), closed: make(chan struct{})}
}

// Accept waits for a free slot and for a connection.
func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedConn{Conn: conn, free: sync.OnceFunc(func() { <-l.slots })}, nil
}

// Close ends every Accept.
func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	free func()
}

// Close closes the connection and frees its slot.
func (c *limitedConn) Close() error {
	defer c.free()
	return c.Conn.Close()
}
