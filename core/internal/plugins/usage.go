package plugins

import (
	"sync"
	"sync/atomic"
)

// gauge counts what is going on. Once it is closed it tells when nothing is any
// more; until then nobody waits for anything.
type gauge struct {
	n      atomic.Int64
	closed atomic.Bool
	once   sync.Once
	empty  chan struct{}
}

func newGauge() *gauge { return &gauge{empty: make(chan struct{})} }

// enter counts in and returns the count; it reports false when the gauge is
// closed, and then nothing was counted.
func (g *gauge) enter() (int64, bool) {
	n := g.n.Add(1)
	if g.closed.Load() {
		g.leave()
		return n, false
	}
	return n, true
}

// leave counts out.
func (g *gauge) leave() {
	if g.n.Add(-1) == 0 && g.closed.Load() {
		g.once.Do(func() { close(g.empty) })
	}
}

// close lets nothing more in. The channel is closed when the last has left.
func (g *gauge) close() <-chan struct{} {
	g.closed.Store(true)
	if g.n.Load() == 0 {
		g.once.Do(func() { close(g.empty) })
	}
	return g.empty
}
