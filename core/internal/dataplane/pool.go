package dataplane

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// pool keeps the connections of one transport: the idle ones as a stack, so
// that the warmest is used next and the others can grow old, and a count of all
// that are open.
type pool struct {
	dial func(context.Context) (net.Conn, error)
	opts Options

	mu      sync.Mutex
	closed  bool
	idle    []*conn // the oldest first
	open    map[*conn]struct{}
	slots   int // open connections and those being dialled
	waiting []chan *conn
	sweeper *time.Timer
}

// get returns a connection for one call: an idle one that is still alive, else
// a new one, else the first that another call gives back.
func (p *pool) get(ctx context.Context) (*conn, error) {
	for {
		c, turn, err := p.claim()
		switch {
		case err != nil:
			return nil, err
		case c != nil && (time.Since(c.since) < p.opts.Warm || c.alive()):
			return c, nil
		case c != nil:
			p.discard(c)
		case turn == nil:
			return p.connect(ctx)
		default:
			return p.wait(ctx, turn)
		}
	}
}

// claim takes the warmest idle connection, or a slot to dial in (all nil), or a
// place in the queue.
func (p *pool) claim() (*conn, chan *conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, ErrClosed
	}
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		return c, nil, nil
	}
	if p.slots < p.opts.MaxConns {
		p.slots++
		return nil, nil, nil
	}
	turn := make(chan *conn, 1)
	p.waiting = append(p.waiting, turn)
	return nil, turn, nil
}

// wait waits for its turn, which brings a connection, or nil for the right to
// dial one, or the end of the pool.
func (p *pool) wait(ctx context.Context, turn chan *conn) (*conn, error) {
	limit := time.NewTimer(p.opts.MaxWait)
	defer limit.Stop()
	var err error
	select {
	case c, ok := <-turn:
		return p.take(ctx, c, ok)
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-limit.C:
		err = ErrBusy
	}
	if p.leave(turn) {
		return nil, err
	}
	// The turn came at the same moment: used if anyone still wants it.
	c, ok := <-turn
	if !ok || ctx.Err() == nil {
		return p.take(ctx, c, ok)
	}
	if c != nil {
		p.put(c)
	} else {
		p.release(nil)
	}
	return nil, err
}

func (p *pool) take(ctx context.Context, c *conn, ok bool) (*conn, error) {
	switch {
	case !ok:
		return nil, ErrClosed
	case c != nil:
		return c, nil
	}
	return p.connect(ctx)
}

// leave gives up a place in the queue; false when the turn has come already.
func (p *pool) leave(turn chan *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.waiting, turn)
	if i < 0 {
		return false
	}
	p.waiting = slices.Delete(p.waiting, i, i+1)
	return true
}

// connect dials in a slot that the caller holds.
func (p *pool) connect(ctx context.Context) (*conn, error) {
	dialing, cancel := context.WithTimeout(ctx, p.opts.HeaderTimeout)
	defer cancel()
	nc, err := p.dial(dialing)
	if err != nil {
		p.release(nil)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("%w: %w", ErrDial, err)
	}
	TuneSocket(nc)
	c := newConn(nc)
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.open[c] = struct{}{}
	}
	p.mu.Unlock()
	if closed {
		c.shut()
		return nil, ErrClosed
	}
	return c, nil
}

// put gives back a connection that can carry another call.
func (p *pool) put(c *conn) {
	c.reset()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) > 0 {
		p.next() <- c
		return
	}
	if p.closed || len(p.idle) >= p.opts.MaxIdle {
		p.drop(c)
		return
	}
	c.since = time.Now()
	p.idle = append(p.idle, c)
	if p.sweeper == nil {
		p.sweeper = time.AfterFunc(p.opts.IdleTimeout, p.sweep)
	}
}

// discard closes a connection for good and lets another call have its slot.
func (p *pool) discard(c *conn) {
	c.shut()
	p.release(c)
}

// release frees the slot of a connection that is gone, or of a dial that failed.
func (p *pool) release(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
	if len(p.waiting) > 0 {
		p.next() <- nil
		return
	}
	p.slots--
}

// next takes the first of the queue. Its channel has room for the one answer.
func (p *pool) next() chan *conn {
	turn := p.waiting[0]
	p.waiting = slices.Delete(p.waiting, 0, 1)
	return turn
}

// drop closes a connection while the lock is held and nobody waits for a slot.
func (p *pool) drop(c *conn) {
	c.shut()
	delete(p.open, c)
	p.slots--
}

// sweep closes what has been idle for too long and comes back when the oldest
// of the rest may be.
func (p *pool) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweeper = nil
	now := time.Now()
	for len(p.idle) > 0 {
		age := now.Sub(p.idle[0].since)
		if age < p.opts.IdleTimeout {
			p.sweeper = time.AfterFunc(p.opts.IdleTimeout-age, p.sweep)
			return
		}
		p.drop(p.idle[0])
		p.idle = slices.Delete(p.idle, 0, 1)
	}
}

func (p *pool) closeIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropIdle()
}

func (p *pool) dropIdle() {
	for _, c := range p.idle {
		p.drop(c)
	}
	p.idle = nil
}

// close ends the pool and every connection, busy or not.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.dropIdle()
	for c := range p.open {
		c.shut()
	}
	for _, turn := range p.waiting {
		close(turn)
	}
	p.waiting = nil
	if p.sweeper != nil {
		p.sweeper.Stop()
	}
}

// isClosed reports whether close was called.
func (p *pool) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}
