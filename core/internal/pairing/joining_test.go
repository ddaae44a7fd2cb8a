package pairing

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// pair is two houses on a street, both running: desktop shows, nas joins.
type pair struct {
	t            *testing.T
	street       *street
	desktop, nas *house
	shower       *Service
	joiner       *Service
}

// inPair runs a test with two devices in a bubble of fake time.
func inPair(t *testing.T, test func(p *pair)) {
	synctest.Test(t, func(t *testing.T) {
		p := &pair{t: t, desktop: newHouse("desktop", 1), nas: newHouse("nas", 2)}
		p.street = newStreet(p.desktop, p.nas)
		var stop [2]func()
		p.shower, stop[0] = p.desktop.run(t)
		p.joiner, stop[1] = p.nas.run(t)
		test(p)
		stop[1]()
		stop[0]()
	})
}

func (p *pair) join(where string) string {
	p.t.Helper()
	id, err := p.joiner.Join(context.Background(), where)
	if err != nil {
		p.t.Fatal(err)
	}
	return id
}

// settled waits until nothing more happens without time or people, and returns
// the view.
func (p *pair) settled(id string) JoinView {
	p.t.Helper()
	synctest.Wait()
	v, err := p.joiner.Joining(id)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

func (p *pair) wants(id string, state JoinState, words string) JoinView {
	p.t.Helper()
	v := p.settled(id)
	said := ""
	if v.Error != nil {
		said = v.Error.Message
	}
	if v.State != state || said != words {
		p.t.Fatalf("the join is %s and says %q, want %s and %q", v.State, said, state, words)
	}
	return v
}

func (p *pair) enter(id, pin string) {
	p.t.Helper()
	if err := p.joiner.EnterPIN(id, pin); err != nil {
		p.t.Fatal(err)
	}
}

func TestJoin(t *testing.T) {
	for name, where := range map[string]func(Window) string{
		"by link":    func(w Window) string { return w.Link },
		"by address": func(w Window) string { return " desktop.local " },
	} {
		t.Run(name, func(t *testing.T) {
			inPair(t, func(p *pair) {
				w := opened(t, p.shower)
				id := p.join(where(w))
				v := p.wants(id, JoinPINNeeded, "")
				if v.Gateway.Name != "desktop" || v.Device != nil {
					t.Errorf("joining %+v", v)
				}
				pin := pinOf(t, p.shower, w.Code)
				p.enter(id, " "+pin[:3]+" "+pin[3:]+" ")
				v = p.wants(id, JoinPaired, "")
				if diff := cmp.Diff(&Device{ID: p.desktop.key.DeviceID(), Name: "desktop", Kind: mesh.KindGateway}, v.Device); diff != "" {
					t.Errorf("device differs (-want +got):\n%s", diff)
				}
				friends(t, p.desktop, p.nas)
				if len(p.nas.paired) != 1 || len(p.desktop.paired) != 1 {
					t.Error("not both were told of the other once")
				}
				if got := p.nas.store.devices[p.desktop.key.DeviceID()].Addresses; !cmp.Equal(got, []string{"desktop.local:6969"}) {
					t.Errorf("desktop is at %v", got)
				}
				if n := len(p.nas.store.recordsOf(mesh.RoleJoining)); n != 0 {
					t.Errorf("%d notes are left", n)
				}
			})
		})
	}
}

func TestWrongNumberThenRight(t *testing.T) {
	inPair(t, func(p *pair) {
		w := opened(t, p.shower)
		id := p.join(w.Link)
		p.wants(id, JoinPINNeeded, "")
		pin := pinOf(t, p.shower, w.Code)
		p.enter(id, wrong(pin))
		v := p.wants(id, JoinPINNeeded, mesh.WordsWrongPIN)
		if v.Error.Code != sdk.Forbidden {
			t.Errorf("code %s", v.Error.Code)
		}
		strangers(t, p.desktop, p.nas)
		if n := len(p.nas.store.recordsOf(mesh.RoleJoining)); n != 0 {
			t.Errorf("%d notes are left", n)
		}
		p.enter(id, pin)
		p.wants(id, JoinPaired, "")
		friends(t, p.desktop, p.nas)
	})
}

func TestFiveWrongNumbers(t *testing.T) {
	inPair(t, func(p *pair) {
		w := opened(t, p.shower)
		id := p.join(w.Link)
		p.wants(id, JoinPINNeeded, "")
		pin := pinOf(t, p.shower, w.Code)
		for range 4 {
			p.enter(id, wrong(pin))
			p.wants(id, JoinPINNeeded, mesh.WordsWrongPIN)
		}
		p.enter(id, wrong(pin))
		p.wants(id, JoinFailed, mesh.WordsTooMany)
		if err := p.joiner.EnterPIN(id, pin); sdk.KindOf(err) != sdk.Conflict {
			t.Errorf("a failed join takes a number: %v", err)
		}
		second := p.join(w.Link)
		p.wants(second, JoinFailed, mesh.WordsTooMany)
		strangers(t, p.desktop, p.nas)
	})
}

func TestEnterPIN(t *testing.T) {
	inPair(t, func(p *pair) {
		w := opened(t, p.shower)
		id := p.join(w.Link)
		p.wants(id, JoinPINNeeded, "")
		for _, text := range []string{"", "12345", "1234567", "12345a", "１２３４５６", "48-19-20", "+48192", "481\t920"} {
			if err := p.joiner.EnterPIN(id, text); sdk.KindOf(err) != sdk.Invalid {
				t.Errorf("%q: %v", text, err)
			}
		}
		kindIs(t, p.joiner.EnterPIN("nobody", "481920"), sdk.NotFound, mesh.WordsGone)
		p.wants(id, JoinPINNeeded, "")
	})
}

// TestOneNumberAtATime: a second number is refused while the first is tried.
func TestOneNumberAtATime(t *testing.T) {
	inPair(t, func(p *pair) {
		w := opened(t, p.shower)
		id := p.join(w.Link)
		p.wants(id, JoinPINNeeded, "")
		hold := make(chan struct{})
		p.street.lose(func(_ *house, path string) error {
			if path == PathShare {
				<-hold
			}
			return nil
		}, nil)
		pin := pinOf(t, p.shower, w.Code)
		p.enter(id, pin)
		p.wants(id, JoinProving, "")
		if err := p.joiner.EnterPIN(id, pin); sdk.KindOf(err) != sdk.Conflict {
			t.Errorf("two numbers at once: %v", err)
		}
		close(hold)
		p.wants(id, JoinPaired, "")
	})
}

func TestTargets(t *testing.T) {
	inPair(t, func(p *pair) {
		own := opened(t, p.joiner)
		_, err := p.joiner.Join(context.Background(), own.Link)
		kindIs(t, err, sdk.Conflict, mesh.WordsSelf)
		p.wants(p.join("nas.local"), JoinFailed, mesh.WordsSelf)
		p.wants(p.join("nobody.local"), JoinFailed, sdk.Offline.Message())
		p.wants(p.join("desktop.local"), JoinFailed, mesh.WordsGone) // no window there
		for _, where := range []string{"", "two words", "http://desktop.local/join", own.Link + "x", "#"} {
			if _, err := p.joiner.Join(context.Background(), where); sdk.KindOf(err) != sdk.Invalid {
				t.Errorf("%q: %v", where, err)
			}
		}
	})
}

// TestAnotherKeyAtTheAddress: a link is good for the key that it names only.
func TestAnotherKeyAtTheAddress(t *testing.T) {
	inPair(t, func(p *pair) {
		w := opened(t, p.shower)
		imposter := newHouse("imposter", 3)
		imposter.address = p.desktop.address
		imposter.start()
		p.street.houses[p.desktop.address] = imposter
		p.wants(p.join(w.Link), JoinFailed, sdk.Offline.Message())
	})
}

// TestKeyChangesOnTheWay: in mode nearby all calls must meet the key of the
// first.
func TestKeyChangesOnTheWay(t *testing.T) {
	inPair(t, func(p *pair) {
		w := opened(t, p.shower)
		id := p.join(p.desktop.address)
		p.wants(id, JoinPINNeeded, "")
		pin := pinOf(t, p.shower, w.Code)
		imposter := newHouse("imposter", 3)
		opened(t, imposter.start())
		p.street.mu.Lock()
		p.street.houses[p.desktop.address] = imposter
		p.street.mu.Unlock()
		p.enter(id, pin)
		time.Sleep(time.Minute)
		p.wants(id, JoinFailed, sdk.Offline.Message())
		strangers(t, p.desktop, p.nas)
		strangers(t, imposter, p.nas)
	})
}

func TestNobodyEntersTheNumber(t *testing.T) {
	inPair(t, func(p *pair) {
		id := p.join(opened(t, p.shower).Link)
		p.wants(id, JoinPINNeeded, "")
		time.Sleep(DefaultWindow)
		p.wants(id, JoinFailed, mesh.WordsGone)
		time.Sleep(time.Hour)
		_, err := p.joiner.Joining(id)
		kindIs(t, err, sdk.NotFound, mesh.WordsGone)
	})
}

func TestCancelledWhileJoining(t *testing.T) {
	inPair(t, func(p *pair) {
		w := opened(t, p.shower)
		id := p.join(w.Link)
		p.wants(id, JoinPINNeeded, "")
		pin := pinOf(t, p.shower, w.Code)
		if err := p.shower.Cancel(w.Code); err != nil {
			t.Fatal(err)
		}
		p.enter(id, pin)
		p.wants(id, JoinFailed, mesh.WordsGone)
		strangers(t, p.desktop, p.nas)
	})
}

func TestTooManyJoins(t *testing.T) {
	inPair(t, func(p *pair) {
		opened(t, p.shower)
		for range maxJoins {
			p.join(p.desktop.address)
		}
		if _, err := p.joiner.Join(context.Background(), p.desktop.address); sdk.KindOf(err) != sdk.RateLimited {
			t.Errorf("join %d: %v", maxJoins+1, err)
		}
		time.Sleep(DefaultWindow)
		synctest.Wait()
		p.join(p.desktop.address)
	})
}

var errLost = errors.New("lost on the way")

// TestLostMessages loses each message once, the request or the answer; the
// outcome is the same and nothing is counted twice.
func TestLostMessages(t *testing.T) {
	for _, path := range []string{PathShare, PathConfirm} {
		for _, answered := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, answered %v", path, answered), func(t *testing.T) {
				inPair(t, func(p *pair) {
					lost := 0
					once := func(_ *house, at string) error {
						if at == path && lost == 0 {
							lost++
							return errLost
						}
						return nil
					}
					if answered {
						p.street.lose(nil, once)
					} else {
						p.street.lose(once, nil)
					}
					w := opened(t, p.shower)
					id := p.join(w.Link)
					p.wants(id, JoinPINNeeded, "")
					p.enter(id, pinOf(t, p.shower, w.Code))
					time.Sleep(time.Second)
					p.wants(id, JoinPaired, "")
					friends(t, p.desktop, p.nas)
					if lost != 1 {
						t.Error("nothing was lost")
					}
					if got := p.shower.windows.current.state.Attempts; got != 1 {
						t.Errorf("%d attempts were counted", got)
					}
					if n := len(p.desktop.tokens.published); n != 1 {
						t.Errorf("%d tokens were honoured", n)
					}
				})
			})
		}
	}
}

