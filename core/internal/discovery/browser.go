package discovery

import (
	"net/netip"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Times of RFC 6762, section 5.2.
const (
	firstAsk  = 20 * time.Millisecond // before the first question, and up to
	askSpread = 100 * time.Millisecond
	askGap    = time.Second // before the second, tripled from one to the next, up to
	maxAskGap = time.Hour

	// What an announcement left out is asked for, so often at most.
	tryWait  = 100 * time.Millisecond
	tryGap   = time.Second
	maxTries = 5

	// maxAsked bounds the questions of one packet, and maxKnownBytes the known
	// answers in it: what is beyond goes into another packet.
	maxAsked      = 32
	maxKnownBytes = 1200
	// askRate bounds the questions, whatever others make us curious of: so many
	// packets a second, and as many at once.
	askRate = 10
)

// browser looks for gateways on one interface, for as long as it is ticked. It
// is a pure function of packets and time, as responder is.
type browser struct {
	cache  *cache
	random func(n int) int
	own    func() (record, bool) // our own PTR record, which is no news to us

	askAt time.Time
	gap   time.Duration
	limit bucket
}

func newBrowser(now time.Time, c *cache, own func() (record, bool)) *browser {
	b := &browser{cache: c, random: c.random, own: own, limit: bucket{rate: askRate}}
	b.again(now)
	return b
}

// again starts to ask from the beginning, as after waking from sleep.
func (b *browser) again(now time.Time) {
	b.askAt = now.Add(firstAsk + time.Duration(b.random(int(askSpread))))
	b.gap = askGap
}

// due is when tick has something to do.
func (b *browser) due() time.Time {
	at := b.askAt
	for _, i := range b.cache.instances {
		at = earliest(at, i.due())
	}
	return at
}

func (i *instance) due() time.Time {
	at := earliest(
		i.pointer.refresh(), i.srv.refresh(), i.txt.refresh(),
		endOf(i.pointer), endOf(i.srv), endOf(i.txt),
	)
	if i.incomplete() && i.tries < maxTries {
		at = earliest(at, i.tryAt)
	}
	for _, l := range i.hosts {
		at = earliest(at, l.refresh(), l.end())
	}
	return at
}

func endOf(l lease) time.Time {
	if !l.valid() {
		return time.Time{}
	}
	return l.end()
}

func (i *instance) incomplete() bool {
	return !i.srv.valid() || !i.txt.valid() || len(i.hosts) == 0
}

// tick asks what is due. It reports whether something was forgotten.
func (b *browser) tick(now time.Time) (out []outgoing, forgot bool) {
	forgot = b.cache.expire(now)
	ask := map[question]bool{}
	if reached(b.askAt, now) {
		ask[question{name: serviceName, typ: dnsmessage.TypePTR}] = true
		b.askAt = now.Add(b.gap)
		b.gap = min(3*b.gap, maxAskGap)
	}
	for _, i := range b.cache.instances {
		i.ask(now, ask)
	}
	who := question{name: serviceName, typ: dnsmessage.TypePTR}
	browsing := ask[who]
	var list []question
	if browsing {
		list = append(list, who)
		delete(ask, who)
	}
	for q := range ask {
		if len(list) < maxAsked {
			list = append(list, q)
		}
	}
	if len(list) == 0 || !b.limit.take(now) {
		return nil, forgot
	}
	if !browsing {
		return []outgoing{{message: message{questions: list}}}, forgot
	}
	return b.withKnown(now, list), forgot
}

// ask adds the questions about the instance whose time has come.
func (i *instance) ask(now time.Time, ask map[question]bool) {
	refresh := func(l *lease, name string, typ dnsmessage.Type) {
		if reached(l.refresh(), now) {
			l.asked++
			ask[question{name: name, typ: typ}] = true
		}
	}
	refresh(&i.pointer, serviceName, dnsmessage.TypePTR)
	refresh(&i.srv, i.name, dnsmessage.TypeSRV)
	refresh(&i.txt, i.name, dnsmessage.TypeTXT)
	for addr, l := range i.hosts {
		typ := dnsmessage.TypeA
		if addr.Is6() {
			typ = dnsmessage.TypeAAAA
		}
		refresh(&l, i.host, typ)
		i.hosts[addr] = l
	}
	if !i.incomplete() || i.tries >= maxTries || !reached(i.tryAt, now) {
		return
	}
	i.tryAt = now.Add(tryGap << (2 * i.tries))
	i.tries++
	switch {
	case !i.srv.valid() || !i.txt.valid():
		ask[question{name: i.name, typ: dnsmessage.TypeSRV}] = true
		ask[question{name: i.name, typ: dnsmessage.TypeTXT}] = true
	default:
		ask[question{name: i.host, typ: dnsmessage.TypeA}] = true
		ask[question{name: i.host, typ: dnsmessage.TypeAAAA}] = true
	}
}

// withKnown adds the gateways that we know for long enough, so that they keep
// silent (RFC 6762, section 7.1), in as many packets as it takes.
func (b *browser) withKnown(now time.Time, questions []question) []outgoing {
	out := []outgoing{{message: message{questions: questions}}}
	size := 0
	add := func(r record) {
		if size += len(r.target) + 12; size > maxKnownBytes {
			out[len(out)-1].truncated = true
			out, size = append(out, outgoing{}), len(r.target)
		}
		last := &out[len(out)-1]
		last.answers = append(last.answers, r)
	}
	if own, ok := b.own(); ok {
		add(own)
	}
	for _, i := range b.cache.instances {
		if i.pointer.valid() && i.pointer.half().After(now) {
			add(record{name: serviceName, typ: dnsmessage.TypePTR, ttl: i.pointer.left(now), target: i.name})
		}
	}
	return out
}

// found are the gateways that are known in full, with their addresses.
func (b *browser) found() []found {
	var list []found
	for _, i := range b.cache.instances {
		if !i.ok || !i.srv.valid() || i.port == 0 || len(i.hosts) == 0 {
			continue
		}
		f := found{announced: i.said, port: i.port, heard: i.heard}
		for addr := range i.hosts {
			f.addresses = append(f.addresses, addr)
		}
		list = append(list, f)
	}
	return list
}

// found is a gateway as it announces itself on one interface.
type found struct {
	announced
	port      uint16
	addresses []netip.Addr
	heard     time.Time
}
