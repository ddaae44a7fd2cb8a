package devices

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// lastSeenStep is how stale a stored "last seen" may become.
const lastSeenStep = 15 * time.Minute

// complainEvery bounds how often the log tells of one device's nonsense.
const complainEvery = time.Hour

// Outcome takes in how a call to the device ended. A call that broke says little
// of the device, which may have been just too slow: it is checked at once.
func (s *Service) Outcome(ctx context.Context, id mesh.DeviceID, err error) {
	switch {
	case err == nil:
		s.Observe(ctx, id, mesh.Sample{Outcome: mesh.Reached, At: s.Now(), Address: s.Caller.Address(id)})
		s.Heard(id)
	case sdk.KindOf(err) == sdk.NeedsRepair:
		s.Observe(ctx, id, mesh.Sample{Outcome: mesh.Refused, At: s.Now()})
	default:
		s.CheckSoon(id)
	}
}

// Heard takes in that the device called us, or answered a call. One that is not
// taken for Available is checked at once.
func (s *Service) Heard(id mesh.DeviceID) {
	s.mu.RLock()
	e, ok := s.entries[id]
	news := ok && e.Reachable() && (e.Status != mesh.StatusAvailable || e.Archived())
	s.mu.RUnlock()
	if news {
		s.CheckSoon(id)
	}
}

// Left takes in that the device itself says that it is going.
func (s *Service) Left(ctx context.Context, id mesh.DeviceID) {
	s.Caller.Refresh(id)
	s.Observe(ctx, id, mesh.Sample{Outcome: mesh.Left, At: s.Now()})
}

// Observe takes in what an attempt to reach the device showed. Only a change of
// what people see, or of what must survive a restart, is stored, a moment later.
func (s *Service) Observe(_ context.Context, id mesh.DeviceID, sample mesh.Sample) {
	view := s.view()
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.entries[id]
	if !ok {
		return // removed meanwhile
	}
	before := e.Device
	e.Device = before.next(sample)
	e.last = sample
	if sample.Address != "" {
		e.hints = nil
	}
	if sample.Outcome != mesh.Unreached && e.Archived() {
		s.restore(e)
	}
	if worthStoring(before, e.Device) {
		e.unsave = true
		notify(s.unsaved)
	}
	s.tell(e, view)
}

// next is the device after a sample.
func (d Device) next(sample mesh.Sample) Device {
	d.Presence = d.Presence.Next(sample)
	d.NeedsRepair = d.Status == mesh.StatusNeedsRepair
	if sample.Health.DeviceID != "" {
		d.Capabilities, d.Metadata = sample.Health.Capabilities, sample.Health.Metadata
	}
	if sample.Address != "" {
		d.Addresses = moveToFront(d.Addresses, sample.Address)
	}
	return d
}

func worthStoring(before, after Device) bool {
	return before.Status != after.Status ||
		before.NeedsRepair != after.NeedsRepair ||
		!slices.Equal(before.Capabilities, after.Capabilities) ||
		!maps.Equal(before.Metadata, after.Metadata) ||
		!slices.Equal(before.Addresses, after.Addresses) ||
		after.Presence.LastSeen.Sub(after.Device.LastSeen) >= lastSeenStep
}

// maxAddresses bounds the addresses kept of one device; the oldest go.
const maxAddresses = 8

// moveToFront returns a new list, because the old one may be in use elsewhere.
func moveToFront(list []string, first string) []string {
	if len(list) > 0 && list[0] == first {
		return list
	}
	out := append(make([]string, 0, len(list)+1), first)
	for _, a := range list {
		if a != first && len(out) < maxAddresses {
			out = append(out, a)
		}
	}
	return out
}

// save stores what the store does not know yet. What cannot be stored is tried
// again with the next change.
func (s *Service) save(ctx context.Context) {
	s.writes.Lock()
	defer s.writes.Unlock()
	devices, sightings, back := s.takeUnsaved()
	if len(devices) == 0 {
		return
	}
	s.saveRestored(ctx, back)
	if err := s.Store.SavePresence(ctx, devices, sightings); err != nil {
		s.Log.Error("could not store devices", "devices", len(devices), "error", err)
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, d := range devices {
			if e, ok := s.entries[d.ID]; ok {
				e.unsave = true
			}
		}
	}
}

func (s *Service) takeUnsaved() (devices []mesh.Device, sightings []mesh.Sighting, back []mesh.Device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.entries {
		if !e.unsave {
			continue
		}
		e.unsave = false
		e.Device.Device.LastSeen = e.Presence.LastSeen
		devices = append(devices, e.Device.Device)
		if e.back {
			e.back = false
			back = append(back, e.Device.Device)
		}
		if e.Reachable() && !e.last.At.IsZero() {
			sightings = append(sightings, e.sighting())
		}
	}
	return devices, sightings, back
}

// sighting is the last attempt to reach the device, as the store keeps it.
func (e *entry) sighting() mesh.Sighting {
	g := mesh.Sighting{
		DeviceID: e.ID, Address: e.last.Address, CheckedAt: e.last.At,
		Reachable: e.last.Outcome == mesh.Reached || e.last.Outcome == mesh.Refused,
	}
	if g.Reachable {
		g.Response = e.last.Response
	}
	if g.Address == "" && len(e.Addresses) > 0 {
		g.Address = e.Addresses[0]
	}
	return g
}

// complain logs why a device did not answer as it should: loudly, but not all
// the time, when it answered something that cannot be true.
func (s *Service) complain(id mesh.DeviceID, err error) {
	if !errors.Is(err, mesh.ErrImplausible) {
		s.Log.Debug("device did not answer", "device", id, "error", err)
		return
	}
	now := s.Now()
	s.mu.Lock()
	e, ok := s.entries[id]
	loud := ok && (e.complained.IsZero() || now.Sub(e.complained) >= complainEvery)
	if loud {
		e.complained = now
	}
	s.mu.Unlock()
	if loud {
		s.Log.Warn("device answered its health check with nonsense, it counts as offline", "device", id, "error", err)
	}
}
