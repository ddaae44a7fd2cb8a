package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// peerRow is a token that another gateway gave us.
type peerRow struct {
	NodeID      string `gorm:"primaryKey"`
	SealedToken []byte
	Permissions list
	ExpiresAt   time.Time
}

// TableName implements schema.Tabler.
func (peerRow) TableName() string { return "peer_tokens" }

// sealContext binds a sealed value to its table, column and row: copied to
// another place it does not open.
func sealContext(table, column string, key ...string) []byte {
	// Lengths keep apart keys that would read the same when joined.
	context := fmt.Appendf(nil, "%s.%s", table, column)
	for _, k := range key {
		context = fmt.Appendf(context, "/%d:%s", len(k), k)
	}
	return context
}

func peerContext(node string) []byte { return sealContext("peer_tokens", "sealed_token", node) }

func (s *Store) rowOfPeer(t mesh.PeerToken) (peerRow, error) {
	sealed, err := s.Sealer.Seal([]byte(t.Token), peerContext(string(t.DeviceID)))
	if err != nil {
		return peerRow{}, fmt.Errorf("seal token: %w", err)
	}
	return peerRow{
		NodeID:      string(t.DeviceID),
		SealedToken: sealed,
		Permissions: t.Permissions.Strings(),
		ExpiresAt:   stored(t.ExpiresAt),
	}, nil
}

// PeerToken returns the token with which we may call the device. It returns
// sdk.NeedsRepair when there is none, or none that still opens because the
// device key is another.
func (s *Store) PeerToken(ctx context.Context, id mesh.DeviceID) (mesh.PeerToken, error) {
	row, err := gorm.G[peerRow](s.read).Where("node_id = ?", string(id)).Take(ctx)
	if err != nil {
		return mesh.PeerToken{}, wrap("read peer token", orNoPeerToken(err))
	}
	token, err := s.Sealer.Open(row.SealedToken, peerContext(row.NodeID))
	if err != nil {
		return mesh.PeerToken{}, wrap("open peer token", noPeerToken(err))
	}
	return mesh.PeerToken{
		DeviceID:    mesh.DeviceID(row.NodeID),
		Token:       string(token),
		Permissions: grantOf(row.Permissions),
		ExpiresAt:   row.ExpiresAt,
	}, nil
}

// PeerTokens lists the tokens held for calling others, without the tokens
// themselves.
func (s *Store) PeerTokens(ctx context.Context) ([]mesh.PeerToken, error) {
	rows, err := gorm.G[peerRow](s.read).Select("node_id", "permissions", "expires_at").Order("node_id").Find(ctx)
	if err != nil {
		return nil, wrap("list peer tokens", err)
	}
	tokens := make([]mesh.PeerToken, len(rows))
	for i, row := range rows {
		tokens[i] = mesh.PeerToken{
			DeviceID:    mesh.DeviceID(row.NodeID),
			Permissions: grantOf(row.Permissions),
			ExpiresAt:   row.ExpiresAt,
		}
	}
	return tokens, nil
}

// SetPeerTokenExpiry notes the expiry that the issuer told us. It returns
// sdk.NeedsRepair when we hold no token of the device.
func (s *Store) SetPeerTokenExpiry(ctx context.Context, id mesh.DeviceID, expires time.Time) error {
	n, err := gorm.G[peerRow](s.write).Where("node_id = ?", string(id)).Update(ctx, "expires_at", stored(expires))
	if err == nil && n == 0 {
		err = noPeerToken(gorm.ErrRecordNotFound)
	}
	return wrap("set peer token expiry", err)
}

func noPeerToken(cause error) error {
	return (&sdk.Error{Kind: sdk.NeedsRepair}).Because(cause)
}

func orNoPeerToken(err error) error {
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return noPeerToken(err)
	}
	return err
}

// deleteTokens removes the tokens of the device, given and received, and its
// sessions.
func deleteTokens(ctx context.Context, tx *gorm.DB, node string) error {
	if err := deleteSessions(ctx, tx, node); err != nil {
		return err
	}
	if _, err := gorm.G[issuedRow](tx).Where("node_id = ?", node).Delete(ctx); err != nil {
		return err
	}
	_, err := gorm.G[peerRow](tx).Where("node_id = ?", node).Delete(ctx)
	return err
}
