package tokens

import (
	"context"
	"fmt"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// Revoke ends every token of the device. No use that begins after Revoke was
// called succeeds, and when it returns nil that is on disk. When storing fails
// the tokens stay denied while the gateway runs, Run keeps trying, and the
// error says so. A device that the store does not know is sdk.NotFound.
//
// A caller that goes away does not stop a revocation that has begun.
func (s *Service) Revoke(ctx context.Context, device mesh.DeviceID) error {
	at := s.table.Deny(device)
	err := s.table.Persist(ctx, string(device), s.revocation(device, at))
	switch {
	case err == nil:
		s.log.Info("tokens revoked", "device", device)
		return nil
	case sdk.KindOf(err) == sdk.NotFound:
		return fmt.Errorf("revoke tokens: %w", err)
	}
	return (&sdk.Error{
		Kind:    sdk.KindOf(err),
		Message: "The device's access has ended, but that couldn't be saved yet.",
		Hint:    "Leave Salita running: it keeps trying. Check that this device has space left.",
	}).Because(fmt.Errorf("revoke tokens: %w", err))
}

// revocation makes one durable.
func (s *Service) revocation(device mesh.DeviceID, at time.Time) func(context.Context) error {
	return func(ctx context.Context) error { return s.store.RevokeTokens(ctx, device, at) }
}
