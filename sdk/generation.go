package sdk

import (
	"context"
	"net/http"
	"sync"
)

// generation is one handler that New made, with the requests it is serving. A
// new configuration makes a new generation; the old one finishes its requests
// and is then shut down.
type generation struct {
	handler http.Handler
	cancel  context.CancelFunc // ends the context that New was given

	mu     sync.Mutex
	active int
	closed bool
	idle   chan struct{} // closed when closed and no request is active
}

func newGeneration(h http.Handler, cancel context.CancelFunc) *generation {
	return &generation{handler: h, cancel: cancel, idle: make(chan struct{})}
}

// enter counts a request in; it reports false once the generation is closed.
func (g *generation) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.active++
	return true
}

// leave counts a request out.
func (g *generation) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.active--
	if g.closed && g.active == 0 {
		close(g.idle)
	}
}

// close lets no further request in and ends the context that New was given.
func (g *generation) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	g.closed = true
	if g.active == 0 {
		close(g.idle)
	}
	g.cancel()
}

// drain waits until the last request has ended; the generation must be closed.
func (g *generation) drain(ctx context.Context) error {
	select {
	case <-g.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// shutdown lets the author's handler close what it holds.
func (g *generation) shutdown(ctx context.Context) (err error) {
	s, ok := g.handler.(Shutdowner)
	if !ok {
		return nil
	}
	defer recoverTo(&err, "Shutdown")
	return s.Shutdown(ctx)
}

// checkHealth asks the author's handler; without an answer of its own it is
// healthy.
func (g *generation) checkHealth(ctx context.Context) (err error) {
	c, ok := g.handler.(HealthChecker)
	if !ok {
		return nil
	}
	defer recoverTo(&err, "CheckHealth")
	return c.CheckHealth(ctx)
}
