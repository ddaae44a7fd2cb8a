package discovery

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

// asking is a browser as play wants it.
type asking struct{ *browser }

func (a asking) tick(now time.Time) []outgoing {
	out, _ := a.browser.tick(now)
	return out
}

func newTestBrowser(list ...record) *browser {
	c := newTestCache()
	c.take(start, list)
	return newBrowser(start, c, func() (record, bool) { return other(1).pointer(), true })
}

func TestQuestionsBecomeRare(t *testing.T) {
	all := play(t, asking{newTestBrowser()}, 0, 5*time.Hour)
	want := []time.Duration{0, time.Second, 4 * time.Second, 13 * time.Second, 40 * time.Second, 121 * time.Second, 364 * time.Second, 1093 * time.Second, 3280 * time.Second, 6880 * time.Second, 10480 * time.Second, 14080 * time.Second, 17680 * time.Second}
	for i := range want {
		want[i] += firstAsk
	}
	if diff := cmp.Diff(want, times(all)); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	for _, s := range all {
		if diff := cmp.Diff(browse(other(1).pointer()), s.message, diffable); diff != "" {
			t.Errorf("want -, got +:\n%s", diff)
		}
	}
}

// questions is what is asked, by its times, but for the browsing.
func questions(list []sent) map[time.Duration][]question {
	out := map[time.Duration][]question{}
	for _, s := range list {
		for _, q := range s.questions {
			if q.name != serviceName {
				out[s.after] = append(out[s.after], q)
			}
		}
		slices.SortFunc(out[s.after], func(a, b question) int { return int(a.typ) - int(b.typ) })
	}
	return out
}

func TestWhatRunsOutIsAskedFor(t *testing.T) {
	z := other(2)
	b := newTestBrowser(z.announcement()...)
	got := questions(play(t, asking{b}, 0, 119*time.Second))
	ask := []question{{name: z.host(), typ: dnsmessage.TypeA}, {name: z.instance(), typ: dnsmessage.TypeSRV}}
	want := map[time.Duration][]question{96 * time.Second: ask, 102 * time.Second: ask, 108 * time.Second: ask, 114 * time.Second: ask}
	if diff := cmp.Diff(want, got, diffable); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestAnAnswerEndsTheAsking(t *testing.T) {
	z := other(2)
	b := newTestBrowser(z.announcement()...)
	play(t, asking{b}, 0, 97*time.Second)
	b.cache.take(start.Add(97*time.Second), z.announcement())
	if got := questions(play(t, asking{b}, 97*time.Second, 190*time.Second)); len(got) != 0 {
		t.Errorf("asked %v", got)
	}
}

func TestWhatIsMissingIsAskedFor(t *testing.T) {
	z := other(2)
	for name, c := range map[string]struct {
		heard []record
		ask   []question
	}{
		"all but the pointer": {[]record{z.pointer()}, []question{{name: z.instance(), typ: dnsmessage.TypeTXT}, {name: z.instance(), typ: dnsmessage.TypeSRV}}},
		"the addresses":       {append([]record{z.pointer()}, z.service()...), []question{{name: z.host(), typ: dnsmessage.TypeA}, {name: z.host(), typ: dnsmessage.TypeAAAA}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := questions(play(t, asking{newTestBrowser(c.heard...)}, 0, 90*time.Second))
			want := map[time.Duration][]question{}
			for _, at := range []time.Duration{100 * ms, 1100 * ms, 5100 * ms, 21100 * ms, 85100 * ms} {
				want[at] = c.ask
			}
			if diff := cmp.Diff(want, got, diffable); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

func TestKnownAnswersAreNamed(t *testing.T) {
	var list []record
	for n := 2; n < 102; n++ {
		list = append(list, other(n).announcement()...)
	}
	b := newTestBrowser(list...)
	all := play(t, asking{b}, 0, firstAsk)
	if len(all) < 2 {
		t.Fatalf("%d packets for 101 known gateways", len(all))
	}
	known := 0
	for n, s := range all {
		if s.truncated != (n < len(all)-1) || len(s.questions) != 0 != (n == 0) {
			t.Errorf("packet %d: truncated %v, %d questions", n, s.truncated, len(s.questions))
		}
		if size := len(mustEncode(t, s.message)); size > 1440 {
			t.Errorf("packet %d has %d bytes", n, size)
		}
		known += len(s.answers)
	}
	if known != 101 {
		t.Errorf("%d gateways are named", known)
	}
	// Past half their time they are asked to speak again.
	b.again(start.Add(otherTTL / 2 * time.Second))
	for _, i := range b.cache.instances {
		i.srv, i.hosts = newLease(start.Add(otherTTL/2*time.Second), otherTTL, never), nil
	}
	out, _ := b.tick(b.askAt)
	if len(out) != 1 || len(out[0].answers) != 1 {
		t.Errorf("past half the time %d packets are sent", len(out))
	}
}

// However curious others make us, we stay quiet.
func TestCuriosityIsBounded(t *testing.T) {
	b := newTestBrowser()
	n := 0
	for step := range 1000 {
		now := time.Duration(step) * 10 * ms
		z := other(2 + step%100)
		list := z.announcement()[:2]
		list[1].ttl = uint32(minRefresh / time.Second)
		b.cache.take(start.Add(now), list)
		n += len(play(t, asking{b}, now, now+10*ms-1))
	}
	if most := askRate * 11; n > most {
		t.Errorf("%d packets in ten seconds, want at most %d", n, most)
	}
}
