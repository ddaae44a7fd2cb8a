package bearer

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// Why a secret opens nothing. The differences are for the log; a caller learns
// none of them.
var (
	ErrRevoked = errors.New("was revoked")
	ErrExpired = errors.New("has expired")
)

// Secret is one secret as it is stored.
type Secret[T any] struct {
	Hash       mesh.TokenHash
	Holder     mesh.DeviceID // whose it is; "" when no device's
	Data       T             // what its user keeps with it
	IssuedAt   time.Time
	ExpiresAt  time.Time
	LastUsedAt time.Time // zero when never
	Revoked    bool
}

// Entry is one secret in memory. Times are microseconds since 1970, the finest
// that the store keeps.
type Entry[T any] struct {
	secret  Secret[T]    // as loaded or added; its expiry and last use may be old
	denied  atomic.Bool  // for good
	expires atomic.Int64 // as stored
	used    atomic.Int64 // last use; 0: never
	saved   atomic.Int64 // last use as stored
	renewal atomic.Pointer[renewal]
}

// renewal is what there is to know of a secret's latest renewal. It is never
// changed, only replaced.
type renewal struct {
	pending bool      // on its way to the store
	expires time.Time // the new expiry; zero when the renewal failed
	until   time.Time // tell the holder until then; after a failure: leave it be until then
}

func newEntry[T any](s Secret[T]) *Entry[T] {
	e := &Entry[T]{secret: s}
	e.denied.Store(s.Revoked)
	e.expires.Store(s.ExpiresAt.UnixMicro())
	if !s.LastUsedAt.IsZero() {
		e.used.Store(s.LastUsedAt.UnixMicro())
		e.saved.Store(s.LastUsedAt.UnixMicro())
	}
	return e
}

// Data is what the user of the table keeps with the secret. It is shared: it
// must not be changed except by means that are safe for concurrent use.
func (e *Entry[T]) Data() *T { return &e.secret.Data }

// Deny makes the secret open nothing from now on.
func (e *Entry[T]) Deny() { e.denied.Store(true) }

// refusal is why the secret opens nothing; nil when it does.
func (e *Entry[T]) refusal(now time.Time) error {
	switch {
	case e.denied.Load():
		return ErrRevoked
	case !now.Before(e.expiry()):
		return ErrExpired
	}
	return nil
}

func (e *Entry[T]) expiry() time.Time { return time.UnixMicro(e.expires.Load()).UTC() }

func (e *Entry[T]) lastUse() time.Time {
	used := e.used.Load()
	if used == 0 {
		return time.Time{}
	}
	return time.UnixMicro(used).UTC()
}

// stampStep is how far apart two noted uses are, so that a busy secret does not
// make its processors fight over one cache line.
const stampStep = time.Second

func (e *Entry[T]) stamp(now time.Time) {
	if at := now.UnixMicro(); at-e.used.Load() >= stampStep.Microseconds() {
		e.used.Store(at)
	}
}
