package discovery

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Times of RFC 6762, section 8.
const (
	probeGap     = 250 * time.Millisecond // between probes, and at most before the first
	probes       = 3
	tieWait      = time.Second // after losing against a simultaneous probe
	announceGap  = time.Second // after the first announcement, then doubled
	announcings  = 3
	manyConflict = 15               // conflicts within conflictSpan ...
	conflictSpan = 10 * time.Second // ... after which
	conflictWait = 5 * time.Second  // each further attempt waits
)

// outgoing is a packet to send: to everybody on the interface, or to one.
type outgoing struct {
	message
	to netip.AddrPort // zero: everybody
}

// responder makes this gateway known on one interface: it probes for its name,
// announces it and answers questions. It is a pure function of packets and
// time; whoever drives it calls tick when due has come.
type responder struct {
	random func(n int) int // a number from 0 to n-1
	wanted string          // the label to have
	zone   zone            // the label that we have, or try for

	probed    int       // probes sent; the name is ours once it passes probes
	probeAt   time.Time // the next probe; zero when the name is ours or unwanted
	conflicts int       // over the wanted label
	recent    []time.Time
	slow      bool // conflicts were too many; until the name is ours

	announced  int
	announceAt time.Time // zero when all is told
	replies    replies
}

func newResponder(random func(n int) int) *responder {
	return &responder{random: random, replies: newReplies(random)}
}

// established reports whether the name is ours and may be answered for.
func (r *responder) established() bool { return r.zone.port != 0 && r.probeAt.IsZero() }

// update takes in what is to be announced from now on. Another label is probed
// for; other data is announced at once, and replaces what others remember.
func (r *responder) update(now time.Time, wanted string, next zone) {
	if wanted != r.wanted {
		r.wanted, r.conflicts = wanted, 0
		next.label = wanted
	} else {
		next.label = r.zone.label
	}
	before := r.zone
	if !before.equal(next) {
		clear(r.replies.pending) // the answers have changed
	}
	switch r.zone = next; {
	case next.port == 0:
		r.probeAt, r.announceAt = time.Time{}, time.Time{}
	case before.port == 0 || before.label != next.label:
		r.probe(now.Add(r.jitter(probeGap)))
	case !before.equal(next) && r.established():
		r.announce(now)
	}
}

// again announces once more, as after waking from sleep.
func (r *responder) again(now time.Time) {
	if r.established() {
		r.announce(now)
	}
}

func (r *responder) jitter(most time.Duration) time.Duration {
	return time.Duration(r.random(int(most)))
}

func (r *responder) probe(at time.Time) {
	r.probed, r.probeAt, r.announceAt = 0, at, time.Time{}
}

func (r *responder) announce(at time.Time) { r.announced, r.announceAt = 0, at }

// due is when tick has something to do; zero for never.
func (r *responder) due() time.Time { return earliest(r.probeAt, r.announceAt, r.replies.due()) }

// tick returns what is to be sent now.
func (r *responder) tick(now time.Time) []outgoing {
	var out []outgoing
	if reached(r.probeAt, now) {
		out = append(out, r.tickProbe(now)...)
	}
	if reached(r.announceAt, now) {
		r.announced++
		r.announceAt = time.Time{}
		if r.announced < announcings {
			r.announceAt = now.Add(announceGap << (r.announced - 1))
		}
		all := r.zone.announcement()
		r.replies.sent(now, all)
		out = append(out, outgoing{message: message{response: true, answers: all}})
	}
	return append(out, r.replies.tick(now, r.zone)...)
}

func (r *responder) tickProbe(now time.Time) []outgoing {
	if r.probed == probes {
		r.probeAt, r.slow = time.Time{}, false
		r.announce(now)
		return nil
	}
	r.probed++
	r.probeAt = now.Add(probeGap)
	proposed := r.zone.unique()
	for i := range proposed {
		proposed[i].unique = false // the bit has no meaning in a query
	}
	return []outgoing{{message: message{
		questions: []question{
			{name: r.zone.instance(), typ: typeANY, unicast: true},
			{name: r.zone.host(), typ: typeANY, unicast: true},
		},
		authorities: proposed,
	}}}
}

// receive takes in a packet. One that came from this machine is never in
// conflict with us; contradicts says whether a record is.
func (r *responder) receive(now time.Time, from sender, m message) []outgoing {
	if r.zone.port == 0 {
		return nil
	}
	if !m.response {
		if !r.established() {
			r.compareProbe(now, from, m)
			return nil
		}
		return r.replies.query(now, from, m, r.zone)
	}
	if !from.ownMachine && slices.ContainsFunc(slices.Concat(m.answers, m.additionals), func(rec record) bool {
		return r.zone.contradicts(rec) && !from.ownAddress(rec.addr)
	}) {
		r.conflict(now)
	}
	return nil
}

// conflict gives the name up when we were only trying for it. When it was ours,
// we try for it again, and the other one defends it or gives it up (RFC 6762,
// section 9).
func (r *responder) conflict(now time.Time) {
	r.recent = slices.DeleteFunc(r.recent, func(t time.Time) bool { return now.Sub(t) > conflictSpan })
	wait := r.jitter(probeGap)
	if len(r.recent) == manyConflict {
		r.slow = true
	} else {
		r.recent = append(r.recent, now)
	}
	if r.slow {
		wait = conflictWait
	}
	if !r.established() {
		r.conflicts++
		r.zone.label = relabel(r.wanted, r.conflicts, r.random)
	}
	r.replies.forget()
	r.probe(now.Add(wait))
}

// compareProbe lets one of two who probe for a name at the same time win: the
// one whose records come later in order (RFC 6762, section 8.2).
func (r *responder) compareProbe(now time.Time, from sender, m message) {
	if from.ownMachine {
		return
	}
	for _, name := range []string{r.zone.instance(), r.zone.host()} {
		theirs := of(name, m.authorities)
		if len(theirs) > 0 && compareRecords(of(name, r.zone.unique()), theirs) < 0 {
			r.probe(now.Add(tieWait))
			return
		}
	}
}

// of returns the name's records in the order in which probes are compared.
func of(name string, list []record) []record {
	var out []record
	for _, r := range list {
		if r.name == name {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, compareRecord)
	return out
}

func compareRecord(a, b record) int {
	return cmp.Or(cmp.Compare(a.typ, b.typ), bytes.Compare(a.wireData(), b.wireData()))
}

func compareRecords(a, b []record) int { return slices.CompareFunc(a, b, compareRecord) }

// goodbye tells everybody that we are gone.
func (r *responder) goodbye() []outgoing {
	if !r.established() {
		return nil
	}
	all := r.zone.announcement()
	for i := range all {
		all[i].ttl = 0
	}
	return []outgoing{{message: message{response: true, answers: all}}}
}