// TestSilenceAfterTheConfirm: the person is told after a minute; the pairing
// is finished all the same once the other side is back, hours later.
func TestSilenceAfterTheConfirm(t *testing.T) {
	inPair(t, func(p *pair) {
		w := opened(t, p.shower)
		id := p.join(w.Link)
		p.wants(id, JoinPINNeeded, "")
		pin := pinOf(t, p.shower, w.Code)
		p.street.lose(nil, func(_ *house, path string) error {
			if path == PathConfirm {
				return errLost
			}
			return nil
		})
		p.enter(id, pin)
		time.Sleep(patience - time.Second)
		p.wants(id, JoinProving, "")
		time.Sleep(backoffMost)
		p.wants(id, JoinFailed, sdk.Offline.Message())
		time.Sleep(10 * time.Hour)
		p.street.lose(nil, nil)
		time.Sleep(backoffMost)
		synctest.Wait()
		friends(t, p.desktop, p.nas)
		if n := len(p.nas.store.recordsOf(mesh.RoleJoining)); n != 0 {
			t.Errorf("%d notes are left", n)
		}
	})
}

// TestSilenceForADay: the joining side gives up before the showing side forgets.
func TestSilenceForADay(t *testing.T) {
	inPair(t, func(p *pair) {
		w := opened(t, p.shower)
		id := p.join(w.Link)
		p.wants(id, JoinPINNeeded, "")
		pin := pinOf(t, p.shower, w.Code)
		p.street.lose(func(_ *house, path string) error {
			if path == PathConfirm {
				return errLost
			}
			return nil
		}, nil)
		p.enter(id, pin)
		time.Sleep(recordLife + time.Minute)
		synctest.Wait()
		strangers(t, p.desktop, p.nas)
		if n := len(p.nas.store.recordsOf(mesh.RoleJoining)); n != 0 {
			t.Errorf("%d notes are left", n)
		}
		p.street.lose(nil, nil)
		time.Sleep(time.Hour)
		strangers(t, p.desktop, p.nas)
	})
}

