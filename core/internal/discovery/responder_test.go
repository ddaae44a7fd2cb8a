package discovery

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

const ms = time.Millisecond

func newTestResponder(t *testing.T) *responder {
	t.Helper()
	r := newResponder(never)
	r.update(start, "salita-x", testZone())
	return r
}

// established is a responder that has probed and announced. The time is then
// 10 s after start.
func established(t *testing.T) *responder {
	t.Helper()
	r := newTestResponder(t)
	play(t, r, 0, 10*time.Second)
	if !r.established() {
		t.Fatal("not established")
	}
	return r
}

func TestProbingThenAnnouncing(t *testing.T) {
	r := newTestResponder(t)
	all := play(t, r, 0, time.Hour)
	if diff := cmp.Diff([]time.Duration{0, 250 * ms, 500 * ms, 750 * ms, 1750 * ms, 3750 * ms}, times(all)); diff != "" {
		t.Fatalf("want -, got +:\n%s", diff)
	}
	z := testZone()
	for n, s := range all {
		if s.to.IsValid() || s.response != (n >= 3) {
			t.Errorf("packet %d: to %v, response %v", n, s.to, s.response)
		}
		if n < 3 {
			if len(s.answers) != 0 || len(s.questions) != 2 || len(s.authorities) != len(z.unique()) {
				t.Errorf("probe %d: %+v", n, s.message)
			}
		} else if diff := cmp.Diff(message{response: true, answers: z.announcement()}, s.message, diffable); diff != "" {
			t.Errorf("announcement, want -, got +:\n%s", diff)
		}
	}
}

func TestNothingIsSaidWithoutAPort(t *testing.T) {
	r := newResponder(never)
	z := testZone()
	z.port = 0
	r.update(start, "salita-x", z)
	if all := play(t, r, 0, time.Hour); len(all) != 0 {
		t.Errorf("sent %+v", all)
	}
	ask := message{questions: []question{{name: serviceName, typ: dnsmessage.TypePTR}}}
	r.receive(start, someone, ask)
	if all := slices.Concat(play(t, r, time.Hour, 2*time.Hour)); len(all) != 0 || r.goodbye() != nil {
		t.Errorf("answered %+v", all)
	}
	r.update(start.Add(time.Hour), "salita-x", testZone())
	if all := play(t, r, time.Hour, 2*time.Hour); len(all) != 6 {
		t.Errorf("with a port %d packets were sent", len(all))
	}
}

func TestNothingIsAnsweredWhileProbing(t *testing.T) {
	r := newTestResponder(t)
	play(t, r, 0, 300*ms)
	out := r.receive(start.Add(300*ms), someone, message{questions: []question{{name: r.zone.host(), typ: dnsmessage.TypeA}}})
	if len(out) != 0 || r.replies.due() != (time.Time{}) || r.goodbye() != nil {
		t.Error("answered for a name that is not ours yet")
	}
}

func theirs(z zone) message {
	return message{response: true, answers: []record{
		{name: z.host(), typ: dnsmessage.TypeA, unique: true, ttl: 120, addr: netip.MustParseAddr("10.7.0.9")},
	}}
}

func TestConflictWhileProbing(t *testing.T) {
	r := newTestResponder(t)
	play(t, r, 0, 300*ms)
	r.receive(start.Add(300*ms), someone, theirs(r.zone))
	if r.zone.label != "salita-x-2" {
		t.Fatalf("the next name is %q", r.zone.label)
	}
	all := play(t, r, 300*ms, time.Hour)
	if diff := cmp.Diff([]time.Duration{300 * ms, 550 * ms, 800 * ms, 1050 * ms, 2050 * ms, 4050 * ms}, times(all)); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	// The name stays when something else changes, until another one is wanted.
	z := testZone()
	z.port++
	r.update(start.Add(time.Hour), "salita-x", z)
	if r.zone.label != "salita-x-2" {
		t.Errorf("the name became %q", r.zone.label)
	}
	r.update(start.Add(time.Hour), "salita-y", z)
	if r.zone.label != "salita-y" || r.established() {
		t.Errorf("the name is %q, established: %v", r.zone.label, r.established())
	}
}

func TestConflictLater(t *testing.T) {
	r := established(t)
	r.receive(start.Add(10*time.Second), someone, theirs(r.zone))
	if r.established() || r.zone.label != "salita-x" {
		t.Fatalf("established: %v, as %q", r.established(), r.zone.label)
	}
	// Nobody defends it: it is ours again.
	if all := play(t, r, 10*time.Second, 20*time.Second); len(all) != 6 || !r.established() || r.zone.label != "salita-x" {
		t.Errorf("%d packets, established: %v, as %q", len(all), r.established(), r.zone.label)
	}
}

