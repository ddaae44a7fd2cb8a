package discovery

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

const (
	// newsGap is the least time between two notices about the same gateway.
	newsGap = time.Second
	// sightedAddresses bounds the addresses of one sighting.
	sightedAddresses = 16
)

// Sighting is a gateway that announces itself on the local network. It is a
// hint: anybody there can say anything. Nothing in it is to be believed before
// a handshake with the pinned key, and then only the address that it was with.
type Sighting struct {
	// ID is the short form of the gateway's key hash: KeyHash.DeviceID.
	ID mesh.DeviceID
	// Pairing says that a pairing window is open there. Name is empty otherwise.
	Pairing bool
	Name    string
	// Addresses are where it says it is, on networks that this machine is on:
	// IPv4 first, link-local ones of IPv6 last. None means that it is gone.
	Addresses []netip.AddrPort
	// SeenAt is when it was last heard, not merely remembered.
	SeenAt time.Time
}

// Gone reports whether the gateway has said goodbye, or was not heard for long.
func (s Sighting) Gone() bool { return len(s.Addresses) == 0 }

func (s Sighting) same(o Sighting) bool {
	return s.Pairing == o.Pairing && s.Name == o.Name && slices.Equal(s.Addresses, o.Addresses)
}

// sightings is what was found on all interfaces, by device.
type sightings map[mesh.DeviceID]Sighting

// merge puts together what the interfaces found, but for this device itself.
func merge(self mesh.DeviceID, lists ...[]found) sightings {
	all := sightings{}
	for _, f := range slices.Concat(lists...) {
		if f.id == self || len(f.addresses) == 0 {
			continue
		}
		s, seen := all[f.id]
		if !seen || !f.heard.Before(s.SeenAt) {
			s.Pairing, s.Name, s.SeenAt = f.pairing, f.name, f.heard
		}
		s.ID = f.id
		for _, a := range f.addresses {
			s.Addresses = append(s.Addresses, netip.AddrPortFrom(a, f.port))
		}
		all[f.id] = s
	}
	for id, s := range all {
		slices.SortFunc(s.Addresses, compareAddress)
		s.Addresses = slices.Compact(s.Addresses)
		s.Addresses = s.Addresses[:min(len(s.Addresses), sightedAddresses)]
		all[id] = s
	}
	return all
}

func compareAddress(a, b netip.AddrPort) int {
	rank := func(a netip.Addr) int {
		switch {
		case a.Is4():
			return 0
		case a.IsLinkLocalUnicast():
			return 2
		}
		return 1
	}
	return cmp.Or(cmp.Compare(rank(a.Addr()), rank(b.Addr())), a.Compare(b))
}

func (s sightings) list() []Sighting {
	list := make([]Sighting, 0, len(s))
	for _, one := range s {
		one.Addresses = slices.Clone(one.Addresses)
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b Sighting) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// teller decides which sightings are told when, so that nobody is flooded.
type teller struct {
	told map[mesh.DeviceID]Sighting
	at   map[mesh.DeviceID]time.Time
}

func newTeller() *teller {
	return &teller{told: map[mesh.DeviceID]Sighting{}, at: map[mesh.DeviceID]time.Time{}}
}

// news returns what is to be told now and when to ask again, if there is more to
// tell by then.
func (t *teller) news(now time.Time, current sightings) (tell []Sighting, again time.Time) {
	consider := func(s Sighting) {
		if due := t.at[s.ID].Add(newsGap); due.After(now) {
			again = earliest(again, due)
			return
		}
		t.at[s.ID], t.told[s.ID] = now, s
		tell = append(tell, s)
	}
	for id, s := range current {
		before, known := t.told[id]
		if !known || !s.same(before) || s.SeenAt.After(before.SeenAt) {
			consider(s)
		}
	}
	for id, before := range t.told {
		if _, still := current[id]; still {
			continue
		}
		if !before.Gone() {
			consider(Sighting{ID: id, SeenAt: before.SeenAt})
		} else if t.at[id].Add(newsGap).Before(now) {
			delete(t.told, id)
			delete(t.at, id)
		} else {
			again = earliest(again, t.at[id].Add(newsGap+1))
		}
	}
	slices.SortFunc(tell, func(a, b Sighting) int { return cmp.Compare(a.ID, b.ID) })
	return tell, again
}
