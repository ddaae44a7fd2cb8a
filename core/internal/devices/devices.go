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
	UpdateDevice(ctx context.Context, device mesh.Device) error
	RemoveDevice(ctx context.Context, id mesh.DeviceID) error
}

// Caller reaches other gateways.
type Caller interface {
	Health(ctx context.Context, device mesh.Device) (mesh.Health, error)
	Removed(ctx context.Context, device mesh.Device) error
	Address(id mesh.DeviceID) string
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
	Interval time.Duration // between rounds of pings
	Timeout  time.Duration // for one ping
	Now      func() time.Time
	Log      hclog.Logger
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

	writes  sync.Mutex   // one change at a time, from the store to the list
	mu      sync.RWMutex // guards devices; never held during I/O
	devices map[mesh.DeviceID]Device
}

// New loads the devices from the store. Until the first round every gateway is
// Offline: nobody has been asked yet.
func New(ctx context.Context, o Options) (*Service, error) {
	stored, err := o.Store.Devices(ctx)
	if err != nil {
		return nil, fmt.Errorf("load devices: %w", err)
	}
	s := &Service{Options: o, rescheduled: make(chan struct{}, 1), devices: make(map[mesh.DeviceID]Device, len(stored))}
	s.schedule.Store(&Schedule{Interval: o.Interval, Timeout: o.Timeout})
	for _, d := range stored {
		s.devices[d.ID] = Device{Device: d, Presence: mesh.PresenceOf(d)}
	}
	return s, nil
}

// List returns every device: Available first, then Offline, then Needs
// re-pairing, each by name.
func (s *Service) List() []Device {
	uses, now := s.LastUses(), s.Now()
	s.mu.RLock()
	list := make([]Device, 0, len(s.devices))
	for _, d := range s.devices {
		list = append(list, d.usedAt(uses[d.ID], now))
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

// SetSchedule changes when devices are pinged. The next round comes by the new
// schedule, counted from now.
func (s *Service) SetSchedule(schedule Schedule) {
	s.schedule.Store(&schedule)
	select {
	case s.rescheduled <- struct{}{}:
	default:
	}
}

// Get returns one device, or sdk.NotFound.
func (s *Service) Get(id mesh.DeviceID) (Device, error) {
	d, err := s.get(id)
	return d.usedAt(s.LastUses()[id], s.Now()), err
}

func (s *Service) get(id mesh.DeviceID) (Device, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	d, ok := s.devices[id]
	if !ok {
		return Device{}, unknown()
	}
	return d, nil
}

// recentUse is how long a phone that used its access counts as Available.
const recentUse = 2 * time.Minute

// usedAt is the device as its last use of its access shows it, if that is the
// only sign of it.
func (d Device) usedAt(used, now time.Time) Device {
	if d.Kind == mesh.KindGateway || d.Status == mesh.StatusNeedsRepair {
		return d
	}
	d.Status = mesh.StatusOffline
	if used.After(d.Presence.LastSeen) {
		d.Presence.LastSeen = used
	}
	if !used.IsZero() && now.Sub(used) < recentUse {
		d.Status = mesh.StatusAvailable
	}
	return d
}

// Name returns the device's name, or "" when there is no such device.
func (s *Service) Name(id mesh.DeviceID) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.devices[id].Name
}

// Paired takes in a device that has just been paired, or paired again. Both
// sides have just spoken, so it is Available.
func (s *Service) Paired(d mesh.Device) {
	s.writes.Lock()
	defer s.writes.Unlock()
	s.Caller.Forget(d.ID)
	s.put(Device{Device: d, Presence: mesh.Presence{Status: mesh.StatusAvailable, LastSeen: s.Now()}})
	s.Log.Info("device paired", "device", d.ID, "name", d.Name, "kind", d.Kind)
}

// Absorbed drops a device from the list that another one turned out to be.
func (s *Service) Absorbed(id mesh.DeviceID) {
	s.writes.Lock()
	defer s.writes.Unlock()
	s.drop(id)
}

// Rename gives the device another name on this machine.
func (s *Service) Rename(ctx context.Context, id mesh.DeviceID, name string) (Device, error) {
	clean := mesh.CleanName(name)
	if clean == "" {
		return Device{}, sdk.Errorf(sdk.Invalid, "Type a name for the device.")
	}
	return s.change(ctx, id, func(d *Device) { d.Name = clean })
}

// Remove ends the device's access and forgets it. Its tokens and sessions stop
// opening anything before Remove returns.
func (s *Service) Remove(ctx context.Context, id mesh.DeviceID) error {
	s.writes.Lock()
	defer s.writes.Unlock()
	d, err := s.get(id)
	if err != nil {
		return err
	}
	for _, access := range s.Access {
		if err := access.Revoke(ctx, id); err != nil {
			return err
		}
	}
	s.tell(ctx, d)
	if err := s.Store.RemoveDevice(ctx, id); err != nil {
		return fmt.Errorf("remove device: %w", err)
	}
	s.drop(id)
	s.Log.Info("device access removed", "device", id)
	return nil
}

// tell lets a gateway that is there know that its access has ended. One that is
// not there finds out by itself.
func (s *Service) tell(ctx context.Context, d Device) {
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
	delete(s.devices, id)
	s.mu.Unlock()
	s.Caller.Forget(id)
}

// change edits a device in the store first, then in the list.
func (s *Service) change(ctx context.Context, id mesh.DeviceID, edit func(*Device)) (Device, error) {
	s.writes.Lock()
	defer s.writes.Unlock()
	d, err := s.get(id)
	if err != nil {
		return Device{}, err
	}
	edit(&d)
	if err := s.Store.UpdateDevice(ctx, d.Device); err != nil {
		return Device{}, fmt.Errorf("change device: %w", err)
	}
	s.put(d)
	return d, nil
}

func (s *Service) put(d Device) {
	s.mu.Lock()
	s.devices[d.ID] = d
	s.mu.Unlock()
}

func unknown() error { return sdk.Errorf(sdk.NotFound, "Device not recognized") }
