package discovery

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

func browse(known ...record) message {
	return message{questions: []question{{name: serviceName, typ: dnsmessage.TypePTR}}, answers: known}
}

func TestAnswers(t *testing.T) {
	z := testZone()
	aged := func(seconds uint32) record {
		r := z.pointer()
		r.ttl = seconds
		return r
	}
	unicast := browse()
	unicast.questions[0].unicast = true
	resolve := message{questions: []question{{name: z.instance(), typ: dnsmessage.TypeSRV}}}
	more := browse()
	more.truncated = true
	legacy := remote("10.7.0.9:40000")
	for name, c := range map[string]struct {
		from  sender
		m     message
		after time.Duration // -1: no answer
		alone bool
	}{
		"who is there":                 {someone, browse(), sharedWait, false},
		"who is there besides you":     {someone, browse(aged(otherTTL)), -1, false},
		"you, but not for long":        {someone, browse(aged(otherTTL/2 - 1)), sharedWait, false},
		"what is known comes later":    {someone, more, moreWait, false},
		"where is it":                  {someone, resolve, 0, false},
		"who is there, tell me alone":  {someone, unicast, 0, true},
		"from an ordinary resolver":    {legacy, browse(), 0, true},
		"about others":                 {someone, message{questions: []question{{name: "_http._tcp.local.", typ: dnsmessage.TypePTR}}}, -1, false},
		"not a question of ours":       {someone, message{questions: []question{{name: serviceName, typ: dnsmessage.TypeTXT}}}, -1, false},
		"nothing at all":               {someone, message{}, -1, false},
		"from an ordinary one, absurd": {legacy, message{questions: []question{{name: "x.", typ: 9}}}, -1, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := established(t)
			var all []sent
			for _, o := range r.receive(start.Add(10*time.Second), c.from, c.m) {
				all = append(all, sent{10 * time.Second, o})
			}
			all = append(all, play(t, r, 10*time.Second, time.Minute)...)
			if c.after < 0 {
				if len(all) != 0 {
					t.Errorf("answered %+v", all)
				}
				return
			}
			if len(all) != 1 || all[0].after != 10*time.Second+c.after || all[0].to.IsValid() != c.alone || !all[0].response {
				t.Fatalf("answered %+v", all)
			}
			if all[0].to.IsValid() && all[0].to != c.from.address {
				t.Errorf("answered to %v", all[0].to)
			}
		})
	}
}

func TestAnOrdinaryResolver(t *testing.T) {
	r := established(t)
	ask := message{id: 77, questions: []question{{name: r.zone.host(), typ: dnsmessage.TypeA}}}
	out := r.receive(start.Add(10*time.Second), remote("10.7.0.9:40000"), ask)
	if len(out) != 1 || out[0].id != 77 || !slices.Equal(out[0].questions, ask.questions) {
		t.Fatalf("answered %+v", out)
	}
	for _, rec := range slices.Concat(out[0].answers, out[0].additionals) {
		if rec.unique || rec.ttl > legacyTTL {
			t.Errorf("told %+v", rec)
		}
	}
}

func TestARecordIsSentOnceASecond(t *testing.T) {
	r := established(t)
	var all []sent
	for n := range 100 {
		now := 10*time.Second + time.Duration(n)*100*ms
		r.receive(start.Add(now), remote("10.7.0."+string(rune('1'+n%9))+":5353"), browse())
		all = append(all, play(t, r, now, now+100*ms-1)...)
	}
	if len(all) < 9 || len(all) > 11 {
		t.Errorf("asked 100 times in 10 s, answered %d times", len(all))
	}
	for n := range len(all) - 1 {
		if gap := all[n+1].after - all[n].after; gap < repeatGap {
			t.Errorf("the answer came again after %v", gap)
		}
	}
}

func TestForgedQuestionsAreNotAnsweredToOneWithoutEnd(t *testing.T) {
	r := established(t)
	n := 0
	for range 1000 {
		n += len(r.receive(start.Add(10*time.Second), remote("10.7.0.9:53"), browse()))
	}
	if n != unicastRate {
		t.Errorf("%d answers", n)
	}
	if out := r.receive(start.Add(11*time.Second), remote("10.7.0.9:53"), browse()); len(out) != 1 {
		t.Error("a second later there is no answer")
	}
}

// What is known may come in a second packet of the same asker. What somebody
// else also wants to know is told all the same.
func TestKnownAnswersInAnotherPacket(t *testing.T) {
	more := browse()
	more.truncated = true
	rest := message{answers: []record{testZone().pointer()}}
	at := func(d time.Duration) time.Time { return start.Add(10*time.Second + d) }

	r := established(t)
	r.receive(at(0), someone, more)
	r.receive(at(100*ms), someone, rest)
	if all := play(t, r, 10*time.Second, time.Minute); len(all) != 0 {
		t.Errorf("told one who knew: %+v", all)
	}
	r = established(t)
	r.receive(at(0), someone, more)
	r.receive(at(50*ms), remote("10.7.0.8:5353"), browse())
	r.receive(at(100*ms), someone, rest)
	if all := play(t, r, 10*time.Second, time.Minute); len(all) != 1 {
		t.Errorf("the other one was told %d times", len(all))
	}
}

func TestAnswersOfBeforeAreNotSent(t *testing.T) {
	r := established(t)
	r.receive(start.Add(10*time.Second), someone, browse())
	z := r.zone
	z.port = 1
	r.update(start.Add(10*time.Second), "salita-x", z)
	for _, s := range play(t, r, 10*time.Second, time.Minute) {
		for _, rec := range slices.Concat(s.answers, s.additionals) {
			if rec.typ == dnsmessage.TypeSRV && rec.port != 1 {
				t.Errorf("after %v the old port was told", s.after)
			}
		}
	}
}

func TestAUnicastQuestionWhenNobodyWasToldLately(t *testing.T) {
	r := established(t)
	ask := message{questions: []question{{name: r.zone.host(), typ: dnsmessage.TypeA, unicast: true}}}
	now := 3750*ms + hostTTL*time.Second/4 + 1
	if out := r.receive(start.Add(now), someone, ask); len(out) != 0 {
		t.Errorf("told alone: %+v", out)
	}
	all := play(t, r, now, now+time.Minute)
	if len(all) != 1 || all[0].to.IsValid() {
		t.Errorf("sent %+v", all)
	}
	if diff := cmp.Diff([]netip.Addr{netip.MustParseAddr("10.7.0.1")}, []netip.Addr{all[0].answers[0].addr}, diffable); diff != "" {
		t.Error(diff)
	}
}
