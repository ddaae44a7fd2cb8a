package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// sessionRow is a browser that is signed in.
type sessionRow struct {
	ID          string `gorm:"primaryKey"`
	SecretHash  digest
	Kind        string
	DeviceID    *string
	Permissions list
	Manage      bool
	Description string
	CreatedAt   time.Time
	ExpiresAt   time.Time
	LastUsedAt  *time.Time
}

// TableName implements schema.Tabler.
func (sessionRow) TableName() string { return "sessions" }

func rowOfSession(s mesh.Session) sessionRow {
	row := sessionRow{
		ID:          string(s.ID),
		SecretHash:  digest(s.Hash),
		Kind:        string(s.Kind),
		Permissions: s.Permissions.Strings(),
		Manage:      s.Manage,
		Description: s.Description,
		CreatedAt:   stored(s.CreatedAt),
		ExpiresAt:   stored(s.ExpiresAt),
		LastUsedAt:  storedOrNull(s.LastUsedAt),
	}
	if s.DeviceID != "" {
		row.DeviceID = (*string)(&s.DeviceID)
	}
	return row
}

func (r sessionRow) session() mesh.Session {
	s := mesh.Session{
		ID:          mesh.SessionID(r.ID),
		Hash:        mesh.TokenHash(r.SecretHash),
		Kind:        mesh.SessionKind(r.Kind),
		Permissions: grantOf(r.Permissions),
		Manage:      r.Manage,
		Description: r.Description,
		CreatedAt:   r.CreatedAt,
		ExpiresAt:   r.ExpiresAt,
		LastUsedAt:  orZero(r.LastUsedAt),
	}
	if r.DeviceID != nil {
		s.DeviceID = mesh.DeviceID(*r.DeviceID)
	}
	return s
}

// Sessions returns every session that is stored, also expired ones, the oldest
// first.
func (s *Store) Sessions(ctx context.Context) ([]mesh.Session, error) {
	rows, err := gorm.G[sessionRow](s.read).Order("created_at, id").Find(ctx)
	if err != nil {
		return nil, wrap("list sessions", err)
	}
	sessions := make([]mesh.Session, len(rows))
	for i, row := range rows {
		sessions[i] = row.session()
	}
	return sessions, nil
}

// AddSession stores a new session. Those that have expired go.
func (s *Store) AddSession(ctx context.Context, session mesh.Session) error {
	err := s.write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if _, err := gorm.G[sessionRow](tx).Where("expires_at <= ?", s.now()).Delete(ctx); err != nil {
			return err
		}
		return createSession(ctx, tx, session)
	})
	return wrap("add session", err)
}

func createSession(ctx context.Context, tx *gorm.DB, session mesh.Session) error {
	row := rowOfSession(session)
	return gorm.G[sessionRow](tx).Create(ctx, &row)
}

// createDeviceSession stores the session that came with a pairing, as that of
// the device under the id that it has here.
func createDeviceSession(ctx context.Context, tx *gorm.DB, id mesh.DeviceID, session *mesh.Session) error {
	if session == nil {
		return nil
	}
	own := *session
	own.Kind, own.DeviceID = mesh.SessionDevice, id
	return createSession(ctx, tx, own)
}

// RenewSession moves a session's expiry, provided that it still expires when the
// caller thinks it does. It reports whether that was so.
func (s *Store) RenewSession(ctx context.Context, hash mesh.TokenHash, from, to time.Time) (bool, error) {
	n, err := gorm.G[sessionRow](s.write).
		Where("secret_hash = ? AND expires_at = ?", digest(hash), stored(from)).
		Update(ctx, "expires_at", stored(to))
	return n == 1, wrap("renew session", err)
}

// TouchSessions notes when sessions were last used, by the rules of TouchTokens.
func (s *Store) TouchSessions(ctx context.Context, used map[mesh.TokenHash]time.Time) error {
	return wrap("stamp sessions", touch[sessionRow](ctx, s.write, "secret_hash", used))
}

// SetSessionsManage says whether the sessions of a device may do all that the
// owner may, and reports how many there are.
func (s *Store) SetSessionsManage(ctx context.Context, device mesh.DeviceID, manage bool) (int, error) {
	n, err := gorm.G[sessionRow](s.write).Where("device_id = ?", string(device)).Update(ctx, "manage", manage)
	return n, wrap("set sessions' rights", err)
}

// RemoveSession forgets a session, or returns sdk.NotFound. It is gone from disk
// when RemoveSession returns.
func (s *Store) RemoveSession(ctx context.Context, id mesh.SessionID) error {
	n, err := gorm.G[sessionRow](s.write).Where("id = ?", string(id)).Delete(ctx)
	if err == nil && n == 0 {
		err = (&sdk.Error{Kind: sdk.NotFound}).Because(fmt.Errorf("no session %q", id))
	}
	return wrap("remove session", err)
}

// RemoveSessions forgets every session of a device. A device that has none, or
// is not there, is no failure.
func (s *Store) RemoveSessions(ctx context.Context, device mesh.DeviceID) error {
	return wrap("remove sessions", deleteSessions(ctx, s.write, string(device)))
}

func deleteSessions(ctx context.Context, tx *gorm.DB, device string) error {
	_, err := gorm.G[sessionRow](tx).Where("device_id = ?", device).Delete(ctx)
	return err
}
