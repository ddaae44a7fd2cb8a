package devices

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// Archive puts devices that nobody has seen for mesh.ArchiveAfter out of the
// list, and looks for those that are: any sign of one brings it back. It returns
// how many were put out.
func (s *Service) Archive(ctx context.Context) (int, error) {
	for _, id := range s.due(true) {
		_ = s.check(ctx, id, s.Now()) // its outcome is in the list
	}
	n := 0
	var errs []error
	for _, d := range s.forgotten() {
		if err := s.archive(ctx, d); err != nil {
			errs = append(errs, err)
			continue
		}
		n++
	}
	return n, errors.Join(errs...)
}

func (s *Service) forgotten() []Device {
	view := s.view()
	s.mu.RLock()
	defer s.mu.RUnlock()
	var list []Device
	for _, e := range s.entries {
		if e.Forgotten(view.seen(e.Device), view.now) {
			list = append(list, e.Device)
		}
	}
	return list
}

func (s *Service) archive(ctx context.Context, d Device) error {
	s.writes.Lock()
	defer s.writes.Unlock()
	now := s.Now()
	if err := s.Store.ArchiveDevice(ctx, d.ID, now); err != nil {
		return fmt.Errorf("archive device: %w", err)
	}
	if _, err := s.edit(d.ID, func(d *Device) { d.ArchivedAt = now }); err != nil {
		return err
	}
	s.note(ctx, mesh.Activity{
		Name: "device.archived", DeviceID: d.ID,
		Words: fmt.Sprintf("%s was not seen for 90 days and was put away. It comes back by itself when it is seen.", d.Name),
	})
	return nil
}

// Restore puts an archived device into the list again, or returns sdk.NotFound.
// It stays there for another mesh.ArchiveAfter. A device that is in the list is
// no failure.
func (s *Service) Restore(ctx context.Context, id mesh.DeviceID) (Device, error) {
	s.writes.Lock()
	defer s.writes.Unlock()
	d, err := s.Get(id)
	if err != nil || !d.Archived() {
		return d, err
	}
	now := s.Now()
	if err := s.Store.RestoreDevice(ctx, id, now); err != nil {
		return Device{}, fmt.Errorf("restore device: %w", err)
	}
	d, err = s.edit(id, func(d *Device) { d.ArchivedAt, d.RestoredAt = time.Time{}, now })
	if err != nil {
		return Device{}, err
	}
	s.note(ctx, mesh.Activity{Name: "device.restored", DeviceID: id, Words: fmt.Sprintf("%s was brought back.", d.Name)})
	s.CheckSoon(id)
	return d, nil
}

// restore brings back a device that was seen; save stores it. The caller holds
// mu.
func (s *Service) restore(e *entry) {
	e.ArchivedAt, e.RestoredAt = time.Time{}, s.Now()
	e.back, e.unsave = true, true
	notify(s.unsaved)
}

// saveRestored stores which devices were seen again. The caller holds writes.
func (s *Service) saveRestored(ctx context.Context, devices []mesh.Device) {
	for _, d := range devices {
		if err := s.Store.RestoreDevice(ctx, d.ID, d.RestoredAt); err != nil {
			s.Log.Error("could not store that a device is back", "device", d.ID, "error", err)
			continue
		}
		s.note(ctx, mesh.Activity{Name: "device.restored", DeviceID: d.ID, Words: fmt.Sprintf("%s was seen again and is back in the list.", d.Name)})
	}
}

func (s *Service) note(ctx context.Context, a mesh.Activity) {
	a.At = s.Now()
	s.Log.Info("list of devices tidied", "name", a.Name, "device", a.DeviceID, "words", a.Words)
	if s.Note != nil {
		s.Note(ctx, a)
	}
}
