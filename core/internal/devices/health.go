package devices

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// maxPings bounds how many devices are asked at the same time.
const maxPings = 64

// Round is the outcome of asking every device.
type Round struct {
	Available   []Device
	Offline     []Device
	NeedsRepair []Device
}

// Run pings every gateway at once and then each Interval, give or take a tenth
// so that gateways do not fall into step. It returns when ctx ends.
func (s *Service) Run(ctx context.Context) error {
	for {
		s.Discover(ctx)
		if !s.pause(ctx) {
			return nil
		}
	}
}

// pause waits for the next round; it reports false when ctx ends first.
func (s *Service) pause(ctx context.Context) bool {
	for {
		jitter := 0.9 + 0.2*rand.Float64()
		select {
		case <-ctx.Done():
			return false
		case <-s.rescheduled:
		case <-time.After(time.Duration(float64(s.schedule.Load().Interval) * jitter)):
			return true
		}
	}
}

// Discover pings all gateways side by side and returns the whole list by
// status. It takes one Timeout, however many are silent, up to maxPings of them.
func (s *Service) Discover(ctx context.Context) Round {
	var g errgroup.Group
	g.SetLimit(maxPings)
	for _, d := range s.List() {
		if !d.Reachable() {
			continue
		}
		g.Go(func() error {
			s.ping(ctx, d.Device) // its outcome is in the list
			return nil
		})
	}
	g.Wait()
	return s.round()
}

func (s *Service) round() Round {
	var r Round
	for _, d := range s.List() {
		switch d.Status {
		case mesh.StatusAvailable:
			r.Available = append(r.Available, d)
		case mesh.StatusOffline:
			r.Offline = append(r.Offline, d)
		case mesh.StatusNeedsRepair:
			r.NeedsRepair = append(r.NeedsRepair, d)
		}
	}
	return r
}

// Check asks one device right now. It fails with sdk.Offline or
// sdk.NeedsRepair when the device does not answer as it should.
func (s *Service) Check(ctx context.Context, id mesh.DeviceID) (Device, error) {
	d, err := s.Get(id)
	if err != nil {
		return Device{}, err
	}
	if err := s.ping(ctx, d.Device); err != nil {
		return d, err
	}
	return s.Get(id)
}

// Outcome takes in how a call to the device ended.
func (s *Service) Outcome(ctx context.Context, id mesh.DeviceID, err error) {
	s.Observe(ctx, id, s.sample(id, mesh.Health{}, err))
}

func (s *Service) ping(ctx context.Context, d mesh.Device) error {
	pingCtx, cancel := context.WithTimeout(ctx, s.schedule.Load().Timeout)
	defer cancel()
	health, err := s.Caller.Health(pingCtx, d)
	if ctx.Err() != nil {
		return ctx.Err() // we are stopping: that says nothing about the device
	}
	s.Observe(ctx, d.ID, s.sample(d.ID, health, err))
	return err
}

func (s *Service) sample(id mesh.DeviceID, health mesh.Health, err error) mesh.Sample {
	sample := mesh.Sample{At: s.Now()}
	switch {
	case err == nil:
		sample.Outcome, sample.Health, sample.Address = mesh.Reached, health, s.Caller.Address(id)
	case sdk.KindOf(err) == sdk.NeedsRepair:
		sample.Outcome = mesh.Refused
	default:
		s.Log.Debug("device did not answer", "device", id, "error", err)
	}
	return sample
}

// Observe takes in what an attempt to reach the device showed. Only a change
// of what people see, or of what must survive a restart, is stored.
func (s *Service) Observe(ctx context.Context, id mesh.DeviceID, sample mesh.Sample) {
	s.writes.Lock()
	defer s.writes.Unlock()
	before, err := s.get(id)
	if err != nil {
		return // removed meanwhile
	}
	after := before.next(sample)
	if worthStoring(before, after) {
		after.Device.LastSeen = after.Presence.LastSeen
		if err := s.Store.UpdateDevice(ctx, after.Device); err != nil {
			s.Log.Error("could not store device", "device", id, "error", err)
		}
	}
	s.put(after)
	if before.Status != after.Status {
		s.Log.Info("device changed", "device", id, "name", after.Name, "status", after.Status)
	}
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

// lastSeenStep is how stale a stored "last seen" may become.
const lastSeenStep = 15 * time.Minute

func worthStoring(before, after Device) bool {
	return before.Status != after.Status ||
		before.NeedsRepair != after.NeedsRepair ||
		!slices.Equal(before.Capabilities, after.Capabilities) ||
		!maps.Equal(before.Metadata, after.Metadata) ||
		!slices.Equal(before.Addresses, after.Addresses) ||
		after.Presence.LastSeen.Sub(after.Device.LastSeen) >= lastSeenStep
}

// moveToFront returns a new list, because the old one may be in use elsewhere.
func moveToFront(list []string, first string) []string {
	if len(list) > 0 && list[0] == first {
		return list
	}
	out := append(make([]string, 0, len(list)+1), first)
	for _, a := range list {
		if a != first {
			out = append(out, a)
		}
	}
	return out
}
