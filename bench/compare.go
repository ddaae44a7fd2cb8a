package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// task is one thing that is measured on every plane.
type task struct {
	name  string
	calls bool // measured per call, else per GiB
	run   func(*contest, context.Context) (turn, error)
}

// parallel is how many connections the busy small-call task uses.
const parallel = 16

var tasks = []task{
	{"Small calls, one connection", true, func(c *contest, ctx context.Context) (turn, error) { return c.small(ctx, 1) }},
	{fmt.Sprintf("Small calls, %d connections", parallel), true, func(c *contest, ctx context.Context) (turn, error) { return c.small(ctx, parallel) }},
	{"Upload", false, (*contest).upload},
	{"Download", false, (*contest).download},
}

// turn is one measurement.
type turn struct {
	wall  time.Duration
	cpu   map[string]time.Duration // of each process
	calls []time.Duration          // of each small call, sorted
}

// contest is a target and what it holds.
type contest struct {
	*target
	options
	stored payload
	path   string   // of stored
	files  []string // small ones, one for each connection of a small-call task
	number *uint64
	turns  map[string][]turn
	peak   map[string]int64
}

// compare runs all planes against each other.
func compare(ctx context.Context, s *site) ([]*contest, error) {
	cert, err := newCertificate(s.dir)
	if err != nil {
		return nil, err
	}
	s.cert = cert
	var all []*contest
	defer func() {
		for _, c := range all {
			c.stop()
		}
	}()
	number := uint64(0)
	for _, name := range s.planes {
		s.progress("start %s", name)
		t, err := planeOf(name).start(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		t.name = name
		all = append(all, &contest{target: t, options: s.options, number: &number, turns: map[string][]turn{}})
	}
	for _, c := range all {
		if err := c.prepare(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", c.name, err, s.logOf(c.name))
		}
	}
	if err := rounds(ctx, s, all); err != nil {
		return nil, err
	}
	for _, c := range all {
		if c.peak, err = c.peakMemory(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// rounds lets the planes take turns, in both orders. The first round warms up
// and does not count.
func rounds(ctx context.Context, s *site, all []*contest) error {
	order := slices.Clone(all)
	for round := range s.reps + 1 {
		s.progress("round %d of %d", round, s.reps)
		for _, task := range tasks {
			for _, c := range order {
				got, err := task.run(c, ctx)
				if err != nil {
					return fmt.Errorf("%s: %s: %w\n%s", c.name, task.name, err, s.logOf(c.name))
				}
				if round > 0 {
					c.turns[task.name] = append(c.turns[task.name], got)
				}
			}
		}
		slices.Reverse(order)
	}
	return nil
}

// prepare stores the file that is downloaded later, and those that small calls
// ask about: one for each connection, as a server may lock a file.
func (c *contest) prepare(ctx context.Context) error {
	conn, err := dial(ctx, c.target)
	if err != nil {
		return err
	}
	defer conn.close()
	c.stored = c.next(c.size)
	if c.path, err = c.store(conn, c.stored, c.stored.sum()); err != nil {
		return err
	}
	c.files = make([]string, parallel)
	for i := range c.files {
		p := c.next(1 << 10)
		if c.files[i], err = c.store(conn, p, p.sum()); err != nil {
			return err
		}
	}
	return nil
}

// next is a file that was never sent before.
func (c *contest) next(size int64) payload {
	*c.number++
	return newPayload(size, *c.number)
}

// store uploads a file and checks the hash that the server names.
func (c *contest) store(conn *client, p payload, sum string) (path string, err error) {
	a, err := conn.do(c.dialect.upload(p.size), p)
	if err != nil {
		return "", err
	}
	path, got, err := c.dialect.stored(a)
	if err != nil {
		return "", err
	}
	if got != "" && got != sum {
		return "", fmt.Errorf("stored %s, sent %s", got, sum)
	}
	return path, nil
}

// measured runs fn between two looks at clock and CPU time.
func (c *contest) measured(fn func() error) (turn, error) {
	before, err := c.cpuTime()
	if err != nil {
		return turn{}, err
	}
	start := time.Now()
	if err := fn(); err != nil {
		return turn{}, err
	}
	t := turn{wall: time.Since(start)}
	if t.cpu, err = c.cpuTime(); err != nil {
		return t, err
	}
	for name := range t.cpu {
		t.cpu[name] -= before[name]
	}
	return t, nil
}

func (c *contest) upload(ctx context.Context) (turn, error) {
	conn, err := dial(ctx, c.target)
	if err != nil {
		return turn{}, err
	}
	defer conn.close()
	p := c.next(c.size)
	sum := p.sum()
	var path string
	t, err := c.measured(func() (err error) {
		path, err = c.store(conn, p, sum)
		return err
	})
	if err != nil {
		return t, err
	}
	_, err = conn.do(c.dialect.remove(path), nil)
	return t, err
}

func (c *contest) download(ctx context.Context) (turn, error) {
	conn, err := dial(ctx, c.target)
	if err != nil {
		return turn{}, err
	}
	defer conn.close()
	return c.measured(func() error { return conn.fetch(c.dialect.download(c.path), c.stored) })
}

// small makes the calls over n connections, each waiting for its answers.
func (c *contest) small(ctx context.Context, n int) (turn, error) {
	conns := make([]*client, n)
	for i := range conns {
		conn, err := dial(ctx, c.target)
		if err != nil {
			return turn{}, err
		}
		defer conn.close()
		conns[i] = conn
	}
	took := make([][]time.Duration, n)
	errs := make([]error, n)
	t, err := c.measured(func() error {
		var all sync.WaitGroup
		for i, conn := range conns {
			all.Go(func() { took[i], errs[i] = c.ask(conn, c.files[i], c.calls/n+1) })
		}
		all.Wait()
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		return nil
	})
	t.calls = slices.Concat(took...)
	slices.Sort(t.calls)
	return t, err
}

func (c *contest) ask(conn *client, file string, times int) ([]time.Duration, error) {
	took := make([]time.Duration, times)
	for i := range took {
		start := time.Now()
		a, err := conn.do(c.dialect.small(file), nil)
		if err != nil {
			return nil, err
		}
		if a.status != http.StatusOK {
			return nil, fmt.Errorf("status %d", a.status)
		}
		took[i] = time.Since(start)
	}
	return took, nil
}
