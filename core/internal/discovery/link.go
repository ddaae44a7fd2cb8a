package discovery

import (
	"net/netip"
	"slices"
	"time"
)

// maxReceived bounds the packets of one interface that are looked at: so many a
// second, and as many at once. A busy office sends a few dozen.
const maxReceived = 250

// Interface is one of this machine's network interfaces.
type Interface struct {
	Index    int
	Name     string
	Prefixes []netip.Prefix // its addresses, each with the size of its network
}

func (i Interface) equal(o Interface) bool {
	return i.Index == o.Index && i.Name == o.Name && slices.Equal(i.Prefixes, o.Prefixes)
}

// speaks reports whether the interface has an address of IPv4, or of IPv6.
func (i Interface) speaks(v4 bool) bool {
	return slices.ContainsFunc(i.Prefixes, func(p netip.Prefix) bool { return p.Addr().Is4() == v4 })
}

// onLink reports whether the address is reached on this interface without a
// router.
func (i Interface) onLink(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	return a.IsLinkLocalUnicast() && i.speaks(a.Is4()) ||
		slices.ContainsFunc(i.Prefixes, func(p netip.Prefix) bool { return p.Contains(a) && !a.IsMulticast() })
}

// announced are the addresses to announce on this interface. Link-local ones of
// IPv6 are for want of others: many programs cannot use them.
func (i Interface) announced() []netip.Addr {
	var v4, v6, local []netip.Addr
	for _, p := range i.Prefixes {
		switch a := p.Addr(); {
		case a.IsLoopback(), a.IsMulticast(), a.IsUnspecified():
		case a.Is4():
			v4 = append(v4, a)
		case a.IsLinkLocalUnicast():
			local = append(local, a)
		default:
			v6 = append(v6, a)
		}
	}
	if len(v6) == 0 {
		v6 = local
	}
	all := slices.Concat(v4, v6)
	return all[:min(len(all), maxOwnAddresses)]
}

// link is discovery on one interface.
type link struct {
	Interface
	responder *responder
	cache     *cache
	browser   *browser
	received  bucket
}

func newLink(now time.Time, i Interface, o Options, random func(n int) int) *link {
	l := &link{
		Interface: i, responder: newResponder(random), cache: newCache(random, o.Known),
		received: bucket{rate: maxReceived},
	}
	l.browser = newBrowser(now, l.cache, func() (record, bool) {
		return l.responder.zone.pointer(), l.responder.established()
	})
	return l
}

// update takes in this interface and this gateway as they are now.
func (l *link) update(now time.Time, i Interface, info Info) {
	moved := !slices.Equal(l.Prefixes, i.Prefixes)
	l.Interface = i
	l.responder.update(now, info.label(), zone{port: info.Port, text: info.text(), addresses: i.announced()})
	l.cache.own = l.responder.zone.instance()
	if moved {
		l.browser.again(now) // it may be another network altogether
	}
}

// again announces and asks anew.
func (l *link) again(now time.Time) {
	l.responder.again(now)
	l.browser.again(now)
}

// receive takes in a packet. It reports whether the list of gateways may have
// changed.
func (l *link) receive(now time.Time, from sender, m message) (out []outgoing, news bool) {
	if m.response {
		if from.address.Port() != mdnsPort { // RFC 6762, section 6
			return nil, false
		}
		news = l.cache.take(now, slices.Concat(m.answers, m.additionals))
	}
	out = l.responder.receive(now, from, m)
	l.cache.own = l.responder.zone.instance()
	return out, news
}

func (l *link) tick(now time.Time) (out []outgoing, news bool) {
	asked, news := l.browser.tick(now)
	return append(l.responder.tick(now), asked...), news
}

func (l *link) due() time.Time { return earliest(l.responder.due(), l.browser.due()) }

// found are the gateways of this interface with the addresses that it reaches.
// Others are not passed on: nobody shall make us call a stranger elsewhere.
func (l *link) found() []found {
	list := l.browser.found()
	for n := range list {
		f := &list[n]
		f.addresses = slices.DeleteFunc(f.addresses, func(a netip.Addr) bool { return !l.onLink(a) })
		for i, a := range f.addresses {
			if a.Is6() && a.IsLinkLocalUnicast() {
				f.addresses[i] = a.WithZone(l.Name)
			}
		}
	}
	return list
}
