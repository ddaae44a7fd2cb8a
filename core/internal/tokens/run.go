package tokens

import (
	"context"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

const (
	// flushEvery is how often last uses are stored: rarely enough to cost
	// nothing, often enough for "last used 3 minutes ago" to be true.
	flushEvery = 45 * time.Second
	// storeTimeout bounds one visit to the store.
	storeTimeout = 10 * time.Second
	// tellFor is how long after a renewal the holder is told of it, because a
	// reply may get lost.
	tellFor = 5 * time.Minute
	// retryRenewal is how long a renewal that failed is left alone; the old
	// expiry still holds, and the store may be in trouble.
	retryRenewal = time.Minute
)

// Run stores renewals as they come, last uses from time to time, and
// revocations that could not be stored at first. When ctx ends it stores what
// is left and returns nil; failures are logged, not returned, because every one
// of them mends itself or is harmless.
func (s *Service) Run(ctx context.Context) error {
	flush := time.NewTicker(flushEvery)
	defer flush.Stop()
	for {
		select {
		case <-ctx.Done():
			s.finish(ctx)
			return nil
		case e := <-s.renewals:
			s.visit(ctx, func(ctx context.Context) { s.storeRenewal(ctx, e) })
		case <-s.wake:
			s.visit(ctx, s.saveRevocations)
		case <-flush.C:
			s.visit(ctx, s.saveRevocations)
			s.visit(ctx, s.storeUses)
		}
	}
}

// visit lets a write that has begun finish when Run is told to stop.
func (s *Service) visit(ctx context.Context, do func(context.Context)) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	do(ctx)
}

func (s *Service) finish(ctx context.Context) {
	s.visit(ctx, s.saveRevocations)
	for len(s.renewals) > 0 {
		e := <-s.renewals
		s.visit(ctx, func(ctx context.Context) { s.storeRenewal(ctx, e) })
	}
	s.visit(ctx, s.storeUses)
}

// storeRenewal commits a renewal and then makes it count.
func (s *Service) storeRenewal(ctx context.Context, e *entry) {
	device, from, to := e.token.DeviceID, e.expiry(), e.renewal.Load().expires
	renewed, err := s.store.RenewToken(ctx, e.token.Hash, from, to)
	switch {
	case err != nil:
		s.log.Warn("could not renew token", "device", device, "error", err)
		e.renewal.Store(&renewal{until: s.now().Add(retryRenewal)})
	case !renewed:
		s.reconcile(ctx, e)
	default:
		e.expires.Store(to.UnixMicro())
		e.renewal.Store(&renewal{expires: to, until: s.now().Add(tellFor)})
		s.log.Debug("token renewed", "device", device, "expires", to)
	}
}

// reconcile takes over what the store has of a token, after it turned out that
// memory has something else: it was replaced, revoked or moved meanwhile.
func (s *Service) reconcile(ctx context.Context, e *entry) {
	e.renewal.Store(&renewal{until: s.now().Add(retryRenewal)})
	stored, err := s.store.IssuedTokens(ctx)
	if err != nil {
		s.log.Warn("could not look up token", "device", e.token.DeviceID, "error", err)
		return
	}
	for _, token := range stored {
		if token.Hash == e.token.Hash && token.RevokedAt.IsZero() {
			e.expires.Store(token.ExpiresAt.UnixMicro())
			return
		}
	}
	e.denied.Store(true)
	s.log.Warn("token is no longer stored, so it opens nothing", "device", e.token.DeviceID)
}

// storeUses stores the last uses that have changed since the last time.
func (s *Service) storeUses(ctx context.Context) {
	used := make(map[mesh.TokenHash]time.Time)
	entries := *s.table.Load()
	for hash, e := range entries {
		if e.used.Load() != e.saved.Load() {
			used[hash] = e.lastUse()
		}
	}
	if len(used) == 0 {
		return
	}
	if err := s.store.TouchTokens(ctx, used); err != nil {
		s.log.Warn("could not store when tokens were last used", "tokens", len(used), "error", err)
		return
	}
	for hash, at := range used {
		entries[hash].saved.Store(at.UnixMicro())
	}
}
