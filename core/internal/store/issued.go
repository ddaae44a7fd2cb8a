package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// issuedRow is a token given to another device.
type issuedRow struct {
	TokenHash   digest `gorm:"primaryKey"`
	NodeID      string
	KeyHash     digest
	Permissions list
	IssuedAt    time.Time
	ExpiresAt   time.Time
	LastUsedAt  *time.Time
	RevokedAt   *time.Time
}

// TableName implements schema.Tabler.
func (issuedRow) TableName() string { return "issued_tokens" }

func rowOfIssued(t mesh.IssuedToken) issuedRow {
	return issuedRow{
		TokenHash:   digest(t.Hash),
		NodeID:      string(t.DeviceID),
		KeyHash:     digest(t.Key),
		Permissions: t.Permissions.Strings(),
		IssuedAt:    stored(t.IssuedAt),
		ExpiresAt:   stored(t.ExpiresAt),
		LastUsedAt:  storedOrNull(t.LastUsedAt),
		RevokedAt:   storedOrNull(t.RevokedAt),
	}
}

func (r issuedRow) token() mesh.IssuedToken {
	return mesh.IssuedToken{
		Hash:        mesh.TokenHash(r.TokenHash),
		DeviceID:    mesh.DeviceID(r.NodeID),
		Key:         mesh.KeyHash(r.KeyHash),
		Permissions: grantOf(r.Permissions),
		IssuedAt:    r.IssuedAt,
		ExpiresAt:   r.ExpiresAt,
		LastUsedAt:  orZero(r.LastUsedAt),
		RevokedAt:   orZero(r.RevokedAt),
	}
}

// grantOf takes the permissions as they are: one that is malformed allows
// nothing, and must not keep the gateway from starting.
func grantOf(permissions list) mesh.Grant {
	grant := make(mesh.Grant, len(permissions))
	for i, p := range permissions {
		grant[i] = mesh.Permission(p)
	}
	return grant
}

// IssuedTokens returns every token given out and not yet replaced, also expired
// and revoked ones, the oldest first.
func (s *Store) IssuedTokens(ctx context.Context) ([]mesh.IssuedToken, error) {
	rows, err := gorm.G[issuedRow](s.read).Order("issued_at, node_id").Find(ctx)
	if err != nil {
		return nil, wrap("list issued tokens", err)
	}
	tokens := make([]mesh.IssuedToken, len(rows))
	for i, row := range rows {
		tokens[i] = row.token()
	}
	return tokens, nil
}

// RevokeTokens ends every token of the device as of the time given; one that
// was revoked before keeps its time. It is on disk when RevokeTokens returns.
// It returns sdk.NotFound for a device that is not there.
func (s *Store) RevokeTokens(ctx context.Context, id mesh.DeviceID, at time.Time) error {
	err := s.write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if _, err := gorm.G[deviceRow](tx).Select("id").Where("id = ?", string(id)).Take(ctx); err != nil {
			return orNoDevice(id, err)
		}
		_, err := gorm.G[issuedRow](tx).Where("node_id = ? AND revoked_at IS NULL", string(id)).
			Update(ctx, "revoked_at", stored(at))
		return err
	})
	return wrap("revoke tokens", err)
}

// RenewToken moves a token's expiry, provided that it is not revoked and still
// expires when the caller thinks it does. It reports whether that was so.
func (s *Store) RenewToken(ctx context.Context, hash mesh.TokenHash, from, to time.Time) (bool, error) {
	n, err := gorm.G[issuedRow](s.write).
		Where("token_hash = ? AND revoked_at IS NULL AND expires_at = ?", digest(hash), stored(from)).
		Update(ctx, "expires_at", stored(to))
	return n == 1, wrap("renew token", err)
}

// touchChunk bounds how many tokens one transaction stamps, so that a
// revocation never waits long behind stamps.
const touchChunk = 100

// TouchTokens notes when tokens were last used. A stamp older than the one
// stored, or of a token that is gone, is dropped. Tokens are stamped in
// transactions of touchChunk: after an error some may have been.
func (s *Store) TouchTokens(ctx context.Context, used map[mesh.TokenHash]time.Time) error {
	return wrap("stamp tokens", touch[issuedRow](ctx, s.write, "token_hash", used))
}

// touch stamps the rows whose column holds the hashes.
func touch[Row any](ctx context.Context, db *gorm.DB, column string, used map[mesh.TokenHash]time.Time) error {
	hashes := slices.Collect(maps.Keys(used))
	for chunk := range slices.Chunk(hashes, touchChunk) {
		err := db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			for _, hash := range chunk {
				at := stored(used[hash])
				_, err := gorm.G[Row](tx).
					Where(column+" = ? AND (last_used_at IS NULL OR last_used_at < ?)", digest(hash), at).
					Update(ctx, "last_used_at", at)
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
