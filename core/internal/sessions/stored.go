package sessions

import (
	"context"
	"time"

	"github.com/salita-mesh/salita/core/internal/bearer"
	"github.com/salita-mesh/salita/core/internal/mesh"
)

// secretOf is a session as the table takes it.
func secretOf(session mesh.Session) bearer.Secret[*record] {
	r := &record{session: session}
	r.manage.Store(session.Manage)
	return bearer.Secret[*record]{
		Hash:       session.Hash,
		Holder:     session.DeviceID,
		Data:       r,
		IssuedAt:   session.CreatedAt,
		ExpiresAt:  session.ExpiresAt,
		LastUsedAt: session.LastUsedAt,
	}
}

// stored is a Store as the table wants it.
type stored struct{ Store }

var _ bearer.Store = stored{}

// Renew implements bearer.Store.
func (s stored) Renew(ctx context.Context, hash mesh.TokenHash, from, to time.Time) (bool, error) {
	return s.RenewSession(ctx, hash, from, to)
}

// Expiry implements bearer.Store. A session that has ended is not stored.
func (s stored) Expiry(ctx context.Context, hash mesh.TokenHash) (time.Time, bool, error) {
	all, err := s.Sessions(ctx)
	for _, session := range all {
		if session.Hash == hash {
			return session.ExpiresAt, true, err
		}
	}
	return time.Time{}, false, err
}

// Touch implements bearer.Store.
func (s stored) Touch(ctx context.Context, used map[mesh.TokenHash]time.Time) error {
	return s.TouchSessions(ctx, used)
}
