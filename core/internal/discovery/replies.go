package discovery

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Times and amounts of RFC 6762, sections 6 and 7.2.
const (
	typeANY = dnsmessage.TypeALL

	sharedWait   = 20 * time.Millisecond // before answers that others give too, and
	sharedSpread = 100 * time.Millisecond
	moreWait     = 400 * time.Millisecond // when more known answers are to come, and
	moreSpread   = 100 * time.Millisecond
	repeatGap    = time.Second            // a record is not sent again within it,
	defendGap    = 250 * time.Millisecond // unless against a probe

	// unicastRate bounds answers to single hosts, so that forged questions do
	// not make us flood one: so many a second, and as many at once.
	unicastRate = 20
)

// sender is where a packet came from.
type sender struct {
	address    netip.AddrPort
	ownMachine bool                  // it came from this machine, perhaps from us
	ownAddress func(netip.Addr) bool // whether an address is this machine's
}

// asked is an answer that waits to be sent.
type asked struct {
	at time.Time
	by netip.Addr // who asked; zero for several
}

// replies answers questions: at most once a second each, together where that
// goes, not to those who know already.
type replies struct {
	random  func(n int) int
	pending map[record]asked
	last    map[record]time.Time // when each record was last sent to everybody
	unicast bucket
}

func newReplies(random func(n int) int) replies {
	return replies{
		random: random, pending: map[record]asked{}, last: map[record]time.Time{},
		unicast: bucket{rate: unicastRate},
	}
}

// forget drops all, for the name is no longer ours.
func (p *replies) forget() {
	clear(p.pending)
	clear(p.last)
}

// sent takes note of what was sent to everybody.
func (p *replies) sent(now time.Time, list []record) {
	maps.DeleteFunc(p.last, func(r record, at time.Time) bool { return now.Sub(at) > otherTTL*time.Second })
	for _, r := range list {
		p.last[r.key()] = now
		delete(p.pending, r)
	}
}

func (p *replies) due() time.Time {
	var at time.Time
	for _, a := range p.pending {
		at = earliest(at, a.at)
	}
	return at
}

// query takes in a query and returns what is answered to the sender alone. What
// everybody shall hear waits for tick.
func (p *replies) query(now time.Time, from sender, m message, z zone) []outgoing {
	p.suppress(from, m.answers)
	legacy := from.address.Port() != mdnsPort
	wait := time.Duration(0)
	switch {
	case m.truncated:
		wait = moreWait + time.Duration(p.random(int(moreSpread)))
	case len(m.questions) > 1 || slices.ContainsFunc(m.questions, isShared):
		wait = sharedWait + time.Duration(p.random(int(sharedSpread)))
	}
	defends := len(m.authorities) > 0
	if defends {
		wait = 0
	}
	var direct []record
	for _, q := range m.questions {
		for _, r := range z.answer(q) {
			switch {
			case knows(m.answers, r):
			case legacy, q.unicast && p.isFresh(now, r):
				direct = append(direct, r)
			default:
				p.ask(now.Add(wait), now, r, from.address.Addr(), defends)
			}
		}
	}
	return p.direct(now, from, m, z, direct, legacy)
}

func isShared(q question) bool { return q.name == serviceName || q.name == catalogueName }

// knows reports whether the asker has the record for long enough.
func knows(known []record, r record) bool {
	return slices.ContainsFunc(known, func(k record) bool { return k.key() == r.key() && k.ttl >= r.ttl/2 })
}

// suppress drops what only the sender asked for and, as it says later, knows.
func (p *replies) suppress(from sender, known []record) {
	for r, a := range p.pending {
		if a.by == from.address.Addr() && knows(known, r) {
			delete(p.pending, r)
		}
	}
}

// isFresh reports whether everybody has been told lately enough that one who
// does not know can be told alone (RFC 6762, section 5.4).
func (p *replies) isFresh(now time.Time, r record) bool {
	last, ok := p.last[r.key()]
	return ok && now.Sub(last) < time.Duration(r.ttl)*time.Second/4
}

func (p *replies) ask(at, now time.Time, r record, by netip.Addr, defends bool) {
	gap := repeatGap
	if defends {
		gap = defendGap
	}
	if last, ok := p.last[r.key()]; ok && last.Add(gap).After(at) {
		at = last.Add(gap)
	}
	if before, ok := p.pending[r]; ok {
		if before.by != by {
			by = netip.Addr{}
		}
		at = earliest(at, before.at)
	}
	p.pending[r] = asked{at: at, by: by}
}

// direct is the answer to one host. One that does not speak multicast DNS gets
// what it expects of an ordinary server.
func (p *replies) direct(now time.Time, from sender, m message, z zone, answers []record, legacy bool) []outgoing {
	if len(answers) == 0 || !p.unicast.take(now) {
		return nil
	}
	reply := message{response: true, answers: answers, additionals: z.besides(answers)}
	if legacy {
		reply.id, reply.questions = m.id, m.questions
		for _, list := range [][]record{reply.answers, reply.additionals} {
			for i := range list {
				list[i].ttl, list[i].unique = min(list[i].ttl, legacyTTL), false
			}
		}
	}
	return []outgoing{{message: reply, to: from.address}}
}

// tick sends what is due, in one packet.
func (p *replies) tick(now time.Time, z zone) []outgoing {
	var answers []record
	for r, a := range p.pending {
		if reached(a.at, now) {
			answers = append(answers, r)
		}
	}
	if len(answers) == 0 {
		return nil
	}
	slices.SortFunc(answers, compareRecord)
	p.sent(now, answers)
	besides := slices.DeleteFunc(z.besides(answers), func(r record) bool { // told lately
		last, ok := p.last[r.key()]
		return ok && now.Sub(last) < repeatGap
	})
	p.sent(now, besides)
	return []outgoing{{message: message{response: true, answers: answers, additionals: besides}}}
}
