package tokens

import (
	"context"
	"fmt"
	"maps"
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
	at := s.deny(device)
	if err := s.saveRevocation(context.WithoutCancel(ctx), device, at); err != nil {
		return err
	}
	s.log.Info("tokens revoked", "device", device)
	return nil
}

// deny makes the tokens of the device open nothing from now on.
func (s *Service) deny(device mesh.DeviceID) (at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at = instant(s.now())
	s.barred[device] = at
	for _, e := range *s.table.Load() {
		if e.token.DeviceID == device {
			e.denied.Store(true)
		}
	}
	return at
}

func (s *Service) saveRevocation(ctx context.Context, device mesh.DeviceID, at time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	err := s.store.RevokeTokens(ctx, device, at)
	if err == nil {
		return nil
	}
	if sdk.KindOf(err) == sdk.NotFound {
		return fmt.Errorf("revoke tokens: %w", err)
	}
	s.mu.Lock()
	s.saveLater(device, at)
	s.mu.Unlock()
	return (&sdk.Error{
		Kind:    sdk.KindOf(err),
		Message: "The device's access has ended, but that couldn't be saved yet.",
		Hint:    "Leave Salita running: it keeps trying. Check that this device has space left.",
	}).Because(fmt.Errorf("revoke tokens: %w", err))
}

// saveLater leaves a revocation to Run. The caller holds mu.
func (s *Service) saveLater(device mesh.DeviceID, at time.Time) {
	s.unsaved[device] = at
	select {
	case s.wake <- struct{}{}:
	default: // it is awake already
	}
}

// saveRevocations tries those that could not be stored so far.
func (s *Service) saveRevocations(ctx context.Context) {
	s.mu.Lock()
	unsaved := maps.Clone(s.unsaved)
	s.mu.Unlock()
	for device, at := range unsaved {
		err := s.store.RevokeTokens(ctx, device, at)
		if err != nil && sdk.KindOf(err) != sdk.NotFound {
			s.log.Error("revocation is not stored yet", "device", device, "error", err)
			continue
		}
		s.mu.Lock()
		if s.unsaved[device].Equal(at) {
			delete(s.unsaved, device)
		}
		s.mu.Unlock()
		s.log.Info("tokens revoked", "device", device)
	}
}