func TestAnswersAreSwept(t *testing.T) {
	inPair(t, func(p *pair) {
		w := opened(t, p.shower)
		id := p.join(w.Link)
		p.wants(id, JoinPINNeeded, "")
		p.enter(id, pinOf(t, p.shower, w.Code))
		p.wants(id, JoinPaired, "")
		time.Sleep(recordLife - sweepEvery)
		synctest.Wait()
		if n := len(p.desktop.store.recordsOf(mesh.RoleShowing)); n != 1 {
			t.Errorf("%d answers are kept, want 1", n)
		}
		time.Sleep(2 * sweepEvery)
		synctest.Wait()
		if n := len(p.desktop.store.recordsOf(mesh.RoleShowing)); n != 0 {
			t.Errorf("%d answers are left", n)
		}
	})
}

// TestJoinerCannotStore: a full disk on the joining side is tried again, and an
// identity that is taken ends it.
func TestJoinerCannotStore(t *testing.T) {
	for _, c := range []struct {
		kind  sdk.Kind
		state JoinState
	}{{sdk.NoSpace, JoinProving}, {sdk.Conflict, JoinFailed}} {
		t.Run(string(c.kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &pair{t: t, desktop: newHouse("desktop", 1), nas: newHouse("nas", 2)}
				p.street = newStreet(p.desktop, p.nas)
				disk := &flaky{fail: &sdk.Error{Kind: c.kind}}
				p.nas.wrap = func(s Store) Store { disk.Store = s; return disk }
				p.shower = p.desktop.start()
				var stop func()
				p.joiner, stop = p.nas.run(t)
				defer stop()
				w := opened(t, p.shower)
				id := p.join(w.Link)
				p.wants(id, JoinPINNeeded, "")
				p.enter(id, pinOf(t, p.shower, w.Code))
				if v := p.settled(id); v.State != c.state {
					t.Fatalf("the join is %+v, want %s", v, c.state)
				}
				if c.state == JoinFailed {
					return
				}
				disk.mend()
				time.Sleep(time.Second)
				p.wants(id, JoinPaired, "")
				friends(t, p.desktop, p.nas)
			})
		})
	}
}

