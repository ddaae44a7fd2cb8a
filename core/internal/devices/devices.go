// Package devices is the live list of this mesh's other devices: their names,
// where they are and whether they are Available. It pings gateways on a
// schedule and on demand. It does not pair devices and holds no tokens.
package devices

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// Store keeps devices over restarts.
type Store interface {
	Devices(ctx context.Context) ([]mesh.Device, error)
	Sightings(ctx context.Context) ([]mesh.Sighting, error)
	UpdateDevice(ctx context.Context, device mesh.Device) error
	// SavePresence stores what the search for devices showed of them. Devices that
	// are gone are passed over.
	SavePresence(ctx context.Context, devices []mesh.Device, sightings []mesh.Sighting) error
	ArchiveDevice(ctx context.Context, id mesh.DeviceID, at time.Time) error
	RestoreDevice(ctx context.Context, id mesh.DeviceID, at time.Time) error
	RemoveDevice(ctx context.Context, id mesh.DeviceID) error
}

// Caller reaches other gateways.
type Caller interface {
	Health(ctx context.Context, device mesh.Device) (mesh.Health, error)
	Removed(ctx context.Context, device mesh.Device) error
	Leaving(ctx context.Context, device mesh.Device) error
	// Address is where the device last answered, or "".
	Address(id mesh.DeviceID) string
	// Refresh makes the next call look for the device anew.
	Refresh(id mesh.DeviceID)
	Forget(id mesh.DeviceID)
}

// Access is one way in for a device, such as its token, that ends with it.
type Access interface {
	Revoke(ctx context.Context, device mesh.DeviceID) error
}

// AccessFunc makes an Access of a function.
type AccessFunc func(ctx context.Context, device mesh.DeviceID) error

// Revoke calls f.
func (f AccessFunc) Revoke(ctx context.Context, device mesh.DeviceID) error { return f(ctx, device) }

// Options are what a Service needs.
type Options struct {
	Store  Store
	Caller Caller
	Access []Access
	// LastUses says when each device last used its access: the only sign of life
	// of a phone or script, which nobody can call.
	LastUses func() map[mesh.DeviceID]time.Time
	Interval time.Duration // the longest time between two checks of a device
	Timeout  time.Duration // for one check
	// Changed hears of each device that is new or shows otherwise than before, and
	// Gone of each that is no longer there; of one device in the order of what
	// happened. They must not block or call the Service. Nil: nobody hears.
	Changed func(Device)
	Gone    func(Device)
	// Note keeps what happened by itself for the owner to read. Nil: nobody does.
	Note func(ctx context.Context, a mesh.Activity)
	// Network names the network that this machine is on: another name means that
	// it changed. Nil: the addresses of its interfaces.
	Network func() string
	Now     func() time.Time
	Log     hclog.Logger
}

// Schedule says when devices are pinged.
type Schedule struct {
	Interval time.Duration // between rounds of pings
	Timeout  time.Duration // for one ping
}

// Device is a device as it is stored and its presence right now. The LastSeen
// of the stored part lags behind that of the presence.
type Device struct {
	mesh.Device
	mesh.Presence
}

// Service is the live list. It is safe for concurrent use.
type Service struct {
	Options

	schedule    atomic.Pointer[Schedule]
	rescheduled chan struct{} // holds one notice that the schedule changed
	wake        chan struct{} // holds one notice to check everything now
	kick        chan struct{} // holds one notice that single devices are to be checked
	unsaved     chan struct{} // holds one notice that there is something to store
	slots       chan struct{} // one for each check in flight
	quick       chan struct{} // one for each check that has just begun

	writes  sync.Mutex   // one change at a time, from the store to the list
	mu      sync.RWMutex // guards entries; never held during I/O
	entries map[mesh.DeviceID]*entry
}

// entry is what the list knows of one device.
type entry struct {
	Device
	told   *face       // as others were last told of it; nil: never
	last   mesh.Sample // the last attempt to reach it
	hints  []string    // addresses that it may have now, not proved yet
	unsave bool        // the store knows less
	back   bool        // the store does not know yet that it was restored

	flight     *flight   // the check in progress
	overtaken  time.Time // when such a one was last ended early
	wanted     bool      // is to be checked as soon as may be
	checking   bool      // that check goes on, or has just been
	complained time.Time // when the log last heard of its nonsense
}

