package tokens

import (
	"context"
	"time"

	"github.com/salita-mesh/salita/core/internal/bearer"
	"github.com/salita-mesh/salita/core/internal/mesh"
)

// secretOf is a token as the table takes it.
func secretOf(token mesh.IssuedToken) bearer.Secret[mesh.IssuedToken] {
	return bearer.Secret[mesh.IssuedToken]{
		Hash:       token.Hash,
		Holder:     token.DeviceID,
		Data:       token,
		IssuedAt:   token.IssuedAt,
		ExpiresAt:  token.ExpiresAt,
		LastUsedAt: token.LastUsedAt,
		Revoked:    !token.RevokedAt.IsZero(),
	}
}

// stored is a Store as the table wants it.
type stored struct{ Store }

var _ bearer.Store = stored{}

// Renew implements bearer.Store.
func (s stored) Renew(ctx context.Context, hash mesh.TokenHash, from, to time.Time) (bool, error) {
	return s.RenewToken(ctx, hash, from, to)
}

// Expiry implements bearer.Store.
func (s stored) Expiry(ctx context.Context, hash mesh.TokenHash) (time.Time, bool, error) {
	all, err := s.IssuedTokens(ctx)
	for _, token := range all {
		if token.Hash == hash {
			return token.ExpiresAt, token.RevokedAt.IsZero(), err
		}
	}
	return time.Time{}, false, err
}

// Touch implements bearer.Store.
func (s stored) Touch(ctx context.Context, used map[mesh.TokenHash]time.Time) error {
	return s.TouchTokens(ctx, used)
}
