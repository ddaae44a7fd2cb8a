package discovery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// network is an Ethernet in memory. It hands every packet to all that joined,
// the sender among them.
type network struct {
	mu      sync.Mutex
	members map[*plug]bool
	packets int
}

func newNetwork() *network { return &network{members: map[*plug]bool{}} }

// plug is one machine's connection to the network, by interface 1.
type plug struct {
	*network
	joined   bool
	deaf     atomic.Bool // nothing gets through, in either direction
	received chan packet
}

var _ conn = (*plug)(nil)

func (n *network) plug() *plug {
	p := &plug{network: n, received: make(chan packet, 4096)}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.members[p] = true
	return p
}

func (p *plug) join(Interface) error   { p.joined = true; return nil }
func (p *plug) leave(Interface)        { p.joined = false }
func (p *plug) packets() <-chan packet { return p.received }

func (p *plug) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.members, p)
}

func (p *plug) send(i Interface, to netip.AddrPort, data []byte) error {
	if p.deaf.Load() {
		return errors.New("the cable is out")
	}
	p.deliver(netip.AddrPortFrom(i.Prefixes[0].Addr(), mdnsPort), !to.IsValid(), data)
	return nil
}

// deliver gives a packet to all: one for a single address is of no harm to the
// others.
func (n *network) deliver(from netip.AddrPort, multicast bool, data []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.packets++
	for m := range n.members {
		if m.deaf.Load() {
			continue
		}
		select {
		case m.received <- packet{data: data, from: from, index: 1, multicast: multicast}:
		default:
		}
	}
}

func (n *network) sent() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.packets
}

// gateway is a service on a network in memory.
type gateway struct {
	*Service
	*plug
	mu     sync.Mutex
	info   Info
	prefix netip.Prefix
	ahead  time.Duration // by which its clock was moved
	seen   []Sighting
	stop   func()
}

func (g *gateway) set(change func(*gateway)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(g)
}

// news returns what was seen since the last call.
func (g *gateway) news() []Sighting {
	g.mu.Lock()
	defer g.mu.Unlock()
	seen := g.seen
	g.seen = nil
	return seen
}

func (n *network) gateway(t *testing.T, number int, known ...mesh.DeviceID) *gateway {
	t.Helper()
	g := &gateway{
		plug: n.plug(), info: testInfo(number),
		prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 7, byte(number >> 8), byte(number)}), 16),
	}
	g.Service = New(Options{
		Self:  func() (i Info) { g.set(func(g *gateway) { i = g.info }); return i },
		Seen:  func(s Sighting) { g.set(func(g *gateway) { g.seen = append(g.seen, s) }) },
		Known: func(id mesh.DeviceID) bool { return slices.Contains(known, id) },
		Interfaces: func() (list []Interface, err error) {
			g.set(func(g *gateway) { list = []Interface{{Index: 1, Name: "eth0", Prefixes: []netip.Prefix{g.prefix}}} })
			return list, nil
		},
		Now: func() (now time.Time) { g.set(func(g *gateway) { now = time.Now().Add(g.ahead) }); return now },
		Log: hclog.NewNullLogger(),
	})
	g.open = func() (conn, error) { return g.plug, nil }
	g.watch = func() (<-chan struct{}, func()) { return nil, func() {} }
	g.random = rand.New(rand.NewPCG(1, uint64(number))).IntN
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := g.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	g.stop = sync.OnceFunc(func() { cancel(); <-done })
	return g
}

func TestTwentyGatewaysAtHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		var all []*gateway
		for i := range 20 {
			g := n.gateway(t, i+1)
			defer g.stop()
			all = append(all, g)
		}
		time.Sleep(5 * time.Second)
		for i, g := range all {
			if list := g.Sightings(); len(list) != 19 {
				t.Fatalf("gateway %d sees %d others", i+1, len(list))
			}
		}
		time.Sleep(time.Minute)
		before := n.sent()
		time.Sleep(10 * time.Minute)
		if got := n.sent() - before; got > 20*40 {
			t.Errorf("%d packets in ten minutes for 20 gateways that rest", got)
		}
		for i, g := range all {
			if list := g.Sightings(); len(list) != 19 {
				t.Errorf("later gateway %d sees %d others", i+1, len(list))
			}
			g.news()
		}

		all[0].stop()
		time.Sleep(time.Second)
		for i, g := range all[1:] {
			if news := g.news(); len(news) != 1 || news[0].ID != testID(1) || !news[0].Gone() {
				t.Errorf("gateway %d was told %v", i+2, news)
			}
		}
		if list := all[0].Sightings(); len(list) != 0 {
			t.Errorf("after its end %v is seen", list)
		}
	})
}

func TestMovedGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, b := n.gateway(t, 1), n.gateway(t, 2)
		defer a.stop()
		defer b.stop()
		time.Sleep(time.Minute)
		a.news()
		b.set(func(b *gateway) { b.prefix = netip.MustParsePrefix("10.7.9.9/16") })
		time.Sleep(lookGap + time.Second)
		news := a.news()
		if len(news) == 0 || !slices.Equal(news[0].Addresses, ports("10.7.9.9:7002")) {
			t.Errorf("told %v", news)
		}
	})
}

func TestAVanishedGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, b := n.gateway(t, 1), n.gateway(t, 2)
		defer a.stop()
		defer b.stop()
		time.Sleep(time.Minute)
		b.deaf.Store(true)
		a.news()
		time.Sleep(hostTTL * time.Second)
		if news := a.news(); len(news) != 1 || !news[0].Gone() {
			t.Fatalf("told %v", news)
		}
		b.deaf.Store(false)
		b.Refresh()
		time.Sleep(2 * time.Second)
		if news := a.news(); len(news) == 0 || news[0].Gone() {
			t.Errorf("back, and told %v", news)
		}
	})
}

func TestWhatIsNewIsAnnouncedAtOnceWhenAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a, b := n.gateway(t, 1), n.gateway(t, 2)
		defer a.stop()
		defer b.stop()
		time.Sleep(time.Minute)
		a.news()
		b.set(func(b *gateway) { b.info.Pairing, b.info.Name = true, "NAS" })
		b.Refresh()
		time.Sleep(100 * time.Millisecond)
		if news := a.news(); len(news) != 1 || news[0].Name != "NAS" {
			t.Errorf("told %v", news)
		}
	})
}

func TestWakingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		g := n.gateway(t, 1)
		defer g.stop()
		time.Sleep(time.Minute)
		before := n.sent()
		time.Sleep(lookGap)
		if got := n.sent() - before; got != 0 {
			t.Fatalf("%d packets when nothing happens", got)
		}
		g.set(func(g *gateway) { g.ahead = time.Hour })
		time.Sleep(lookGap + 2*time.Second)
		if got := n.sent() - before; got < 2 {
			t.Errorf("%d packets after waking up, want a question and an announcement", got)
		}
	})
}

func TestAddressesElsewhereAreNotPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		g := n.gateway(t, 1)
		defer g.stop()
		z := other(2)
		z.addresses = addrs("8.8.8.8", "127.0.0.1", "192.168.1.1", "224.0.0.1", "::1", "fe80::1", "10.7.0.2", "0.0.0.0")
		time.Sleep(time.Second)
		n.deliver(netip.MustParseAddrPort("10.7.0.2:5353"), true, mustEncode(t, message{response: true, answers: z.announcement()}))
		time.Sleep(time.Second)
		list := g.Sightings()
		if len(list) != 1 || !slices.Equal(list[0].Addresses, ports("10.7.0.2:7002")) {
			t.Errorf("sees %v", list)
		}
	})
}

func TestWhatIsNotHeard(t *testing.T) {
	announcement := message{response: true, answers: other(2).announcement()}
	for name, c := range map[string]struct {
		from      string
		multicast bool
		heard     bool
	}{
		"to everybody":                 {"10.7.0.2:5353", true, true},
		"to us, from this network":     {"10.7.0.2:5353", false, true},
		"to us, from another network":  {"8.8.8.8:5353", false, false},
		"from a port that may be user": {"10.7.0.2:5354", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork()
				g := n.gateway(t, 1)
				defer g.stop()
				time.Sleep(time.Second)
				n.deliver(netip.MustParseAddrPort(c.from), c.multicast, mustEncode(t, announcement))
				time.Sleep(time.Second)
				if got := len(g.Sightings()) == 1; got != c.heard {
					t.Errorf("heard: %v, want %v", got, c.heard)
				}
			})
		})
	}
}

