package library

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// probeTimeout is how long the drive may take to answer before it counts as
// unreachable. A network drive whose server is off can block for minutes.
const probeTimeout = 800 * time.Millisecond

// probes runs one look at the drive at a time: behind one that hangs, further
// ones would pile up.
type probes struct {
	mu      sync.Mutex
	current *probe
}

type probe struct {
	done chan struct{}
	err  error // valid once done is closed
}

// Check reports whether files can be read from the library and stored in it.
func (l *Library) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if err := l.index.Ping(ctx); err != nil {
		return err
	}
	p := l.probes.join(l.look)
	select {
	case <-p.done:
		return l.failure(p.err)
	case <-ctx.Done():
		return l.missing(fmt.Errorf("%s does not answer: %w", l.dir, ctx.Err()))
	}
}

func (l *Library) look() error {
	info, err := os.Stat(l.dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return l.missing(fmt.Errorf("%s is not a folder", l.dir))
	}
	if err := writable(l.dir); err != nil {
		return fmt.Errorf("%s is not writable: %w", l.dir, err)
	}
	return nil
}

func (p *probe) finished() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// join returns the look in progress, or starts one.
func (ps *probes) join(look func() error) *probe {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.current != nil && !ps.current.finished() {
		return ps.current
	}
	p := &probe{done: make(chan struct{})}
	ps.current = p
	go func() {
		defer close(p.done)
		p.err = look()
	}()
	return p
}

// wait waits for the look in progress.
func (ps *probes) wait(ctx context.Context) error {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.current == nil || ps.current.finished() {
		return nil
	}
	select {
	case <-ps.current.done:
		return nil
	case <-ctx.Done():
		return errors.Join(errors.New("the drive does not answer"), ctx.Err())
	}
}
