package sdk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	pluginv1 "github.com/salita-mesh/salita/sdk/internal/wire/salita/plugin/v1"

	"github.com/salita-mesh/salita/sdk/internal/socket"
)

// Limits of the plugin's HTTP server. There is no deadline for a whole request:
// an upload may take hours, and the gateway watches for stalled ones.
const (
	readHeaderTimeout = 10 * time.Second
	// idleTimeout is longer than the gateway keeps a connection, so that it is
	// the gateway who closes an idle one and none is closed under a request.
	idleTimeout    = 5 * time.Minute
	maxHeaderBytes = 64 << 10
	socketName     = "http.sock"
)

// httpServer serves the data plane on a private socket.
type httpServer struct {
	path     string
	listener *socket.Listener
	server   *http.Server
	served   chan struct{}
}

// openHTTP listens in the folder and begins to serve: only the parents of this
// process, when there is a gateway among them.
func openHTTP(dir string, h http.Handler, log *slog.Logger, onlyParents bool) (*httpServer, error) {
	if !filepath.IsAbs(dir) {
		return nil, fmt.Errorf("socket folder %q is not an absolute path", dir)
	}
	path := filepath.Join(dir, socketName)
	listener, err := socket.Listen(path)
	if err != nil {
		return nil, err
	}
	if onlyParents {
		listener.OnlyParents()
	}
	s := &httpServer{
		path:     path,
		listener: listener,
		server: &http.Server{
			Handler:           withLargeBodies(listener, h),
			ReadHeaderTimeout: readHeaderTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeaderBytes,
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		},
		served: make(chan struct{}),
	}
	go s.serve(log)
	return s, nil
}

func (s *httpServer) serve(log *slog.Logger) {
	defer close(s.served)
	if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		log.Error("http server ended", "error", err)
	}
}

func (s *httpServer) endpoint() *pluginv1.Endpoint {
	return &pluginv1.Endpoint{Network: "unix", Address: s.path}
}

// refuse asks callers to close their connections after the answer under way.
func (s *httpServer) refuse() { s.server.SetKeepAlivesEnabled(false) }

// close stops listening, waits until each connection has sent its answer, and
// cuts those that have not when the context ends.
func (s *httpServer) close(ctx context.Context) {
	if err := s.server.Shutdown(ctx); err != nil {
		_ = s.server.Close()
	}
	<-s.served
}
