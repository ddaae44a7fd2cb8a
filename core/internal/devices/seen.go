package devices

import (
	"net/netip"
	"slices"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// Seen takes in that a gateway with this key may be at these addresses (host:port
// with a literal IP address), as somebody on the local network says who may be
// lying. It only makes the device be looked for there, beside where it was: an
// address counts once the key was proved at it. Keys of strangers are passed
// over. It never blocks.
func (s *Service) Seen(key mesh.KeyHash, addresses []string) {
	var hints []string
	for _, a := range addresses {
		if _, err := netip.ParseAddrPort(a); err == nil && len(hints) < maxAddresses && !slices.Contains(hints, a) {
			hints = append(hints, a)
		}
	}
	id, look := s.takeHints(key, hints)
	if look {
		s.Caller.Refresh(id)
		s.CheckSoon(id)
	}
}

// takeHints reports whether they are news: not those of a device that is there,
// where we have it.
func (s *Service) takeHints(key mesh.KeyHash, hints []string) (mesh.DeviceID, bool) {
	if key.IsZero() {
		return "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, e := range s.entries {
		if e.Key != key {
			continue
		}
		there := e.Status != mesh.StatusOffline && !e.Archived()
		if there && len(e.Addresses) > 0 && slices.Contains(hints, e.Addresses[0]) {
			return id, false
		}
		if !slices.Equal(e.hints, hints) {
			e.hints = hints
			e.overtake(time.Now())
		}
		return id, true
	}
	return "", false
}

// callable is the device with every address that it may have: where it was last,
// then where it was sighted, then where it was before. The caller holds mu.
func (e *entry) callable() mesh.Device {
	d := e.Device.Device
	if len(e.hints) == 0 {
		return d
	}
	var all []string
	for _, list := range [][]string{d.Addresses[:min(1, len(d.Addresses))], e.hints, d.Addresses} {
		for _, a := range list {
			if !slices.Contains(all, a) {
				all = append(all, a)
			}
		}
	}
	d.Addresses = all
	return d
}
