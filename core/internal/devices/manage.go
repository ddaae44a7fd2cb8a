package devices

import (
	"context"
	"fmt"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// Rename gives the device another name on this machine.
func (s *Service) Rename(ctx context.Context, id mesh.DeviceID, name string) (Device, error) {
	clean := mesh.CleanName(name)
	if clean == "" {
		return Device{}, sdk.Errorf(sdk.Invalid, "Type a name for the device.")
	}
	s.writes.Lock()
	defer s.writes.Unlock()
	d, err := s.Get(id)
	if err != nil {
		return Device{}, err
	}
	d.Name, d.Device.LastSeen = clean, d.Presence.LastSeen
	if err := s.Store.UpdateDevice(ctx, d.Device); err != nil {
		return Device{}, fmt.Errorf("change device: %w", err)
	}
	return s.edit(id, func(d *Device) { d.Name = clean })
}

// edit changes a device in the list.
func (s *Service) edit(id mesh.DeviceID, change func(*Device)) (Device, error) {
	view := s.view()
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.entries[id]
	if !ok {
		return Device{}, unknown()
	}
	change(&e.Device)
	s.tell(e, view)
	return view.of(e.Device), nil
}

// Remove ends the device's access and forgets it. Its tokens and sessions stop
// opening anything before Remove returns.
func (s *Service) Remove(ctx context.Context, id mesh.DeviceID) error {
	s.writes.Lock()
	defer s.writes.Unlock()
	d, err := s.Get(id)
	if err != nil {
		return err
	}
	for _, access := range s.Access {
		if err := access.Revoke(ctx, id); err != nil {
			return err
		}
	}
	s.tellRemoved(ctx, d)
	if err := s.Store.RemoveDevice(ctx, id); err != nil {
		return fmt.Errorf("remove device: %w", err)
	}
	s.drop(id)
	s.Log.Info("device access removed", "device", id)
	return nil
}

// tellRemoved lets a gateway that is there know that its access has ended. One
// that is not there finds out by itself.
func (s *Service) tellRemoved(ctx context.Context, d Device) {
	if !d.Reachable() || d.Status != mesh.StatusAvailable {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.schedule.Load().Timeout)
	defer cancel()
	if err := s.Caller.Removed(ctx, d.Device); err != nil {
		s.Log.Debug("removed device was not told", "device", d.ID, "error", err)
	}
}

func (s *Service) drop(id mesh.DeviceID) {
	s.mu.Lock()
	e, ok := s.entries[id]
	delete(s.entries, id)
	if ok && s.Gone != nil {
		s.Gone(e.Device)
	}
	s.mu.Unlock()
	s.Caller.Forget(id)
}
