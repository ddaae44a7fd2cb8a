package discovery

import (
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestTwoGatewaysSeeEachOther(t *testing.T) {
	t.Parallel()
	for name, addresses := range map[string][2][]string{
		"IPv4 and IPv6": {{"10.7.0.1/24", "fd07::1/64"}, {"10.7.0.2/24", "fd07::2/64"}},
		"IPv6 alone":    {{"fd07::1/64"}, {"fd07::2/64"}},
		"link-local":    {{"169.254.7.1/16"}, {"169.254.7.2/16"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLAN(t)
			a := l.host(addresses[0]...).gateway(testInfo(1))
			b := l.host(addresses[1]...).gateway(testInfo(2))
			complete := func(port uint16, prefixes []string) func(Sighting) bool {
				return func(s Sighting) bool {
					for _, p := range prefixes {
						if !slices.Contains(s.Addresses, netip.AddrPortFrom(netip.MustParsePrefix(p).Addr(), port)) {
							return false
						}
					}
					return s.Name == "" && !s.Pairing
				}
			}
			a.sights("the other gateway", testID(2), complete(7002, addresses[1]))
			b.sights("the other gateway", testID(1), complete(7001, addresses[0]))

			b.end(syscall.SIGTERM)
			a.sights("goodbye", testID(2), Sighting.Gone)
		})
	}
}

func TestAGatewayChangesItsAddress(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	a, hostB := l.host("10.7.0.1/24").gateway(testInfo(1)), l.host("10.7.0.2/24")
	hostB.gateway(testInfo(2))
	a.sights("first address", testID(2), at("10.7.0.2:7002"))

	hostB.address("del", "eth0", "10.7.0.2/24")
	hostB.address("add", "eth0", "10.7.0.99/24")
	a.sights("second address alone", testID(2), func(s Sighting) bool {
		return at("10.7.0.99:7002")(s) && !at("10.7.0.2:7002")(s)
	})
}

func TestAnInterfaceComesAndGoes(t *testing.T) {
	t.Parallel()
	home, office := newLAN(t), newLAN(t)
	laptop := home.host("10.7.0.1/24")
	a := laptop.gateway(testInfo(1))
	b := home.host("10.7.0.2/24").gateway(testInfo(2))
	c := office.host("10.8.0.3/24").gateway(testInfo(3))
	a.sights("the gateway at home", testID(2), at("10.7.0.2:7002"))

	laptop.plug(office, "eth1", "10.8.0.1/24")
	a.sights("the gateway in the office", testID(3), at("10.8.0.3:7003"))
	c.sights("the laptop, by its address there", testID(1), func(s Sighting) bool {
		return at("10.8.0.1:7001")(s) && !at("10.7.0.1:7001")(s)
	})
	b.sights("the laptop, by its address there", testID(1), func(s Sighting) bool {
		return at("10.7.0.1:7001")(s) && !at("10.8.0.1:7001")(s)
	})

	laptop.ip("-n", laptop.name, "link", "del", "eth1")
	a.sights("the office out of reach", testID(3), Sighting.Gone)

	laptop.ip("-n", laptop.name, "link", "set", "eth0", "down")
	a.sights("home out of reach", testID(2), Sighting.Gone)
	laptop.ip("-n", laptop.name, "link", "set", "eth0", "up")
	a.sights("home again", testID(2), at("10.7.0.2:7002"))
}

func TestTwoCardsOnOneNetwork(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	both := l.host("10.7.0.1/24")
	both.plug(l, "eth1", "10.7.0.11/24")
	info := testInfo(1)
	p := both.gateway(info)
	b := l.host("10.7.0.2/24").gateway(testInfo(2))
	b.sights("either card", testID(1), func(s Sighting) bool { return !s.Gone() })
	p.sights("the other gateway", testID(2), at("10.7.0.2:7002"))
	p.end(syscall.SIGTERM)
	b.sights("goodbye", testID(1), Sighting.Gone)
}

func TestOpeningPairingTellsTheName(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	a := l.host("10.7.0.1/24").gateway(testInfo(1))
	b := l.host("10.7.0.2/24").gateway(testInfo(2))
	a.sights("closed", testID(2), func(s Sighting) bool { return !s.Pairing && s.Name == "" && !s.Gone() })

	open := testInfo(2)
	open.Pairing = true
	b.announce(open)
	a.sights("open", testID(2), func(s Sighting) bool { return s.Pairing && s.Name == "Device 2" })
	b.announce(testInfo(2))
	a.sights("closed again", testID(2), func(s Sighting) bool { return !s.Pairing && s.Name == "" && !s.Gone() })
}

// Two machines with the same data folder have the same key and so want the same
// name on the network. The second gets another one; both are found.
func TestACopiedDataFolder(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	watcher := l.host("10.7.0.1/24").gateway(testInfo(1))
	first := l.host("10.7.0.2/24").gateway(testInfo(2))
	watcher.sights("the original", testID(2), at("10.7.0.2:7002"))
	l.host("10.7.0.3/24").gateway(testInfo(2))
	watcher.sights("the copy beside the original", testID(2), func(s Sighting) bool {
		return at("10.7.0.2:7002")(s) && at("10.7.0.3:7002")(s)
	})
	first.end(syscall.SIGTERM)
	watcher.sights("the copy alone", testID(2), func(s Sighting) bool {
		return !at("10.7.0.2:7002")(s) && at("10.7.0.3:7002")(s)
	})
}

// A machine that loses power says no goodbye. When it is back it is told of at
// once, though nothing about it has changed.
func TestAKilledGatewayIsHeardAgain(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	a := l.host("10.7.0.1/24").gateway(testInfo(1))
	hostB := l.host("10.7.0.2/24")
	b := hostB.gateway(testInfo(2))
	first := a.sights("the gateway", testID(2), at("10.7.0.2:7002"))
	b.end(syscall.SIGKILL)
	hostB.gateway(testInfo(2))
	again := a.sights("the gateway again", testID(2), func(s Sighting) bool { return s.SeenAt.After(first.SeenAt) })
	if again.Gone() || !slices.Equal(again.Addresses, first.Addresses) {
		t.Errorf("first %v, then %v", first, again)
	}
}

// Nothing is open before Run, so a gateway that is told to be silent, and never
// runs the service, is.
func TestSilentUntilRun(t *testing.T) {
	l := newLAN(t)
	h := l.host("10.7.0.1/24")
	sockets := func() string {
		out, err := h.command("cat", "/proc/net/udp", "/proc/net/udp6").Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	const port = ":14E9 " // 5353
	if strings.Contains(sockets(), port) {
		t.Fatal("the port is open in a new namespace")
	}
	p := h.gateway(testInfo(1))
	l.host("10.7.0.2/24").gateway(testInfo(2))
	p.sights("the other gateway", testID(2), at("10.7.0.2:7002"))
	if !strings.Contains(sockets(), port) {
		t.Error("running, but the port is not open: this test looks in the wrong place")
	}
	p.end(syscall.SIGTERM)
	if strings.Contains(sockets(), port) {
		t.Error("the port is still open after the end")
	}
}