func TestWhatIsNoConflict(t *testing.T) {
	z := testZone()
	own := remote("10.7.0.1:5353")
	own.ownMachine = true
	reflected := remote("10.8.0.254:5353")
	reflected.ownAddress = func(a netip.Addr) bool { return a == netip.MustParseAddr("10.7.0.9") }
	gone := theirs(z)
	gone.answers[0].ttl = 0
	for name, c := range map[string]struct {
		from sender
		m    message
	}{
		"our own packet":         {own, theirs(z)},
		"our words repeated":     {someone, message{response: true, answers: z.announcement()}},
		"our other card's words": {reflected, theirs(z)},
		"their goodbye":          {someone, gone},
		"another name":           {someone, theirs(zone{label: "salita-y"})},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTestResponder(t)
			play(t, r, 0, 300*ms)
			r.receive(start.Add(300*ms), c.from, c.m)
			if r.zone.label != "salita-x" || len(play(t, r, 300*ms, time.Hour)) != 4 {
				t.Errorf("it was taken for a conflict; the name is %q", r.zone.label)
			}
		})
	}
}

// Somebody who claims every name that we try does not make us send more than a
// few packets a second.
func TestEndlessConflicts(t *testing.T) {
	r := newTestResponder(t)
	probes := 0
	now := time.Duration(0)
	for now < time.Minute {
		due := r.due().Sub(start)
		if due > time.Minute {
			break
		}
		now = max(now, due)
		if out := r.tick(start.Add(now)); len(out) > 0 {
			probes += len(out)
			r.receive(start.Add(now), someone, theirs(r.zone))
		}
	}
	if probes < manyConflict || probes > manyConflict+2*int(time.Minute/conflictWait)+5 {
		t.Errorf("%d probes in a minute", probes)
	}
	if len(r.zone.label) > 63 || len(r.recent) > manyConflict {
		t.Errorf("the name is %q, %d conflicts are remembered", r.zone.label, len(r.recent))
	}
}

func TestSimultaneousProbes(t *testing.T) {
	z := testZone()
	probe := func(address string) message {
		other := z
		other.addresses = []netip.Addr{netip.MustParseAddr(address), z.addresses[1]}
		return message{authorities: other.unique(), questions: []question{{name: z.host(), typ: typeANY}}}
	}
	own := someone
	own.ownMachine = true
	for name, c := range map[string]struct {
		from sender
		m    message
		lost bool
	}{
		"theirs is later":   {someone, probe("10.7.0.2"), true},
		"theirs is earlier": {someone, probe("10.7.0.0"), false},
		"the same":          {someone, probe("10.7.0.1"), false},
		"our own, earlier":  {own, probe("10.7.0.2"), false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTestResponder(t)
			play(t, r, 0, 300*ms)
			r.receive(start.Add(300*ms), c.from, c.m)
			want := 500 * ms
			if c.lost {
				want = 1300 * ms
			}
			if due := r.due().Sub(start); due != want || r.zone.label != "salita-x" {
				t.Errorf("the next probe is after %v as %q, want %v", due, r.zone.label, want)
			}
		})
	}
}

func TestOurNameIsDefended(t *testing.T) {
	r := established(t)
	now := start.Add(10 * time.Second)
	z := testZone()
	z.addresses = []netip.Addr{netip.MustParseAddr("10.7.0.200")}
	r.receive(now, someone, message{authorities: z.unique(), questions: []question{{name: z.host(), typ: typeANY}}})
	all := play(t, r, 10*time.Second, 11*time.Second)
	if len(all) != 1 || all[0].after != 10*time.Second || all[0].to.IsValid() || len(all[0].answers) != 2 {
		t.Fatalf("sent %+v", all)
	}
	// A second probe comes soon after; the answer does, too.
	r.receive(now.Add(100*ms), someone, message{authorities: z.unique(), questions: []question{{name: z.host(), typ: typeANY}}})
	if all := play(t, r, 10100*ms, 11*time.Second); len(all) != 1 || all[0].after != 10250*ms {
		t.Errorf("sent %v", times(all))
	}
}

func TestChangesAreAnnounced(t *testing.T) {
	r := established(t)
	z := r.zone
	z.addresses = []netip.Addr{netip.MustParseAddr("10.7.0.77")}
	r.update(start.Add(10*time.Second), "salita-x", z)
	all := play(t, r, 10*time.Second, time.Hour)
	if diff := cmp.Diff([]time.Duration{10 * time.Second, 11 * time.Second, 13 * time.Second}, times(all)); diff != "" {
		t.Fatalf("want -, got +:\n%s", diff)
	}
	if diff := cmp.Diff(z.announcement(), all[0].answers, diffable); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	r.update(start.Add(time.Hour), "salita-x", z)
	if all := play(t, r, time.Hour, 2*time.Hour); len(all) != 0 {
		t.Errorf("nothing changed, and %d packets were sent", len(all))
	}
	r.again(start.Add(2 * time.Hour))
	if all := play(t, r, 2*time.Hour, 3*time.Hour); len(all) != 3 {
		t.Errorf("announcing again took %d packets", len(all))
	}
}

func TestGoodbye(t *testing.T) {
	out := established(t).goodbye()
	if len(out) != 1 || len(out[0].answers) != 5 {
		t.Fatalf("goodbye is %+v", out)
	}
	for _, r := range out[0].answers {
		if r.ttl != 0 {
			t.Errorf("%+v has time left", r)
		}
	}
}
