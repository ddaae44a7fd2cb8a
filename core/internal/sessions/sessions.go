// Package sessions signs browsers in: the owner's by a link that works once,
// and a paired phone's by its pairing. It says from memory whose browser
// presents a secret, keeps those in use signed in, and ends sessions one by one
// or by device.
//
// It keeps hashes only. It sets no cookies, knows no HTTP and decides no
// permission: a Verified says what was granted. The memory itself is the room
// bearer.
package sessions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/bearer"
	"github.com/salita-mesh/salita/core/internal/mesh"
)

// Store keeps sessions over restarts.
type Store interface {
	// Sessions returns every session, also expired ones.
	Sessions(ctx context.Context) ([]mesh.Session, error)
	// AddSession stores a new session, durably.
	AddSession(ctx context.Context, session mesh.Session) error
	// RenewSession moves the expiry of a session that still expires at from, and
	// reports whether there was one.
	RenewSession(ctx context.Context, hash mesh.TokenHash, from, to time.Time) (bool, error)
	// TouchSessions notes when sessions were last used.
	TouchSessions(ctx context.Context, used map[mesh.TokenHash]time.Time) error
	// SetSessionsManage says whether a device's sessions may do all that the owner
	// may, durably, and how many there are.
	SetSessionsManage(ctx context.Context, device mesh.DeviceID, manage bool) (int, error)
	// RemoveSession forgets a session, durably, or returns sdk.NotFound.
	RemoveSession(ctx context.Context, id mesh.SessionID) error
	// RemoveSessions forgets all sessions of a device, durably, if there are any.
	RemoveSessions(ctx context.Context, device mesh.DeviceID) error
}

// Service signs in and verifies. It is safe for concurrent use. Run must run for
// renewals and last uses to be stored.
type Service struct {
	store Store
	log   hclog.Logger
	table *bearer.Table[*record]
	links links

	managing sync.Mutex // one change of rights at a time
}

// record is what the table keeps with a session.
type record struct {
	session mesh.Session // its expiry, last use and right to manage may be old
	manage  atomic.Bool
}

// New loads the sessions into memory. They live as tokens do; see
// mesh.TokenPolicy.
func New(ctx context.Context, store Store, policy mesh.TokenPolicy, log hclog.Logger, now func() time.Time) (*Service, error) {
	if store == nil {
		return nil, errors.New("sessions: store is required")
	}
	all, err := store.Sessions(ctx)
	if err != nil {
		return nil, fmt.Errorf("load sessions: %w", err)
	}
	secrets := make([]bearer.Secret[*record], len(all))
	for i, session := range all {
		secrets[i] = secretOf(session)
	}
	table, err := bearer.New(bearer.Config{Store: stored{store}, Policy: policy, Log: log, Now: now}, secrets)
	if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	return &Service{store: store, log: log, table: table, links: newLinks()}, nil
}

// Run stores renewals as they come, last uses from time to time, and ended
// sessions that could not be removed at first. When ctx ends it stores what is
// left and returns nil.
func (s *Service) Run(ctx context.Context) error { return s.table.Run(ctx) }

// SetPolicy changes how long sessions live: those that begin from now on, and the
// others from their next renewal on. On an error the policy stays as it was.
func (s *Service) SetPolicy(policy mesh.TokenPolicy) error { return s.table.SetPolicy(policy) }

// Issue makes a session for a paired device and returns the secret for its
// browser and what to store. It opens nothing until it is stored and then
// published. The description is what the browser calls itself.
func (s *Service) Issue(device mesh.DeviceID, grant mesh.Grant, description string) (secret string, session mesh.Session) {
	secret, session = s.issue(mesh.SessionDevice, description)
	session.DeviceID, session.Permissions = device, slices.Clone(grant)
	return secret, session
}

func (s *Service) issue(kind mesh.SessionKind, description string) (string, mesh.Session) {
	secret, hash := mesh.NewSessionSecret()
	now := bearer.Instant(s.table.Now())
	return secret, mesh.Session{
		ID: mesh.NewSessionID(), Hash: hash, Kind: kind,
		Description: mesh.CleanSentence(description),
		CreatedAt:   now, ExpiresAt: now.Add(s.table.Policy().Lifetime),
	}
}

// Publish makes a stored session of a device valid, and every earlier one of it
// unknown. One that was issued before the device's sessions were removed stays
// denied: the owner's word came later than the session, if not than its pairing.
func (s *Service) Publish(session mesh.Session) {
	if at := s.table.Replace(secretOf(session)); at.IsZero() {
		// Its pairing has ended the sessions before it on disk as well.
		s.table.Settle(removal(session.DeviceID))
		return
	}
	s.log.Warn("device was removed while it was being paired", "device", session.DeviceID)
	s.table.PersistLater(removal(session.DeviceID), func(ctx context.Context) error {
		return s.store.RemoveSessions(ctx, session.DeviceID)
	})
}

// List returns the sessions that open something right now, the oldest first,
// with their expiry, last use and rights as of now, and without their hashes.
func (s *Service) List() []mesh.Session {
	var list []mesh.Session
	for _, secret := range s.table.Live() {
		session := secret.Data.session
		session.Hash = mesh.TokenHash{}
		session.ExpiresAt, session.LastUsedAt = secret.ExpiresAt, secret.LastUsedAt
		session.Manage = secret.Data.manage.Load()
		list = append(list, session)
	}
	slices.SortFunc(list, func(a, b mesh.Session) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return list
}