// Whoever floods the network with forged gateways gets little memory of ours,
// and does not keep a paired device from being seen.
func TestAHostileNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		g := n.gateway(t, 1, testID(2))
		defer g.stop()
		time.Sleep(time.Second)
		var forged []record
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range 50_000 {
			z := other(3 + i%60_000)
			z.label = fmt.Sprintf("%s-%d", strings.Repeat("x", 40), i)
			z.text = joinStrings([]string{"txtvers=1", "id=" + string(testID(3+i)), "pair=1", "name=" + strings.Repeat("x", 200)})
			if forged = append(forged, z.announcement()...); len(forged) < 60 {
				continue
			}
			data, err := encode(message{response: true, answers: forged})
			if err != nil {
				t.Fatal(err)
			}
			n.deliver(netip.AddrPortFrom(z.addresses[0], mdnsPort), true, data)
			forged = nil
			time.Sleep(5 * time.Millisecond)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
			t.Errorf("%d bytes are kept", grown)
		}
		if list := g.Sightings(); len(list) != maxStrangers {
			t.Errorf("%d strangers are seen", len(list))
		}
		if told := len(g.news()); told > 2*maxStrangers {
			t.Errorf("told %d times", told)
		}
		friend := n.gateway(t, 2)
		defer friend.stop()
		time.Sleep(2 * time.Second)
		if news := g.news(); !slices.ContainsFunc(news, func(s Sighting) bool { return s.ID == testID(2) }) {
			t.Error("the paired device was not seen")
		}
	})
}

func TestANetworkThatCannotBeUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		tries := 0
		g := &gateway{plug: n.plug()}
		var log strings.Builder
		s := New(Options{
			Self:       func() Info { return testInfo(1) },
			Interfaces: func() ([]Interface, error) { return nil, errors.New("no idea") },
			Now:        time.Now, Log: hclog.New(&hclog.LoggerOptions{Output: &log}),
		})
		s.open = func() (conn, error) {
			if tries++; tries < 4 {
				return nil, errors.New("the port is taken")
			}
			return g.plug, nil
		}
		s.watch = func() (<-chan struct{}, func()) { return nil, func() {} }
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(4 * retryGap)
		cancel()
		if err := <-done; err != nil || tries != 4 {
			t.Errorf("run: %v, after %d tries", err, tries)
		}
		if got := strings.Count(log.String(), "the port is taken"); got != 1 {
			t.Errorf("the reason is logged %d times", got)
		}
		if len(s.Sightings()) != 0 {
			t.Error("something is seen")
		}
	})
}

func TestRunEndsWhileTheNetworkCannotBeUsed(t *testing.T) {
	s := New(Options{Self: func() Info { return Info{} }, Now: time.Now, Log: hclog.NewNullLogger()})
	s.open = func() (conn, error) { return nil, errors.New("no") }
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
}

// FuzzLink feeds a gateway anything at all: it stays within its bounds, never
// waits for a moment that has passed, and sends nothing that cannot be sent.
func FuzzLink(f *testing.F) {
	z, mine := other(2), testZone()
	f.Add(mustEncode(f, message{response: true, answers: z.announcement()}), mustEncode(f, browse()), uint16(1000), uint16(5353))
	f.Add(mustEncode(f, message{response: true, answers: ended(z.announcement())}), mustEncode(f, theirs(mine)), uint16(1), uint16(5353))
	f.Add(mustEncode(f, message{questions: []question{{name: mine.host(), typ: typeANY, unicast: true}}, authorities: mine.unique()}), mustEncode(f, browse(mine.pointer())), uint16(200), uint16(53))
	f.Fuzz(func(t *testing.T, one, two []byte, pause, port uint16) {
		ethernet := Interface{Index: 1, Name: "eth0", Prefixes: []netip.Prefix{netip.MustParsePrefix("10.7.0.1/24")}}
		now := start
		l := newLink(now, ethernet, Options{Known: func(id mesh.DeviceID) bool { return id == testID(2) }}, never)
		l.update(now, ethernet, testInfo(1))
		from := remote(netip.AddrPortFrom(netip.MustParseAddr("10.7.0.9"), port).String())
		for n := range 12 {
			packet := one
			if n%2 == 1 {
				packet = two
			}
			if m, err := decode(packet); err == nil {
				out, _ := l.receive(now, from, m)
				checkOutgoing(t, out)
			}
			until := now.Add(time.Duration(pause) * time.Millisecond)
			for !l.due().After(until) {
				if due := l.due(); due.After(now) {
					now = due
				}
				out, _ := l.tick(now)
				checkOutgoing(t, out)
				if due := l.due(); !due.After(now) {
					t.Fatalf("at %v the next step is due at %v", now.Sub(start), due.Sub(start))
				}
			}
			now = until
			l.found()
		}
		if len(l.cache.instances) > maxStrangers+maxPerDevice || len(l.responder.replies.pending) > 64 || len(l.responder.replies.last) > 64 {
			t.Errorf("%d instances, %d answers pending", len(l.cache.instances), len(l.responder.replies.pending))
		}
	})
}

func checkOutgoing(t *testing.T, out []outgoing) {
	t.Helper()
	for _, o := range out {
		if data, err := encode(o.message); err != nil || len(data) > maxPacket {
			t.Fatalf("%d bytes, %v: %+v", len(data), err, o)
		}
	}
}
