package discovery

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// other is what gateway n announces, at 10.7.0.n.
func other(n int) zone {
	info := testInfo(n)
	return zone{
		label: info.label(), port: info.Port, text: info.text(),
		addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 7, byte(n >> 8), byte(n)})},
	}
}

func newTestCache(known ...mesh.DeviceID) *cache {
	return newCache(never, func(id mesh.DeviceID) bool { return slices.Contains(known, id) })
}

// foundIn is what the cache knows in full, as "id address ...".
func foundIn(c *cache) []string {
	var out []string
	for _, f := range (&browser{cache: c}).found() {
		text := string(f.id)
		slices.SortFunc(f.addresses, netip.Addr.Compare)
		for _, a := range f.addresses {
			text += " " + netip.AddrPortFrom(a, f.port).String()
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

func ended(list []record) []record {
	list = slices.Clone(list)
	for i := range list {
		list[i].ttl = 0
	}
	return list
}

func TestWhatIsRemembered(t *testing.T) {
	z := other(2)
	moved := z
	moved.addresses = []netip.Addr{netip.MustParseAddr("10.7.0.99")}
	both := z
	both.addresses = append(slices.Clone(z.addresses), moved.addresses...)
	newPort := z
	newPort.port = 1
	noPort := z
	noPort.port = 0
	strange := z
	strange.text = joinStrings([]string{"txtvers=9"})
	added := moved.hosts()
	added[0].unique = false
	seen, id := string(testID(2))+" 10.7.0.2:7002", string(testID(2))
	type step struct {
		after time.Duration
		list  []record
	}
	for name, c := range map[string]struct {
		steps []step
		want  []string
	}{
		"an announcement":         {[]step{{0, z.announcement()}}, []string{seen}},
		"backwards":               {[]step{{0, reversed(z.announcement())}}, []string{seen}},
		"piece by piece":          {[]step{{0, []record{z.pointer()}}, {1, z.service()}, {2, z.hosts()}}, []string{seen}},
		"without a pointer":       {[]step{{0, z.unique()}}, []string{seen}},
		"without a service":       {[]step{{0, append([]record{z.pointer()}, z.hosts()...)}}, nil},
		"address before service":  {[]step{{0, z.hosts()}, {1, z.service()}}, nil}, // it will be asked for
		"goodbye":                 {[]step{{0, z.announcement()}, {time.Minute, ended(z.announcement())}}, nil},
		"goodbye of the pointer":  {[]step{{0, z.announcement()}, {time.Minute, ended(z.announcement()[:1])}}, nil},
		"goodbye of the service":  {[]step{{0, z.announcement()}, {time.Minute, ended(z.service()[:1])}}, nil},
		"goodbye of the text":     {[]step{{0, z.announcement()}, {time.Minute, ended(z.service()[1:])}}, nil},
		"goodbye of the address":  {[]step{{0, z.announcement()}, {time.Minute, ended(z.hosts())}}, nil},
		"goodbye of another port": {[]step{{0, z.announcement()}, {time.Minute, ended(newPort.service()[:1])}}, []string{seen}},
		"goodbye of nobody":       {[]step{{0, ended(z.announcement())}}, nil},
		"moved":                   {[]step{{0, z.announcement()}, {time.Minute, moved.announcement()}}, []string{id + " 10.7.0.99:7002"}},
		"one more address":        {[]step{{0, z.announcement()}, {time.Minute, both.announcement()}}, []string{seen + " 10.7.0.99:7002"}},
		"addresses in two":        {[]step{{0, z.announcement()}, {flushGrace, moved.hosts()}}, []string{seen + " 10.7.0.99:7002"}},
		"address added":           {[]step{{0, z.announcement()}, {time.Minute, added}}, []string{seen + " 10.7.0.99:7002"}},
		"another port":            {[]step{{0, z.announcement()}, {time.Minute, newPort.announcement()}}, []string{id + " 10.7.0.2:1"}},
		"no port":                 {[]step{{0, noPort.announcement()}}, nil},
		"a text of the future":    {[]step{{0, strange.announcement()}}, nil},
		"the address runs out":    {[]step{{0, z.announcement()}, {hostTTL * time.Second, nil}}, nil},
		"just before that":        {[]step{{0, z.announcement()}, {hostTTL*time.Second - 1, nil}}, []string{seen}},
		"heard again":             {[]step{{0, z.announcement()}, {time.Minute, z.announcement()}, {hostTTL * time.Second, nil}}, []string{seen}},
		"two":                     {[]step{{0, z.announcement()}, {1, other(3).announcement()}}, []string{seen, string(testID(3)) + " 10.7.0.3:7003"}},
		"other services": {[]step{{0, []record{
			{name: "_http._tcp.local.", typ: dnsmessage.TypePTR, ttl: 9, target: "a._http._tcp.local."},
			{name: "a.b._salita._tcp.local.", typ: dnsmessage.TypeSRV, ttl: 9, target: "a.local.", port: 1},
			{name: serviceName, typ: dnsmessage.TypePTR, ttl: 9, target: serviceName},
			{name: serviceName, typ: dnsmessage.TypePTR, ttl: 9, target: "."},
		}}}, nil},
		"ourselves": {[]step{{0, other(1).announcement()}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			cache := newTestCache()
			cache.own = other(1).instance()
			for _, s := range c.steps {
				cache.expire(start.Add(s.after))
				cache.take(start.Add(s.after), s.list)
			}
			if got := foundIn(cache); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func reversed(list []record) []record {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

func TestEverythingIsForgottenInTheEnd(t *testing.T) {
	c := newTestCache()
	z := other(2)
	for _, r := range z.announcement() {
		r.ttl = 1 << 31 // a lifetime
		c.take(start, []record{r})
	}
	c.expire(start.Add(maxTTL))
	if len(c.instances) != 0 {
		t.Errorf("%d instances are left", len(c.instances))
	}
}

// Strangers find places as long as there are any; the paired device finds one
// always, and so it does when strangers claim to be it.
func TestAFloodOfStrangers(t *testing.T) {
	c := newTestCache(testID(7))
	flood := func(id mesh.DeviceID, amount int) {
		for n := range amount {
			info := testInfo(n)
			if info.ID = id; id == "" {
				info.ID = testID(n + 1000)
			}
			z := zone{label: fmt.Sprintf("%s-%d", strings.Repeat("x", 40), n), port: 1, text: info.text(), addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 7, 1, byte(n)})}}
			c.take(start.Add(time.Duration(n)), z.announcement())
		}
	}
	flood("", 10_000)
	if len(c.instances) != maxStrangers {
		t.Fatalf("%d instances are remembered", len(c.instances))
	}
	friend, stranger := other(7), other(8)
	if c.take(start, stranger.announcement()) {
		t.Error("one more stranger found a place")
	}
	c.take(start, friend.announcement())
	want := string(testID(7)) + " 10.7.0.7:7007"
	if !slices.Contains(foundIn(c), want) {
		t.Fatal("the paired device did not find a place")
	}
	flood(testID(7), 10_000)
	if n := len(c.instances); n > maxStrangers+maxPerDevice {
		t.Errorf("%d instances are remembered", n)
	}
	c.take(start, friend.announcement())
	if !slices.Contains(foundIn(c), want) {
		t.Error("the paired device did not find a place among those who claim to be it")
	}
}

func TestAFloodOfAddresses(t *testing.T) {
	c := newTestCache()
	z := other(2)
	c.take(start, z.announcement())
	for n := range 10_000 {
		c.take(start, []record{{name: z.host(), typ: dnsmessage.TypeA, ttl: 120, addr: netip.AddrFrom4([4]byte{10, 8, byte(n >> 8), byte(n)})}})
	}
	if n := len(c.instances[z.instance()].hosts); n != maxAddresses {
		t.Errorf("%d addresses are remembered", n)
	}
}