// TestShowerCannotStore: both owners hear at once whose device it is, and nothing
// is stored on either side.
func TestShowerCannotStore(t *testing.T) {
	for _, c := range []struct {
		fail  error
		kind  sdk.Kind
		words string
	}{
		{&sdk.Error{Kind: sdk.NoSpace, Message: "This device has no space left."}, sdk.NoSpace, "desktop has no space left, so it couldn't save the pairing."},
		{&sdk.Error{Kind: sdk.Internal, Message: "Salita's data was moved."}, sdk.Internal, "desktop couldn't save the pairing."},
		{errors.New("the disk melted"), sdk.Internal, "desktop couldn't save the pairing."},
	} {
		t.Run(c.words, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &pair{t: t, desktop: newHouse("desktop", 1), nas: newHouse("nas", 2)}
				p.street = newStreet(p.desktop, p.nas)
				disk := &flaky{fail: c.fail}
				p.desktop.wrap = func(s Store) Store { disk.Store = s; return disk }
				p.shower = p.desktop.start()
				var stop func()
				p.joiner, stop = p.nas.run(t)
				defer stop()
				w := opened(t, p.shower)
				id := p.join(w.Link)
				p.wants(id, JoinPINNeeded, "")
				begin := time.Now()
				p.enter(id, pinOf(t, p.shower, w.Code))
				for p.settled(id).State == JoinProving {
					time.Sleep(backoffStart)
				}
				v := p.settled(id)
				if took := time.Since(begin); took > time.Second {
					t.Errorf("the joining side hears after %v", took)
				}
				if v.State != JoinFailed || v.Error.Code != c.kind || v.Error.Message != c.words || v.Error.Hint == "" || len(v.Error.Reference) != 5 {
					t.Errorf("the joining side sees %+v with %+v", v, v.Error)
				}
				if v, err := p.shower.Window(w.Code); err != nil || v.State != mesh.PairingFailed || v.Error == nil || len(v.Error.Reference) != 5 {
					t.Errorf("the showing side sees %+v, %v", v, err)
				}
				strangers(t, p.desktop, p.nas)
				if n := len(p.nas.store.recordsOf(mesh.RoleJoining)); n != 0 {
					t.Errorf("%d notes are left", n)
				}
				disk.mend()
				w = opened(t, p.shower)
				id = p.join(w.Link)
				p.wants(id, JoinPINNeeded, "")
				p.enter(id, pinOf(t, p.shower, w.Code))
				p.wants(id, JoinPaired, "")
				friends(t, p.desktop, p.nas)
			})
		})
	}
}

