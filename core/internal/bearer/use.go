package bearer

import "time"

// Use is one use of a secret: it fails with ErrRevoked or ErrExpired, and
// otherwise returns the expiry and whether the holder should be told of it,
// because this or a recent use has moved it. For the moment that the store
// needs, a new expiry is told but not yet relied on; should the store fail, the
// old one stays and a later use renews again. Use does no I/O and allocates only
// when it renews.
func (t *Table[T]) Use(e *Entry[T]) (expires time.Time, renewed bool, err error) {
	now := t.Now()
	if err := e.refusal(now); err != nil {
		return time.Time{}, false, err
	}
	e.stamp(now)
	expires, renewed = t.renew(e, now)
	return expires, renewed, nil
}

// renew starts a renewal if this use earns one. It returns the expiry to tell
// the holder, and whether it is news.
func (t *Table[T]) renew(e *Entry[T], now time.Time) (expires time.Time, news bool) {
	// Before the expiry, because a finished renewal sets them in the other
	// order: whoever sees it finished sees its expiry too.
	last := e.renewal.Load()
	expires = e.expiry()
	if last != nil && last.pending {
		return last.expires, true
	}
	recent := last != nil && now.Before(last.until)
	failed := last != nil && last.expires.IsZero()
	if to, due := t.Policy().Renewal(expires, now); due && !(recent && failed) {
		return t.queue(e, last, expires, Instant(to))
	}
	return expires, recent && !failed
}

// queue hands a renewal to Run, unless another use was faster or too many wait.
func (t *Table[T]) queue(e *Entry[T], last *renewal, from, to time.Time) (expires time.Time, news bool) {
	next := &renewal{pending: true, expires: to}
	if !e.renewal.CompareAndSwap(last, next) {
		return from, false
	}
	select {
	case t.renewals <- e:
		return to, true
	default:
		e.renewal.Store(last)
		return from, false
	}
}
