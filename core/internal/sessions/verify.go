package sessions

import (
	"errors"
	"fmt"
	"time"

	"github.com/salita-mesh/salita/core/internal/bearer"
	"github.com/salita-mesh/salita/core/internal/mesh"
)

// Why a secret opens nothing. The differences are for the log; a caller learns
// none of them.
var (
	ErrMalformed = errors.New("not the secret of a session")
	ErrUnknown   = errors.New("unknown session")
	ErrRevoked   = bearer.ErrRevoked
	ErrExpired   = bearer.ErrExpired
)

// Verified is what a valid secret says about its browser.
type Verified struct {
	ID          mesh.SessionID
	Kind        mesh.SessionKind
	DeviceID    mesh.DeviceID // the paired device; "" for the owner's
	Permissions mesh.Grant    // shared: not to be changed
	Manage      bool          // may do all that the owner may
	ExpiresAt   time.Time
	// Renewed means that the browser's cookie should be given ExpiresAt, because
	// this or a recent use has moved it.
	Renewed bool
}

// Verify checks a presented secret. It does no I/O, and for a valid one
// allocates nothing; it keeps neither slice nor contents. The error wraps one of
// the Err values.
func (s *Service) Verify(secret []byte) (Verified, error) {
	hash, ok := mesh.HashSession(secret)
	if !ok {
		return Verified{}, ErrMalformed
	}
	e := s.table.Find(hash)
	if e == nil {
		return Verified{}, ErrUnknown
	}
	r := *e.Data()
	expires, renewed, err := s.table.Use(e)
	if err != nil {
		return Verified{}, fmt.Errorf("session %s %w", r.session.ID, err)
	}
	return Verified{
		ID:          r.session.ID,
		Kind:        r.session.Kind,
		DeviceID:    r.session.DeviceID,
		Permissions: r.session.Permissions,
		Manage:      r.manage.Load(),
		ExpiresAt:   expires,
		Renewed:     renewed,
	}, nil
}