// TestPairingBothWaysAgain joins the same gateway twice: each time everything
// before goes, on both sides.
func TestPairingBothWaysAgain(t *testing.T) {
	inPair(t, func(p *pair) {
		for range 3 {
			w := opened(t, p.shower)
			id := p.join(w.Link)
			p.wants(id, JoinPINNeeded, "")
			p.enter(id, pinOf(t, p.shower, w.Code))
			p.wants(id, JoinPaired, "")
			friends(t, p.desktop, p.nas)
		}
		w := opened(t, p.joiner)
		id, err := p.shower.Join(context.Background(), w.Link)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := p.shower.EnterPIN(id, pinOf(t, p.joiner, w.Code)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		friends(t, p.desktop, p.nas)
	})
}

// TestLaterPairingWins: the answer to an earlier confirm arrives after a later
// pairing with the same gateway is complete; it must not bring void tokens back.
func TestLaterPairingWins(t *testing.T) {
	inPair(t, func(p *pair) {
		held := make(chan struct{})
		holding := true
		p.street.lose(nil, func(_ *house, path string) error {
			if path == PathConfirm && holding {
				holding = false
				<-held
			}
			return nil
		})
		first := opened(t, p.shower)
		id := p.join(first.Link)
		p.wants(id, JoinPINNeeded, "")
		p.enter(id, pinOf(t, p.shower, first.Code))
		p.wants(id, JoinProving, "")

		second := opened(t, p.shower)
		later := p.join(second.Link)
		p.wants(later, JoinPINNeeded, "")
		p.enter(later, pinOf(t, p.shower, second.Code))
		p.wants(later, JoinPaired, "")
		friends(t, p.desktop, p.nas)
		close(held)
		p.wants(id, JoinFailed, mesh.WordsGone)
		friends(t, p.desktop, p.nas)
		if n := len(p.nas.store.recordsOf(mesh.RoleJoining)); n != 0 {
			t.Errorf("%d notes are left", n)
		}
	})
}

// TestEarlierAnswerDuringLaterPairing: the other order; the earlier answer comes
// while the later confirm is on its way.
func TestEarlierAnswerDuringLaterPairing(t *testing.T) {
	inPair(t, func(p *pair) {
		held := []chan struct{}{make(chan struct{}), make(chan struct{})}
		confirms := 0
		p.street.lose(nil, func(_ *house, path string) error {
			if path == PathConfirm && confirms < len(held) {
				confirms++
				<-held[confirms-1]
			}
			return nil
		})
		var ids []string
		for range held {
			w := opened(t, p.shower)
			id := p.join(w.Link)
			p.wants(id, JoinPINNeeded, "")
			p.enter(id, pinOf(t, p.shower, w.Code))
			p.wants(id, JoinProving, "")
			ids = append(ids, id)
		}
		close(held[0])
		p.wants(ids[0], JoinPaired, "")
		close(held[1])
		p.wants(ids[1], JoinPaired, "")
		friends(t, p.desktop, p.nas)
		if n := len(p.nas.store.recordsOf(mesh.RoleJoining)); n != 0 {
			t.Errorf("%d notes are left", n)
		}
	})
}

// TestStrangersWords: what the other side writes is not shown.
func TestStrangersWords(t *testing.T) {
	for _, c := range []struct {
		err  error
		want Problem
	}{
		{&sdk.Error{Kind: sdk.Forbidden, Message: "Call this number to unlock"}, Problem{Code: sdk.Forbidden, Message: sdk.Forbidden.Message()}},
		{&sdk.Error{Kind: sdk.Expired, Message: mesh.WordsTooMany}, Problem{Code: sdk.Expired, Message: mesh.WordsTooMany}},
		{&sdk.Error{Kind: "made_up", Message: "boo"}, Problem{Code: sdk.Internal, Message: sdk.Internal.Message()}},
		{errors.New("no sdk error"), Problem{Code: sdk.Internal, Message: sdk.Internal.Message()}},
	} {
		if got := problem(tame(c.err)); *got != c.want {
			t.Errorf("%v is shown as %+v, want %+v", c.err, *got, c.want)
		}
	}
}

func TestBackoff(t *testing.T) {
	for retry, want := range map[int]time.Duration{0: 100 * time.Millisecond, 1: 200 * time.Millisecond, 8: 25600 * time.Millisecond, 9: backoffMost, 1 << 30: backoffMost} {
		if got := backoff(retry); got != want {
			t.Errorf("retry %d waits %v, want %v", retry, got, want)
		}
	}
}
