// Package bearer is the memory of secrets that open something for whoever
// presents them: tokens and sessions. It says in well under a microsecond, and
// without a write, whether one is still good; it moves the expiry of those in
// use, notes when they were last used, and makes all that durable behind the
// request's back.
//
// It knows hashes only. What a secret opens, how it is spelled and who else must
// prove what are the rules of its users.
//
// The table in memory is what counts. Denials happen there first and are then
// made durable; everything else is made durable first and then shows here.
// This holds as long as one process uses the store, which the store sees to.
package bearer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// Store keeps secrets over restarts.
type Store interface {
	// Renew moves the expiry of a secret that is not revoked and still expires at
	// from, and reports whether there was one.
	Renew(ctx context.Context, hash mesh.TokenHash, from, to time.Time) (bool, error)
	// Expiry is when the secret expires, and whether there is one that is not
	// revoked.
	Expiry(ctx context.Context, hash mesh.TokenHash) (time.Time, bool, error)
	// Touch notes when secrets were last used.
	Touch(ctx context.Context, used map[mesh.TokenHash]time.Time) error
}

// Config is what a Table needs. All of it is required. The policy must give
// secrets a life that is longer than its time of renewal, or every use would
// renew.
type Config struct {
	Store  Store
	Policy mesh.TokenPolicy
	Log    hclog.Logger
	Now    func() time.Time
}

// Table holds secrets, each with a T that its user keeps there. It is safe for
// concurrent use. Run must run for renewals, last uses and denials that failed
// at first to be stored.
type Table[T any] struct {
	Config

	entries  atomic.Pointer[entries[T]]
	policy   atomic.Pointer[mesh.TokenPolicy]
	renewals chan *Entry[T]
	wake     chan struct{} // there are unsaved denials

	mu      sync.Mutex                  // one change of the entries at a time
	barred  map[mesh.DeviceID]time.Time // no secret issued before may appear any more
	unsaved map[string]*denial
}

// entries are never changed once they are in use; a change is a new map.
type entries[T any] map[mesh.TokenHash]*Entry[T]

// RenewalQueue bounds the renewals that wait for Run; a use that finds it full
// leaves the renewal to a later use.
const RenewalQueue = 256

// New returns a Table of the secrets that are stored.
func New[T any](c Config, stored []Secret[T]) (*Table[T], error) {
	if c.Store == nil || c.Log == nil || c.Now == nil {
		return nil, errors.New("store, log and clock are required")
	}
	all := make(entries[T], len(stored))
	for _, s := range stored {
		all[s.Hash] = newEntry(s)
	}
	t := &Table[T]{
		Config:   c,
		renewals: make(chan *Entry[T], RenewalQueue),
		wake:     make(chan struct{}, 1),
		barred:   make(map[mesh.DeviceID]time.Time),
		unsaved:  make(map[string]*denial),
	}
	t.entries.Store(&all)
	return t, t.SetPolicy(c.Policy)
}

// Policy is how long secrets live from now on.
func (t *Table[T]) Policy() mesh.TokenPolicy { return *t.policy.Load() }

// SetPolicy changes how long secrets live: those issued from now on, and the
// others from their next renewal on. On an error the policy stays as it was.
func (t *Table[T]) SetPolicy(p mesh.TokenPolicy) error {
	if p.RenewWithin < 0 || p.Lifetime <= p.RenewWithin {
		return fmt.Errorf("policy: lifetime %v must be longer than the %v of renewal", p.Lifetime, p.RenewWithin)
	}
	t.policy.Store(&p)
	return nil
}

// Find returns the entry of a secret, or nil. Looking up a hash cannot be timed:
// nobody can steer which bytes of it agree with those of a valid one.
func (t *Table[T]) Find(hash mesh.TokenHash) *Entry[T] { return (*t.entries.Load())[hash] }

// Live returns the secrets that open something right now, in no order, with
// their expiry and last use as of now.
func (t *Table[T]) Live() []Secret[T] {
	now := t.Now()
	var live []Secret[T]
	for _, e := range *t.entries.Load() {
		if e.refusal(now) != nil {
			continue
		}
		s := e.secret
		s.ExpiresAt, s.LastUsedAt = e.expiry(), e.lastUse()
		live = append(live, s)
	}
	return live
}

// Add makes a stored secret good. Those of its holder that have expired go.
func (t *Table[T]) Add(s Secret[T]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.Now()
	t.change(s, func(e *Entry[T]) bool { return e.secret.Holder == s.Holder && !now.Before(e.expiry()) })
}

// Replace makes a stored secret good, and every earlier one of its holder
// unknown. One that was issued before its holder was denied or forgotten stays
// denied, because that word came later than the secret, if not than whatever
// stored it: then Replace returns when the word came, else the zero time.
func (t *Table[T]) Replace(s Secret[T]) (barred time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	// A bar in the future is from before the clock was set back: it no longer
	// tells what came first.
	if at, ok := t.barred[s.Holder]; ok && s.IssuedAt.Before(at) && !at.After(t.Now()) {
		s.Revoked, barred = true, at
	} else {
		delete(t.barred, s.Holder)
	}
	t.change(s, func(e *Entry[T]) bool { return e.secret.Holder == s.Holder })
	return barred
}

// change takes one secret in and leaves others out. The caller holds mu.
func (t *Table[T]) change(in Secret[T], out func(*Entry[T]) bool) {
	next := t.without(out)
	next[in.Hash] = newEntry(in)
	t.entries.Store(&next)
}

// without copies the entries except for some. The caller holds mu.
func (t *Table[T]) without(out func(*Entry[T]) bool) entries[T] {
	next := maps.Clone(*t.entries.Load())
	maps.DeleteFunc(next, func(_ mesh.TokenHash, e *Entry[T]) bool { return out(e) })
	return next
}

// Deny makes every secret of the holder open nothing from now on, also those
// that were issued before and are yet to appear. It returns the time of that.
func (t *Table[T]) Deny(holder mesh.DeviceID) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := t.bar(holder)
	for _, e := range *t.entries.Load() {
		if e.secret.Holder == holder {
			e.Deny()
		}
	}
	return at
}

// Forget drops every secret of the holder, also those that were issued before
// and are yet to appear.
func (t *Table[T]) Forget(holder mesh.DeviceID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bar(holder)
	next := t.without(func(e *Entry[T]) bool { return e.secret.Holder == holder })
	t.entries.Store(&next)
}

func (t *Table[T]) bar(holder mesh.DeviceID) time.Time {
	at := Instant(t.Now())
	t.barred[holder] = at
	return at
}

// Drop forgets one secret.
func (t *Table[T]) Drop(hash mesh.TokenHash) {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := t.without(func(e *Entry[T]) bool { return e.secret.Hash == hash })
	t.entries.Store(&next)
}

// Instant is a time in the form that the store keeps.
func Instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
