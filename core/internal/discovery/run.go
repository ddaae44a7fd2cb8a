package discovery

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"time"
)

const (
	// lookGap is how often Self and the interfaces are looked at when nothing
	// tells of a change.
	lookGap = 5 * time.Second
	// settleGap is how long a change of the interfaces may go on before it is
	// looked at: an address seldom comes alone.
	settleGap = 100 * time.Millisecond
	// listGap bounds how often the list is put together.
	listGap = 50 * time.Millisecond
	// asleep is how late the regular look must come for this machine to have slept.
	asleep = 10 * time.Second
	// maxInterfaces bounds the interfaces in use.
	maxInterfaces = 32
)

// round is one stretch of running, from opened sockets to their end. One
// goroutine owns it.
type round struct {
	*Service
	conn  conn
	links map[int]*link
	own   ownAddresses
	self  Info

	lookAt, lookedAt time.Time
	listAt           time.Time // when to put the list together; zero: it is up to date
	listedAt         time.Time
	teller           *teller
	current          sightings
	tellAt           time.Time
}

func newRound(s *Service, c conn) *round {
	return &round{Service: s, conn: c, links: map[int]*link{}, teller: newTeller()}
}

func (r *round) run(ctx context.Context) {
	defer r.conn.close()
	changed, stop := r.watch()
	defer stop()
	defer r.show(nil)
	defer r.goodbye()

	r.look(r.Now())
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case p := <-r.conn.packets():
			r.receive(r.Now(), p)
		case <-changed:
			r.lookAt = earliest(r.lookAt, r.Now().Add(settleGap))
		case <-r.nudge:
			r.look(r.Now())
			r.again(r.Now())
		case <-timer.C:
			r.tick(r.Now())
		}
		timer.Reset(r.due().Sub(r.Now()))
	}
}

func (r *round) due() time.Time {
	at := earliest(r.lookAt, r.listAt, r.tellAt)
	for _, l := range r.links {
		at = earliest(at, l.due())
	}
	return at
}

func (r *round) tick(now time.Time) {
	if reached(r.lookAt, now) {
		r.look(now)
	}
	for _, l := range r.links {
		out, news := l.tick(now)
		r.send(l, out)
		r.changed(now, news)
	}
	if reached(r.listAt, now) {
		r.assemble(now)
	}
	if reached(r.tellAt, now) {
		r.tell(now)
	}
}

// look brings the links in line with the interfaces and with this gateway.
func (r *round) look(now time.Time) {
	// The clock on the wall goes on while this machine sleeps, the other one need
	// not.
	if away := now.Round(0).Sub(r.lookedAt.Round(0)); !r.lookedAt.IsZero() && away > lookGap+asleep {
		r.Log.Debug("this machine slept, looking for devices anew", "for", away)
		defer r.again(now)
	}
	r.lookedAt, r.lookAt = now, now.Add(lookGap)
	list, err := r.Interfaces()
	if err != nil {
		r.Log.Warn("cannot list network interfaces", "error", err)
		return
	}
	list = list[:min(len(list), maxInterfaces)]
	r.self = r.Self()
	present := map[int]bool{}
	addresses := map[netip.Addr]bool{}
	for _, i := range list {
		present[i.Index] = true
		for _, p := range i.Prefixes {
			addresses[p.Addr()] = true
		}
	}
	r.own.set(now, addresses)
	for index, l := range r.links {
		if !present[index] {
			r.Log.Debug("network interface gone", "interface", l.Name)
			r.conn.leave(l.Interface)
			delete(r.links, index)
			r.changed(now, true)
		}
	}
	for _, i := range list {
		r.use(now, i)
	}
}

// use brings one link in line with its interface.
func (r *round) use(now time.Time, i Interface) {
	l := r.links[i.Index]
	if l == nil {
		l = newLink(now, i, r.Options, r.random)
		r.links[i.Index] = l
		r.Log.Debug("network interface in use", "interface", i.Name, "addresses", i.Prefixes)
	} else if !l.equal(i) {
		r.Log.Debug("network interface changed", "interface", i.Name, "addresses", i.Prefixes)
		r.changed(now, true)
	}
	if err := r.conn.join(i); err != nil {
		r.Log.Debug("cannot listen on network interface", "interface", i.Name, "error", err)
	}
	l.update(now, i, r.self)
}

func (r *round) again(now time.Time) {
	for _, l := range r.links {
		l.again(now)
	}
}

func (r *round) receive(now time.Time, p packet) {
	l := r.links[p.index]
	if l == nil || !p.multicast && !l.onLink(p.from.Addr()) || !l.received.take(now) {
		return
	}
	m, err := decode(p.data)
	if err != nil {
		r.Log.Trace("packet not understood", "from", p.from, "error", err)
		return
	}
	from := sender{
		address: p.from, ownMachine: r.own.has(p.from.Addr()), ownAddress: r.own.has,
	}
	label := l.responder.zone.label
	out, news := l.receive(now, from, m)
	if now := l.responder.zone.label; now != label {
		r.Log.Warn("another device has our name on the local network", "name", label, "now", now, "from", p.from)
	}
	r.send(l, out)
	r.changed(now, news)
}

func (r *round) send(l *link, out []outgoing) {
	for _, o := range out {
		data, err := encode(o.message)
		if err == nil {
			err = r.conn.send(l.Interface, o.to, data)
		}
		if err != nil {
			r.Log.Debug("packet not sent", "interface", l.Name, "error", err)
		}
	}
}

// changed has the list put together soon: at once, unless that was just done.
func (r *round) changed(now time.Time, news bool) {
	if news && r.listAt.IsZero() {
		r.listAt = now
		if next := r.listedAt.Add(listGap); next.After(now) {
			r.listAt = next
		}
	}
}

func (r *round) assemble(now time.Time) {
	r.listAt, r.listedAt = time.Time{}, now
	var lists [][]found
	for _, index := range slices.Sorted(maps.Keys(r.links)) {
		lists = append(lists, r.links[index].found())
	}
	r.current = merge(r.self.ID, lists...)
	r.show(r.current.list())
	r.tell(now)
}

func (r *round) tell(now time.Time) {
	var news []Sighting
	news, r.tellAt = r.teller.news(now, r.current)
	for _, s := range news {
		r.Seen(s)
	}
}

func (r *round) goodbye() {
	for _, l := range r.links {
		r.send(l, l.responder.goodbye())
	}
}
