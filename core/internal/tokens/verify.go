package tokens

import (
	"errors"
	"fmt"
	"time"

	"github.com/salita-mesh/salita/core/internal/bearer"
	"github.com/salita-mesh/salita/core/internal/mesh"
)

// Why a token opens nothing. The differences are for the log; a caller learns
// none of them.
var (
	ErrMalformed = errors.New("not a token")
	ErrUnknown   = errors.New("unknown token")
	ErrWrongKey  = errors.New("token belongs to another key")
	ErrRevoked   = bearer.ErrRevoked
	ErrExpired   = bearer.ErrExpired
)

// Verified is what a valid token says about its holder.
type Verified struct {
	DeviceID    mesh.DeviceID
	Permissions mesh.Grant // shared: not to be changed
	ExpiresAt   time.Time
	// Renewed means that the holder should be told ExpiresAt, because this or a
	// recent use has moved it. For the moment that the store needs, the new
	// expiry is told but not yet relied on; should the store fail, the old one
	// stays and a later use renews again.
	Renewed bool
}

// Verify checks a presented token and the key that its bearer proved by mutual
// TLS, zero for none. It does no I/O, and for a valid token allocates nothing;
// it keeps neither slice nor contents. The error wraps one of the Err values.
func (s *Service) Verify(token []byte, key mesh.KeyHash) (Verified, error) {
	hash, ok := mesh.HashToken(token)
	if !ok {
		return Verified{}, ErrMalformed
	}
	e := s.table.Find(hash)
	if e == nil {
		return Verified{}, ErrUnknown
	}
	issued := e.Data()
	if !issued.Key.IsZero() && issued.Key != key {
		return Verified{}, fmt.Errorf("%w: device %s", ErrWrongKey, issued.DeviceID)
	}
	expires, renewed, err := s.table.Use(e)
	if err != nil {
		return Verified{}, fmt.Errorf("token %w: device %s", err, issued.DeviceID)
	}
	return Verified{
		DeviceID:    issued.DeviceID,
		Permissions: issued.Permissions,
		ExpiresAt:   expires,
		Renewed:     renewed,
	}, nil
}
