package tokens

import (
	"errors"
	"fmt"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// Why a token opens nothing. The differences are for the log; a caller learns
// none of them.
var (
	ErrMalformed = errors.New("not a token")
	ErrUnknown   = errors.New("unknown token")
	ErrRevoked   = errors.New("token was revoked")
	ErrExpired   = errors.New("token has expired")
	ErrWrongKey  = errors.New("token belongs to another key")
)

// Verified is what a valid token says about its holder.
type Verified struct {
	DeviceID    mesh.DeviceID
	Permissions mesh.Grant // shared: not to be changed
	ExpiresAt   time.Time
	// Renewed means that the holder should be told ExpiresAt, because this or a
	// recent use has moved it. For the moment that the store needs, the new
	// expiry is told but not yet relied on; should the store fail, the old one
	// stays and a later use renews again.
	Renewed bool
}

// Verify checks a presented token and the key that its bearer proved by mutual
// TLS, zero for none. It does no I/O, and for a valid token allocates nothing;
// it keeps neither slice nor contents. The error wraps one of the Err values.
func (s *Service) Verify(token []byte, key mesh.KeyHash) (Verified, error) {
	hash, ok := mesh.HashToken(token)
	if !ok {
		return Verified{}, ErrMalformed
	}
	// Looking up a hash cannot be timed: nobody can steer which bytes of it
	// agree with those of a valid one.
	e := (*s.table.Load())[hash]
	if e == nil {
		return Verified{}, ErrUnknown
	}
	now := s.now()
	if err := e.refusal(key, now); err != nil {
		return Verified{}, fmt.Errorf("%w: device %s", err, e.token.DeviceID)
	}
	e.stamp(now)
	expires, renewed := s.renew(e, now)
	return Verified{
		DeviceID:    e.token.DeviceID,
		Permissions: e.token.Permissions,
		ExpiresAt:   expires,
		Renewed:     renewed,
	}, nil
}

// refusal is why the token opens nothing for who proved the key; nil when it
// does.
func (e *entry) refusal(key mesh.KeyHash, now time.Time) error {
	switch {
	case !e.token.Key.IsZero() && e.token.Key != key:
		return ErrWrongKey
	case e.denied.Load():
		return ErrRevoked
	case !now.Before(e.expiry()):
		return ErrExpired
	}
	return nil
}

// renew starts a renewal if this use earns one. It returns the expiry to tell
// the holder, and whether it is news.
func (s *Service) renew(e *entry, now time.Time) (expires time.Time, news bool) {
	// Before the expiry, because a finished renewal sets them in the other
	// order: whoever sees it finished sees its expiry too.
	last := e.renewal.Load()
	expires = e.expiry()
	if last != nil && last.pending {
		return last.expires, true
	}
	recent := last != nil && now.Before(last.until)
	failed := last != nil && last.expires.IsZero()
	if to, due := s.policy.Renewal(expires, now); due && !(recent && failed) {
		to = instant(to)
		return s.queue(e, last, expires, to)
	}
	return expires, recent && !failed
}

// queue hands a renewal to Run, unless another use was faster or too many wait.
func (s *Service) queue(e *entry, last *renewal, from, to time.Time) (expires time.Time, news bool) {
	next := &renewal{pending: true, expires: to}
	if !e.renewal.CompareAndSwap(last, next) {
		return from, false
	}
	select {
	case s.renewals <- e:
		return to, true
	default:
		e.renewal.Store(last)
		return from, false
	}
}
