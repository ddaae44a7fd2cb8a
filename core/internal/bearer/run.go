package bearer

import (
	"context"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

const (
	// FlushEvery is how often last uses are stored: rarely enough to cost
	// nothing, often enough for "last used 3 minutes ago" to be true.
	FlushEvery = 45 * time.Second
	// TellFor is how long after a renewal the holder is told of it, because a
	// reply may get lost.
	TellFor = 5 * time.Minute
	// RetryRenewal is how long a renewal that failed is left alone; the old
	// expiry still holds, and the store may be in trouble.
	RetryRenewal = time.Minute
	// storeTimeout bounds one visit to the store.
	storeTimeout = 10 * time.Second
)

// Run stores renewals as they come, last uses from time to time, and denials
// that could not be stored at first. When ctx ends it stores what is left and
// returns nil; failures are logged, not returned, because every one of them
// mends itself or is harmless.
func (t *Table[T]) Run(ctx context.Context) error {
	flush := time.NewTicker(FlushEvery)
	defer flush.Stop()
	for {
		select {
		case <-ctx.Done():
			t.finish(ctx)
			return nil
		case e := <-t.renewals:
			t.storeRenewal(ctx, e)
		case <-t.wake:
			t.saveDenials(ctx)
		case <-flush.C:
			t.saveDenials(ctx)
			t.storeUses(ctx)
		}
	}
}

func (t *Table[T]) finish(ctx context.Context) {
	t.saveDenials(ctx)
	for len(t.renewals) > 0 {
		t.storeRenewal(ctx, <-t.renewals)
	}
	t.storeUses(ctx)
}

// visiting lets a write that has begun finish when its caller goes away or Run
// is told to stop.
func visiting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
}

// storeRenewal commits a renewal and then makes it count.
func (t *Table[T]) storeRenewal(ctx context.Context, e *Entry[T]) {
	ctx, cancel := visiting(ctx)
	defer cancel()
	holder, from, to := e.secret.Holder, e.expiry(), e.renewal.Load().expires
	renewed, err := t.Store.Renew(ctx, e.secret.Hash, from, to)
	switch {
	case err != nil:
		t.Log.Warn("could not renew", "device", holder, "error", err)
		e.renewal.Store(&renewal{until: t.Now().Add(RetryRenewal)})
	case !renewed:
		t.reconcile(ctx, e)
	default:
		e.expires.Store(to.UnixMicro())
		e.renewal.Store(&renewal{expires: to, until: t.Now().Add(TellFor)})
		t.Log.Debug("renewed", "device", holder, "expires", to)
	}
}

// reconcile takes over what the store has of a secret, after it turned out that
// memory has something else: it was replaced, revoked or moved meanwhile.
func (t *Table[T]) reconcile(ctx context.Context, e *Entry[T]) {
	e.renewal.Store(&renewal{until: t.Now().Add(RetryRenewal)})
	expires, live, err := t.Store.Expiry(ctx, e.secret.Hash)
	switch {
	case err != nil:
		t.Log.Warn("could not look up what is stored", "device", e.secret.Holder, "error", err)
	case live:
		e.expires.Store(expires.UnixMicro())
	default:
		e.Deny()
		t.Log.Warn("no longer stored, so it opens nothing", "device", e.secret.Holder)
	}
}

// storeUses stores the last uses that have changed since the last time.
func (t *Table[T]) storeUses(ctx context.Context) {
	used := make(map[mesh.TokenHash]time.Time)
	all := *t.entries.Load()
	for hash, e := range all {
		if e.used.Load() != e.saved.Load() {
			used[hash] = e.lastUse()
		}
	}
	if len(used) == 0 {
		return
	}
	ctx, cancel := visiting(ctx)
	defer cancel()
	if err := t.Store.Touch(ctx, used); err != nil {
		t.Log.Warn("could not store last uses", "count", len(used), "error", err)
		return
	}
	for hash, at := range used {
		all[hash].saved.Store(at.UnixMicro())
	}
}
