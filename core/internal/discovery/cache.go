package discovery

import (
	"net/netip"
	"slices"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

const (
	// maxStrangers bounds the gateways of one interface that nobody here is paired
	// with. When they are all taken, new ones are not noticed.
	maxStrangers = 128
	// maxPerDevice bounds the instances of one interface that claim to be the same
	// paired device. A new one takes the place of the oldest.
	maxPerDevice = 4
	// maxAddresses bounds the addresses of one host.
	maxAddresses = 16
)

// instance is a gateway that was heard of, known to some part.
type instance struct {
	name    string
	pointer lease
	srv     lease
	txt     lease
	host    string // SRV
	port    uint16 // SRV
	text    string // TXT
	said    announced
	ok      bool // said is an announcement that we understand

	hosts map[netip.Addr]lease // the host's addresses
	tries int                  // questions for what is missing
	tryAt time.Time
	since time.Time
	heard time.Time // when it last spoke for itself
}

// cache is what other gateways announced on one interface. It is bounded
// whatever the network sends.
type cache struct {
	random    func(n int) int
	known     func(mesh.DeviceID) bool
	own       string // the name of our own instance, which is no news
	instances map[string]*instance
	places    int // left for strangers in the packet that is taken in
}

func newCache(random func(n int) int, known func(mesh.DeviceID) bool) *cache {
	return &cache{random: random, known: known, instances: map[string]*instance{}}
}

// take takes in a response. It reports whether anything in it matters.
func (c *cache) take(now time.Time, list []record) bool {
	c.places = maxStrangers - c.strangers()
	matters := false
	for _, r := range list {
		matters = c.takeService(now, r, list) || matters
	}
	// An address belongs to the instances whose SRV record names its host, and
	// that record may come after it.
	for _, r := range list {
		if r.addr.IsValid() {
			matters = c.takeAddress(now, r, list) || matters
		}
	}
	return matters
}

func (c *cache) takeService(now time.Time, r record, packet []record) bool {
	name := r.name
	if r.typ == dnsmessage.TypePTR && r.name == serviceName {
		name = r.target
	}
	if r.addr.IsValid() || !isInstance(name) || name == c.own {
		return false
	}
	if r.ttl == 0 {
		return c.end(name, r)
	}
	i := c.admit(now, name, packet)
	if i == nil {
		return false
	}
	fresh := newLease(now, r.ttl, c.random)
	i.tries = 0
	switch r.typ {
	case dnsmessage.TypePTR:
		i.pointer = fresh
	case dnsmessage.TypeSRV:
		if i.host != r.target {
			i.hosts = map[netip.Addr]lease{}
		}
		i.srv, i.host, i.port = fresh, r.target, r.port
		i.heard = now
	case dnsmessage.TypeTXT:
		i.txt, i.text = fresh, r.text
		i.said, i.ok = parseText(r.text)
	}
	return true
}

// end takes in a goodbye. It counts at once and not a second later (RFC 6762,
// section 10.1): nobody but the instance itself has these records, so nobody
// would come to their rescue.
func (c *cache) end(name string, r record) bool {
	i := c.instances[name]
	if i == nil {
		return false
	}
	switch {
	case r.typ == dnsmessage.TypePTR:
		delete(c.instances, name)
	case r.typ == dnsmessage.TypeSRV && r.target == i.host && r.port == i.port:
		i.srv = lease{}
	case r.typ == dnsmessage.TypeTXT && r.text == i.text:
		i.txt, i.ok = lease{}, false
	}
	return true
}

// admit returns the instance, making room for it; nil when there is none.
func (c *cache) admit(now time.Time, name string, packet []record) *instance {
	if i := c.instances[name]; i != nil {
		return i
	}
	if id, ok := claim(name, packet); ok && c.known(id) {
		c.makeRoom(id)
	} else if c.places <= 0 {
		return nil
	} else {
		c.places--
	}
	i := &instance{name: name, since: now, tryAt: now.Add(tryWait), hosts: map[netip.Addr]lease{}}
	c.instances[name] = i
	return i
}

// claim is the device that the packet says the instance is.
func claim(name string, packet []record) (mesh.DeviceID, bool) {
	for _, r := range packet {
		if r.name == name && r.typ == dnsmessage.TypeTXT {
			values := textValues(r.text)
			return mesh.DeviceID(values["id"]), understood(values)
		}
	}
	return "", false
}

func (c *cache) strangers() int {
	n := 0
	for _, i := range c.instances {
		if !i.ok || !c.known(i.said.id) {
			n++
		}
	}
	return n
}

func (c *cache) makeRoom(id mesh.DeviceID) {
	var same []*instance
	for _, i := range c.instances {
		if i.ok && i.said.id == id {
			same = append(same, i)
		}
	}
	if len(same) < maxPerDevice {
		return
	}
	oldest := slices.MinFunc(same, func(a, b *instance) int { return a.since.Compare(b.since) })
	delete(c.instances, oldest.name)
}

func (c *cache) takeAddress(now time.Time, r record, packet []record) bool {
	matters := false
	for _, i := range c.instances {
		if i.host != r.name || !i.srv.valid() {
			continue
		}
		matters = true
		if r.ttl == 0 {
			delete(i.hosts, r.addr)
			continue
		}
		if r.unique {
			i.flush(now, r.typ == dnsmessage.TypeA, packet)
		}
		if _, had := i.hosts[r.addr]; had || len(i.hosts) < maxAddresses {
			i.hosts[r.addr] = newLease(now, r.ttl, c.random)
		}
	}
	return matters
}

// flush drops the addresses of one family that the host has no longer.
func (i *instance) flush(now time.Time, v4 bool, packet []record) {
	for addr, l := range i.hosts {
		again := slices.ContainsFunc(packet, func(r record) bool { return r.name == i.host && r.addr == addr && r.ttl > 0 })
		if addr.Is4() == v4 && l.old(now) && !again {
			delete(i.hosts, addr)
		}
	}
}

// expire drops what has not been heard again in time. It reports whether
// anything was dropped.
func (c *cache) expire(now time.Time) bool {
	dropped := false
	gone := func(l lease) bool { return l.valid() && !l.end().After(now) }
	for name, i := range c.instances {
		for addr, l := range i.hosts {
			if gone(l) {
				delete(i.hosts, addr)
				dropped = true
			}
		}
		if gone(i.srv) {
			i.srv, dropped = lease{}, true
		}
		if gone(i.txt) {
			i.txt, i.ok, dropped = lease{}, false, true
		}
		if gone(i.pointer) || !i.pointer.valid() && !i.srv.valid() && !i.txt.valid() {
			delete(c.instances, name)
			dropped = true
		}
	}
	return dropped
}
