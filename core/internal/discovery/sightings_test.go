package discovery

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

var comparable = cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func ports(list ...string) []netip.AddrPort {
	var out []netip.AddrPort
	for _, s := range list {
		out = append(out, netip.MustParseAddrPort(s))
	}
	return out
}

func TestMerge(t *testing.T) {
	two := announced{id: testID(2)}
	pairing := announced{id: testID(2), pairing: true, name: "NAS"}
	self := announced{id: testID(1)}
	later := start.Add(time.Second)
	for name, c := range map[string]struct {
		lists [][]found
		want  []Sighting
	}{
		"nothing":               {nil, []Sighting{}},
		"ourselves":             {[][]found{{{announced: self, port: 1, addresses: addrs("10.7.0.1"), heard: start}}}, []Sighting{}},
		"nowhere that we reach": {[][]found{{{announced: two, port: 1, heard: start}}}, []Sighting{}},
		"addresses in order": {
			[][]found{{{announced: two, port: 1, addresses: addrs("fe80::2%eth0", "fd07::2", "10.7.0.9", "10.7.0.2"), heard: start}}},
			[]Sighting{{ID: testID(2), SeenAt: start, Addresses: ports("10.7.0.2:1", "10.7.0.9:1", "[fd07::2]:1", "[fe80::2%eth0]:1")}},
		},
		"on two networks": {
			[][]found{
				{{announced: pairing, port: 1, addresses: addrs("10.7.0.2"), heard: later}},
				{{announced: two, port: 1, addresses: addrs("10.8.0.2", "10.7.0.2"), heard: start}},
			},
			[]Sighting{{ID: testID(2), Pairing: true, Name: "NAS", SeenAt: later, Addresses: ports("10.7.0.2:1", "10.8.0.2:1")}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, merge(testID(1), c.lists...).list(), comparable); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
	var many []netip.Addr
	for n := range 100 {
		many = append(many, netip.AddrFrom4([4]byte{10, 7, 0, byte(n)}))
	}
	if list := merge("", []found{{announced: two, port: 1, addresses: many}}).list(); len(list[0].Addresses) != sightedAddresses {
		t.Errorf("%d addresses", len(list[0].Addresses))
	}
}

func TestWhoIsTold(t *testing.T) {
	there := func(seen time.Duration, address string) sightings {
		return sightings{testID(2): {ID: testID(2), Addresses: ports(address), SeenAt: start.Add(seen)}}
	}
	gone := sightings{}
	type step struct {
		at      time.Duration
		current sightings
		told    string        // the address, "gone" or "" for nothing
		again   time.Duration // when to ask again; 0 for never
	}
	const a, b, s = "10.7.0.2:1", "10.7.0.3:1", time.Second
	for name, steps := range map[string][]step{
		"new":                 {{0, there(0, a), a, 0}, {s, there(0, a), "", 0}},
		"moved":               {{0, there(0, a), a, 0}, {s, there(s, b), b, 0}},
		"moved at once":       {{0, there(0, a), a, 0}, {ms, there(ms, b), "", s}, {s, there(ms, b), b, 0}},
		"there and back":      {{0, there(0, a), a, 0}, {ms, there(0, b), "", s}, {2 * ms, there(0, a), "", 0}, {s, there(0, a), "", 0}},
		"heard again":         {{0, there(0, a), a, 0}, {time.Hour, there(time.Hour, a), a, 0}},
		"heard again at once": {{0, there(0, a), a, 0}, {ms, there(ms, a), "", s}, {s, there(ms, a), a, 0}},
		"gone":                {{0, there(0, a), a, 0}, {time.Hour, gone, "gone", 0}, {time.Hour + 2*s, gone, "", 0}},
		"gone and back":       {{0, there(0, a), a, 0}, {time.Hour, gone, "gone", 0}, {time.Hour + s, there(time.Hour+s, a), a, 0}},
		"gone at once":        {{0, there(0, a), a, 0}, {ms, gone, "", s}, {s, gone, "gone", 0}},
		"never there":         {{0, gone, "", 0}},
	} {
		t.Run(name, func(t *testing.T) {
			tell := newTeller()
			for _, c := range steps {
				news, again := tell.news(start.Add(c.at), c.current)
				told := ""
				for _, s := range news {
					if told = "gone"; !s.Gone() {
						told = s.Addresses[0].String()
					}
				}
				var after time.Duration
				if !again.IsZero() {
					after = again.Sub(start)
				}
				if told != c.told || after != c.again {
					t.Errorf("after %v: told %q, again after %v; want %q, %v", c.at, told, after, c.told, c.again)
				}
			}
		})
	}
}

func TestTheTellerForgets(t *testing.T) {
	tell := newTeller()
	for n := range 1000 {
		now := start.Add(time.Duration(n) * 10 * time.Millisecond)
		id := mesh.DeviceID(testID(n))
		tell.news(now, sightings{id: {ID: id, Addresses: ports("10.7.0.2:1"), SeenAt: now}})
	}
	if len(tell.told) > 250 || len(tell.at) > 250 {
		t.Errorf("%d devices of the last ten seconds are remembered", len(tell.told))
	}
}