// New loads the devices from the store. Until the first round every gateway is
// Offline: nobody has been asked yet.
func New(ctx context.Context, o Options) (*Service, error) {
	stored, err := o.Store.Devices(ctx)
	if err != nil {
		return nil, fmt.Errorf("load devices: %w", err)
	}
	sightings, err := o.Store.Sightings(ctx)
	if err != nil {
		return nil, fmt.Errorf("load devices: %w", err)
	}
	if o.Network == nil {
		o.Network = interfaceAddresses
	}
	notice := func() chan struct{} { return make(chan struct{}, 1) }
	s := &Service{
		Options:     o,
		rescheduled: notice(), wake: notice(), kick: notice(), unsaved: notice(),
		slots:   make(chan struct{}, maxChecks),
		quick:   make(chan struct{}, maxQuick),
		entries: make(map[mesh.DeviceID]*entry, len(stored)),
	}
	s.schedule.Store(&Schedule{Interval: o.Interval, Timeout: o.Timeout})
	now := o.Now()
	for _, d := range stored {
		e := &entry{Device: Device{Device: d, Presence: mesh.PresenceOf(d)}}
		if e.Presence.LastSeen.After(now) {
			e.Presence.LastSeen = now // by a clock that was wrong then
		}
		s.entries[d.ID] = e
	}
	s.recall(sightings)
	s.settle()
	return s, nil
}

// recall takes in how it went when devices were last looked for.
func (s *Service) recall(sightings []mesh.Sighting) {
	for _, g := range sightings {
		if e, ok := s.entries[g.DeviceID]; ok {
			e.Presence.Response = g.Response
			e.last.At, e.last.Address = g.CheckedAt, g.Address
			if g.Reachable {
				e.last.Outcome = mesh.Reached
			}
		}
	}
}

// notify leaves a notice, unless there is one already.
func notify(notices chan struct{}) {
	select {
	case notices <- struct{}{}:
	default:
	}
}

// List returns every device but the archived ones: Available first, then
// Offline, then Needs re-pairing, each by name.
func (s *Service) List() []Device {
	return s.list(func(d Device) bool { return !d.Archived() })
}

// Archived returns the devices that are kept out of the list, in the same order.
func (s *Service) Archived() []Device {
	return s.list(func(d Device) bool { return d.Archived() })
}

func (s *Service) list(in func(Device) bool) []Device {
	view := s.view()
	s.mu.RLock()
	list := make([]Device, 0, len(s.entries))
	for _, e := range s.entries {
		if in(e.Device) {
			list = append(list, view.of(e.Device))
		}
	}
	s.mu.RUnlock()
	slices.SortFunc(list, func(a, b Device) int {
		return cmp.Or(
			cmp.Compare(rank(a.Status), rank(b.Status)),
			cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)),
			cmp.Compare(a.ID, b.ID),
		)
	})
	return list
}

func rank(s mesh.Status) int {
	return slices.Index([]mesh.Status{mesh.StatusAvailable, mesh.StatusOffline, mesh.StatusNeedsRepair}, s)
}

// SetSchedule changes when devices are checked. The next round comes by the new
// schedule, counted from now.
func (s *Service) SetSchedule(schedule Schedule) {
	s.schedule.Store(&schedule)
	notify(s.rescheduled)
}

// Get returns one device, archived or not, or sdk.NotFound.
func (s *Service) Get(id mesh.DeviceID) (Device, error) {
	view := s.view()
	s.mu.RLock()
	defer s.mu.RUnlock()
	e, ok := s.entries[id]
	if !ok {
		return Device{}, unknown()
	}
	return view.of(e.Device), nil
}

// Name returns the device's name, or "" when there is no such device.
func (s *Service) Name(id mesh.DeviceID) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if e, ok := s.entries[id]; ok {
		return e.Name
	}
	return ""
}

// Paired takes in a device that has just been paired, or paired again. Both
// sides have just spoken, so it is Available.
func (s *Service) Paired(d mesh.Device) {
	s.Caller.Forget(d.ID)
	s.put(Device{Device: d, Presence: mesh.Presence{Status: mesh.StatusAvailable, LastSeen: s.Now()}})
	s.Log.Info("device paired", "device", d.ID, "name", d.Name, "kind", d.Kind)
}

func (s *Service) put(d Device) {
	view := s.view()
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[d.ID]
	if e == nil {
		e = &entry{}
		s.entries[d.ID] = e
	}
	e.Device, e.hints, e.unsave, e.back = d, nil, true, false
	e.last = mesh.Sample{Outcome: mesh.Reached, At: d.Presence.LastSeen}
	notify(s.unsaved)
	s.tell(e, view)
}

// Absorbed drops a device from the list that another one turned out to be.
func (s *Service) Absorbed(id mesh.DeviceID) {
	s.writes.Lock()
	defer s.writes.Unlock()
	s.drop(id)
}

func unknown() error { return sdk.Errorf(sdk.NotFound, "Device not recognized") }
