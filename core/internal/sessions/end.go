package sessions

import (
	"context"
	"fmt"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// Remove ends one session. No use that begins after Remove was called succeeds,
// and when it returns nil that is on disk. When storing fails the session stays
// ended while the gateway runs, Run keeps trying, and the error says so. One
// that is not there, or has ended, is sdk.NotFound.
func (s *Service) Remove(ctx context.Context, id mesh.SessionID) error {
	hash, ok := s.find(id)
	if !ok {
		return sdk.Errorf(sdk.NotFound, "That browser isn't signed in.").Because(fmt.Errorf("no session %q", id))
	}
	if e := s.table.Find(hash); e != nil {
		e.Deny()
	}
	err := s.table.Persist(ctx, "session "+string(id), func(ctx context.Context) error {
		return s.store.RemoveSession(ctx, id)
	})
	if err != nil && sdk.KindOf(err) != sdk.NotFound {
		return notSaved("remove session", err)
	}
	s.table.Drop(hash)
	s.log.Info("session removed", "session", id)
	return nil
}

func (s *Service) find(id mesh.SessionID) (mesh.TokenHash, bool) {
	for _, secret := range s.table.Live() {
		if secret.Data.session.ID == id {
			return secret.Hash, true
		}
	}
	return mesh.TokenHash{}, false
}

// RemoveDevice ends every session of a device, by the rules of Remove; a device
// without sessions is no failure. A session that is being made for the device at
// the same time opens nothing either.
func (s *Service) RemoveDevice(ctx context.Context, device mesh.DeviceID) error {
	s.table.Deny(device)
	err := s.table.Persist(ctx, removal(device), func(ctx context.Context) error {
		return s.store.RemoveSessions(ctx, device)
	})
	if err != nil {
		return notSaved("remove sessions", err)
	}
	s.log.Info("sessions removed", "device", device)
	return nil
}

// removal names the ending of a device's sessions.
func removal(device mesh.DeviceID) string { return "device " + string(device) }

func notSaved(what string, err error) error {
	return (&sdk.Error{
		Kind:    sdk.KindOf(err),
		Message: "That browser is signed out, but that couldn't be saved yet.",
		Hint:    "Leave Salita running: it keeps trying. Check that this device has space left.",
	}).Because(fmt.Errorf("%s: %w", what, err))
}

// SetManage says whether the browsers of a paired device may do all that the
// owner may. Taking the right away happens at once and is then made durable, by
// the rules of Remove; giving it happens once it is durable. A device that is
// not signed in is sdk.NotFound. Pairing the device again takes it away.
func (s *Service) SetManage(ctx context.Context, device mesh.DeviceID, manage bool) error {
	s.managing.Lock()
	defer s.managing.Unlock()
	records := s.recordsOf(device)
	if len(records) == 0 || device == "" {
		return sdk.Errorf(sdk.NotFound, "That device isn't signed in.").Because(fmt.Errorf("no session of %q", device))
	}
	if !manage {
		setManage(records, false)
	}
	save := func(ctx context.Context) error {
		_, err := s.store.SetSessionsManage(ctx, device, manage)
		return err
	}
	if err := s.saveManage(ctx, device, manage, save); err != nil {
		return fmt.Errorf("set right to manage: %w", err)
	}
	setManage(records, manage)
	s.log.Info("right to manage changed", "device", device, "manage", manage)
	return nil
}

// saveManage tries a denial again later, and a gift only now.
func (s *Service) saveManage(ctx context.Context, device mesh.DeviceID, manage bool, save func(context.Context) error) error {
	name := "manage " + string(device)
	if !manage {
		return s.table.Persist(ctx, name, save)
	}
	s.table.Settle(name)
	return save(ctx)
}

func (s *Service) recordsOf(device mesh.DeviceID) []*record {
	var records []*record
	for _, secret := range s.table.Live() {
		if secret.Holder == device {
			records = append(records, secret.Data)
		}
	}
	return records
}

func setManage(records []*record, manage bool) {
	for _, r := range records {
		r.manage.Store(manage)
	}
}
