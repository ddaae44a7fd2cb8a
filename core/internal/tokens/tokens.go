// Package tokens decides whether a presented token opens anything, from memory
// and in well under a microsecond. It issues tokens, renews those in use,
// revokes them and notes when they were last used.
//
// It keeps hashes only, sends no token anywhere and decides no permission: a
// Verified says what was granted, the router compares. What a refused caller is
// told is for the auth room to say. The memory itself is the room bearer.
package tokens

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/bearer"
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
	store Store
	log   hclog.Logger
	table *bearer.Table[mesh.IssuedToken]
}

// New loads the issued tokens into memory. The policy must give tokens a life
// that is longer than its time of renewal, or every use would renew.
func New(ctx context.Context, store Store, policy mesh.TokenPolicy, log hclog.Logger, now func() time.Time) (*Service, error) {
	if store == nil {
		return nil, errors.New("tokens: store is required")
	}
	issued, err := store.IssuedTokens(ctx)
	if err != nil {
		return nil, fmt.Errorf("load tokens: %w", err)
	}
	secrets := make([]bearer.Secret[mesh.IssuedToken], len(issued))
	for i, token := range issued {
		secrets[i] = secretOf(token)
	}
	table, err := bearer.New(bearer.Config{Store: stored{store}, Policy: policy, Log: log, Now: now}, secrets)
	if err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	return &Service{store: store, log: log, table: table}, nil
}

// Run stores renewals as they come, last uses from time to time, and
// revocations that could not be stored at first. When ctx ends it stores what
// is left and returns nil; failures are logged, not returned, because every one
// of them mends itself or is harmless.
func (s *Service) Run(ctx context.Context) error { return s.table.Run(ctx) }

// SetPolicy changes how long tokens live: those issued from now on, and the
// others from their next renewal on. On an error the policy stays as it was.
func (s *Service) SetPolicy(policy mesh.TokenPolicy) error { return s.table.SetPolicy(policy) }

// Issue makes a token for the device and returns the secret to hand over and
// what to store of it. With a key it is honoured only for who proves that key.
// It opens nothing until it is stored and then published.
func (s *Service) Issue(device mesh.DeviceID, key mesh.KeyHash, grant mesh.Grant) (secret string, token mesh.IssuedToken) {
	secret, hash := mesh.NewToken()
	now := bearer.Instant(s.table.Now())
	return secret, mesh.IssuedToken{
		Hash:        hash,
		DeviceID:    device,
		Key:         key,
		Permissions: slices.Clone(grant),
		IssuedAt:    now,
		ExpiresAt:   now.Add(s.table.Policy().Lifetime),
	}
}

// Publish makes a stored token valid, and every earlier one of its device
// unknown. A token issued before its device was revoked or forgotten stays
// denied: the owner's word came later than the token, if not than its pairing.
func (s *Service) Publish(token mesh.IssuedToken) {
	at := s.table.Replace(secretOf(token))
	if at.IsZero() {
		// Its pairing has ended the tokens before it on disk as well.
		s.table.Settle(string(token.DeviceID))
		return
	}
	s.log.Warn("device was revoked while it was being paired", "device", token.DeviceID)
	s.table.PersistLater(string(token.DeviceID), s.revocation(token.DeviceID, at))
}

// Forget drops the tokens of a device that was removed from the store.
func (s *Service) Forget(device mesh.DeviceID) { s.table.Forget(device) }

// List returns the tokens that open something right now, the oldest first, with
// their expiry and last use as of now.
func (s *Service) List() []mesh.IssuedToken {
	var list []mesh.IssuedToken
	for _, secret := range s.table.Live() {
		token := secret.Data
		token.ExpiresAt, token.LastUsedAt = secret.ExpiresAt, secret.LastUsedAt
		list = append(list, token)
	}
	slices.SortFunc(list, func(a, b mesh.IssuedToken) int { return a.IssuedAt.Compare(b.IssuedAt) })
	return list
}
