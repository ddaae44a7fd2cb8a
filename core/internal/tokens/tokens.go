// Package tokens decides whether a presented token opens anything, from memory
// and in well under a microsecond. It issues tokens, renews those in use,
// revokes them and notes when they were last used.
//
// It keeps hashes only, sends no token anywhere and decides no permission: a
// Verified says what was granted, the router compares. What a refused caller is
// told is for the auth room to say.
//
// The table in memory is what counts. Denials happen there first and are then
// made durable; everything else is made durable first and then shows here.
// This holds as long as one process uses the store, which the store sees to.
package tokens

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// Store keeps issued tokens over restarts.
type Store interface {
	// IssuedTokens returns every token, also expired and revoked ones.
	IssuedTokens(ctx context.Context) ([]mesh.IssuedToken, error)
	// RenewToken moves the expiry of a token that is not revoked and still
	// expires at from, and reports whether there was one.
	RenewToken(ctx context.Context, hash mesh.TokenHash, from, to time.Time) (bool, error)
	// RevokeTokens ends all tokens of the device, durably, or returns
	// sdk.NotFound when there is no such device.
	RevokeTokens(ctx context.Context, device mesh.DeviceID, at time.Time) error
	// TouchTokens notes when tokens were last used.
	TouchTokens(ctx context.Context, used map[mesh.TokenHash]time.Time) error
}

// Service issues and verifies tokens. It is safe for concurrent use. Run must
// run for renewals and last uses to be stored.
type Service struct {
	store  Store
	policy mesh.TokenPolicy
	log    hclog.Logger
	now    func() time.Time

	table    atomic.Pointer[table]
	renewals chan *entry
	wake     chan struct{} // there are unsaved revocations

	mu      sync.Mutex                  // one change of the table at a time
	barred  map[mesh.DeviceID]time.Time // no token issued before may appear any more
	unsaved map[mesh.DeviceID]time.Time // revocations that are not durable yet
}

// table is never changed once it is in use; a change is a new table.
type table map[mesh.TokenHash]*entry

// renewalQueue bounds the renewals that wait for Run; a use that finds it full
// leaves the renewal to a later use.
const renewalQueue = 256

// New loads the issued tokens into memory. The policy must give tokens a life
// that is longer than its time of renewal, or every use would renew.
func New(ctx context.Context, store Store, policy mesh.TokenPolicy, log hclog.Logger, now func() time.Time) (*Service, error) {
	if policy.RenewWithin < 0 || policy.Lifetime <= policy.RenewWithin {
		return nil, fmt.Errorf("token policy: lifetime %v must be longer than the %v in which tokens renew",
			policy.Lifetime, policy.RenewWithin)
	}
	if store == nil || log == nil || now == nil {
		return nil, errors.New("tokens: store, log and clock are required")
	}
	stored, err := store.IssuedTokens(ctx)
	if err != nil {
		return nil, fmt.Errorf("load tokens: %w", err)
	}
	t := make(table, len(stored))
	for _, token := range stored {
		t[token.Hash] = newEntry(token)
	}
	s := &Service{
		store: store, policy: policy, log: log, now: now,
		renewals: make(chan *entry, renewalQueue),
		wake:     make(chan struct{}, 1),
		barred:   make(map[mesh.DeviceID]time.Time),
		unsaved:  make(map[mesh.DeviceID]time.Time),
	}
	s.table.Store(&t)
	return s, nil
}

// Issue makes a token for the device and returns the secret to hand over and
// what to store of it. With a key it is honoured only for who proves that key.
// It opens nothing until it is stored and then published.
func (s *Service) Issue(device mesh.DeviceID, key mesh.KeyHash, grant mesh.Grant) (secret string, token mesh.IssuedToken) {
	secret, hash := mesh.NewToken()
	now := instant(s.now())
	return secret, mesh.IssuedToken{
		Hash:        hash,
		DeviceID:    device,
		Key:         key,
		Permissions: slices.Clone(grant),
		IssuedAt:    now,
		ExpiresAt:   now.Add(s.policy.Lifetime),
	}
}

// Publish makes a stored token valid, and every earlier one of its device
// unknown. A token issued before its device was revoked or forgotten stays
// denied: the owner's word came later than the token, if not than its pairing.
func (s *Service) Publish(token mesh.IssuedToken) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := newEntry(token)
	// A bar in the future is from before the clock was set back: it no longer
	// tells what came first.
	if at, ok := s.barred[token.DeviceID]; ok && token.IssuedAt.Before(at) && !at.After(s.now()) {
		e.denied.Store(true)
		s.saveLater(token.DeviceID, at)
		s.log.Warn("device was revoked while it was being paired", "device", token.DeviceID)
	} else {
		delete(s.barred, token.DeviceID)
	}
	next := s.without(token.DeviceID)
	next[token.Hash] = e
	s.table.Store(&next)
}

// Forget drops the tokens of a device that was removed from the store.
func (s *Service) Forget(device mesh.DeviceID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.barred[device] = instant(s.now())
	next := s.without(device)
	s.table.Store(&next)
}

// without copies the table except for one device. The caller holds mu.
func (s *Service) without(device mesh.DeviceID) table {
	next := maps.Clone(*s.table.Load())
	maps.DeleteFunc(next, func(_ mesh.TokenHash, e *entry) bool { return e.token.DeviceID == device })
	return next
}

// List returns the tokens that open something right now, the oldest first, with
// their expiry and last use as of now.
func (s *Service) List() []mesh.IssuedToken {
	now := s.now()
	var list []mesh.IssuedToken
	for _, e := range *s.table.Load() {
		if e.denied.Load() || !now.Before(e.expiry()) {
			continue
		}
		token := e.token
		token.ExpiresAt, token.LastUsedAt = e.expiry(), e.lastUse()
		list = append(list, token)
	}
	slices.SortFunc(list, func(a, b mesh.IssuedToken) int { return a.IssuedAt.Compare(b.IssuedAt) })
	return list
}
