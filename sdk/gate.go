package sdk

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync/atomic"

	"github.com/salita-mesh/salita/sdk/internal/socket"
)

// gate stands between the socket and the author's handler: it lets declared
// routes pass, finds the handler in force, and survives its panics.
type gate struct {
	log     *slog.Logger
	routes  *http.ServeMux
	current atomic.Pointer[generation]
}

// declared marks the patterns of the manifest in the mux, to tell them from the
// redirects that ServeMux makes up by itself.
type declared struct{ http.Handler }

// newGate returns a gate for the manifest's routes. A pattern that ServeMux
// does not take is left out; the gateway refuses such a manifest anyway.
func newGate(routes []Route, log *slog.Logger) *gate {
	g := &gate{log: log, routes: http.NewServeMux()}
	for _, r := range routes {
		func() {
			defer func() { _ = recover() }()
			g.routes.Handle(r.Pattern, declared{})
		}()
	}
	return g
}

// swap puts a generation in force and returns the one before, if any.
func (g *gate) swap(next *generation) *generation { return g.current.Swap(next) }

// ServeHTTP serves one request of the gateway.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := &response{ResponseWriter: w}
	defer g.survive(out, r)
	if h, _ := g.routes.Handler(r); h != (declared{}) {
		WriteError(out, r, g.log, &Error{Kind: NotFound})
		return
	}
	gen := g.enter()
	if gen == nil {
		WriteError(out, r, g.log, &Error{Kind: PluginUnavailable})
		return
	}
	defer gen.leave()
	gen.handler.ServeHTTP(out, r)
}

// enter counts the request into the generation in force; nil when there is none.
func (g *gate) enter() *generation {
	for {
		gen := g.current.Load()
		if gen == nil || gen.enter() {
			return gen
		}
		if g.current.Load() == gen {
			return nil // closed for good, not replaced
		}
	}
}

// survive answers for a handler that panicked: 500 when nothing was sent yet,
// else a cut connection, so that half a body never looks like a whole one.
func (g *gate) survive(out *response, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler {
		panic(v)
	}
	g.log.Error("handler panicked", "reference", r.Header.Get(HeaderReference), "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	if out.started {
		panic(http.ErrAbortHandler)
	}
	WriteError(out, r, g.log, &Error{Kind: Internal, Cause: fmt.Errorf("panic: %v", v)})
}

// withLargeBodies gives each request a body that io.Copy moves in large pieces.
func withLargeBodies(l *socket.Listener, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = l.Body(r.Body)
		}
		next.ServeHTTP(w, r)
	})
}
