// Package maintenance keeps a gateway tidy by itself, once a day: devices that
// nobody has seen for long are put away, tokens, sessions and pairings whose time
// is over are swept, the database is optimised. What it did it tells in plain
// words. It decides nothing about devices that are in use, and deletes nothing
// that could still open something.
package maintenance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/core/internal/store"
)

const (
	// first is how long after the start the first work is done: the devices that
	// are there have been seen by then.
	first = time.Minute
	// every is the time between two works.
	every = 24 * time.Hour
	// look is how often it is asked whether a day has gone by. A machine that
	// sleeps stops timers, but not the calendar.
	look = 10 * time.Minute
	// grace is how long what has expired is kept, so that a clock that was wrong
	// for a moment costs nobody a pairing.
	grace = 24 * time.Hour
)

// Devices is the list of the other devices.
type Devices interface {
	// Archive puts away those that nobody has seen for long, and says how many.
	Archive(ctx context.Context) (int, error)
}

// Store is the database.
type Store interface {
	// Expire deletes what has been of no use since before the time given.
	Expire(ctx context.Context, before time.Time) (store.Swept, error)
	// Optimize makes the database quick and small, and says how many bytes it gave
	// back.
	Optimize(ctx context.Context) (int64, error)
}

// Options are what a Service needs.
type Options struct {
	Devices Devices
	Store   Store
	Note    func(ctx context.Context, a mesh.Activity) // keeps what was done, for the owner
	Now     func() time.Time
	Log     hclog.Logger
}

// Service does the work.
type Service struct{ Options }

// New returns a Service.
func New(o Options) *Service { return &Service{o} }

// Run works soon after the start and then daily, until ctx ends. What fails is
// logged and tried again the next day.
func (s *Service) Run(ctx context.Context) error {
	wait := first
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		wait = look
		now := s.Now().Round(0) // by the calendar
		if age := now.Sub(last); 0 <= age && age < every {
			continue
		}
		last = now
		if err := s.Work(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("maintenance was not finished, it goes on tomorrow", "error", err)
		}
	}
}

// Work does everything once. A step that fails does not keep the others from
// their work.
func (s *Service) Work(ctx context.Context) error {
	begin := time.Now()
	archived, failed := s.Devices.Archive(ctx)
	swept, err := s.sweep(ctx)
	failed = errors.Join(failed, err)
	freed, err := s.optimize(ctx)
	failed = errors.Join(failed, err)
	s.Log.Info("maintenance done", "archived", archived, "tokens", swept.Tokens, "sessions", swept.Sessions,
		"pairings", swept.Pairings, "freed_bytes", freed, "took", time.Since(begin).Round(time.Millisecond))
	return failed
}

func (s *Service) sweep(ctx context.Context) (store.Swept, error) {
	swept, err := s.Store.Expire(ctx, s.Now().Add(-grace))
	if err != nil {
		return swept, err
	}
	if n := swept.Tokens + swept.Sessions; n > 0 {
		s.note(ctx, "access.swept", count(n, "expired access was", "expired accesses were")+" cleared away.")
	}
	if n := swept.Pairings; n > 0 {
		s.note(ctx, "pairings.swept", count(n, "pairing that was never finished was", "pairings that were never finished were")+" cleared away.")
	}
	return swept, nil
}

// worthTelling is the least number of bytes given back that is told to people.
const worthTelling = 1 << 20

func (s *Service) optimize(ctx context.Context) (int64, error) {
	freed, err := s.Store.Optimize(ctx)
	if err == nil && freed >= worthTelling {
		s.note(ctx, "database.optimized", fmt.Sprintf("Salita tidied its database and gave %.1f MB back.", float64(freed)/1e6))
	}
	return freed, err
}

func (s *Service) note(ctx context.Context, name, words string) {
	s.Note(ctx, mesh.Activity{At: s.Now(), Name: name, Words: words})
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
