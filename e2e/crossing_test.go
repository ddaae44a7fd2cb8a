package e2e

import (
	"fmt"
	"sync"
	"testing"
)

// TestCrossingJoins: two people at two gateways each show a number, and type the
// other's at the same moment. Both see "paired", and both directions work, then
// and after a restart, however polite.
func TestCrossingJoins(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	photo, _ := randomFile(t, "a.jpg", 1000)
	for round := range 6 {
		crossUp(t, desktop, laptop)
		bothWaysWork(t, fmt.Sprintf("round %d", round), photo, desktop, laptop)
	}
	for _, end := range []func(*gateway){(*gateway).stop, (*gateway).kill} {
		crossUp(t, desktop, laptop)
		for _, g := range []*gateway{desktop, laptop} {
			end(g)
			g.start()
		}
		bothWaysWork(t, "after a restart", photo, desktop, laptop)
	}
}

// crossUp opens a window on each gateway and lets each join the other, with the
// numbers typed at once.
func crossUp(t *testing.T, a, b *gateway) {
	t.Helper()
	windows, links := map[*gateway]*window{}, map[*gateway]string{}
	for _, g := range []*gateway{a, b} {
		w, opened, err := g.openWindow()
		if err != nil {
			t.Fatal(err)
		}
		defer w.cancel()
		windows[g], links[g] = w, opened.Link
	}
	var ready, joined sync.WaitGroup
	ready.Add(2)
	for joins, shows := range map[*gateway]*gateway{a: b, b: a} {
		joined.Go(func() {
			r := joins.join(links[shows], func() string {
				e, err := windows[shows].next("claimed")
				if err != nil {
					t.Errorf("%s shows no number: %v", shows.name, err)
				}
				ready.Done()
				ready.Wait()
				return e.PIN
			})
			if r.code != 0 {
				t.Errorf("%s joins %s: exit %d, %s%s", joins.name, shows.name, r.code, r.out, r.err)
			}
			if _, err := windows[shows].next("paired"); err != nil {
				t.Errorf("%s's window: %v", shows.name, err)
			}
		})
	}
	joined.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// bothWaysWork checks that each gateway has the other, once, and can use it.
func bothWaysWork(t *testing.T, when, photo string, a, b *gateway) {
	t.Helper()
	for from, to := range map[*gateway]*gateway{a: b, b: a} {
		if r := from.cli("", "send", photo, "--to", to.name); r.code != 0 {
			t.Errorf("%s: %s sends to %s: exit %d, %s%s", when, from.name, to.name, r.code, r.out, r.err)
		}
		if list := from.deviceList(); len(list) != 1 || list[0].Name != to.name || list[0].Status != "available" {
			t.Errorf("%s: %s has %+v", when, from.name, list)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}
