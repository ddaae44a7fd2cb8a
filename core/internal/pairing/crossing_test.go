package pairing

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// The steps of one join, each with what it makes happen. What comes before them
// touches nothing that two joins share.
const (
	stepShare  = "share"  // the number is entered; the other side answers the share
	stepBegin  = "begin"  // the answer is heard and the note saved
	stepCommit = "commit" // the confirm is heard, and the other side stores the pairing
	stepSettle = "settle" // the answer is heard and the pairing stored
)

var steps = []string{stepShare, stepBegin, stepCommit, stepSettle}

// schedule is an order for the steps of two joins: true stands for the next one
// of the desktop's join, false for the nas's.
type schedule []bool

func (s schedule) String() string {
	var b strings.Builder
	done := map[bool]int{}
	for _, desktop := range s {
		name := map[bool]string{true: "desktop", false: "nas"}[desktop]
		fmt.Fprintf(&b, "%s-%s ", name, steps[done[desktop]])
		done[desktop]++
	}
	return strings.TrimSpace(b.String())
}

// schedules returns every order in which two joins can take the rest of their
// steps after those of the start.
func schedules(start ...bool) []schedule {
	left := map[bool]int{true: len(steps), false: len(steps)}
	for _, desktop := range start {
		left[desktop]--
	}
	var all []schedule
	for _, desktop := range []bool{true, false} {
		if left[desktop] > 0 {
			all = append(all, schedules(append(slices.Clone(start), desktop)...)...)
		}
	}
	if len(all) == 0 {
		return []schedule{start}
	}
	return all
}

// bothCommitFirst is the order in which people see it happen: both confirms are
// stored before either answer is taken in.
func bothCommitFirst() schedule {
	return schedule{true, false, true, false, true, false, true, false}
}

// crossing is two devices of which each shows a window and joins the other.
type crossing struct {
	*world
	gates   map[string]chan struct{} // open where closed, as channels are
	lost    map[string]bool          // joins that lose the first answer to their confirm
	windows map[*house]Window
	joins   map[*house]string
}

func newCrossing(t *testing.T, both bool, cuts ...int) *crossing {
	c := &crossing{world: newWorld(t, both, cuts...), lost: map[string]bool{}}
	c.street.lose(
		func(from *house, path string) error {
			if path == PathConfirm {
				c.await(from, stepCommit)
			}
			return c.points(from, "sends "+path, c.other(from), "hears "+path)
		},
		func(from *house, path string) error {
			err := c.point(c.other(from), "answers "+path)
			switch path {
			case PathShare:
				c.await(from, stepBegin)
			case PathConfirm:
				c.await(from, stepSettle)
				if c.lose(from) {
					return errLost
				}
			}
			return errors.Join(err, c.point(from, "hears the answer to "+path))
		},
	)
	return c
}

func (c *crossing) lose(from *house) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	lost := c.lost[from.name]
	delete(c.lost, from.name)
	return lost
}

func gate(of *house, step string) string { return of.name + " " + step }

// await holds a message back until its step is due.
func (c *crossing) await(of *house, step string) {
	c.mu.Lock()
	g := c.gates[gate(of, step)]
	c.mu.Unlock()
	if g != nil {
		<-g
	}
}

// meet brings both joins to where the number is needed.
func (c *crossing) meet() {
	c.mu.Lock()
	c.gates = map[string]chan struct{}{}
	for _, h := range []*house{c.desktop, c.nas} {
		for _, step := range steps {
			c.gates[gate(h, step)] = make(chan struct{})
		}
	}
	c.mu.Unlock()
	c.windows, c.joins = map[*house]Window{}, map[*house]string{}
	for _, h := range []*house{c.desktop, c.nas} {
		w, err := h.running().Start(context.Background())
		if err != nil {
			c.t.Fatal(err)
		}
		c.windows[h] = w
	}
	for _, h := range []*house{c.desktop, c.nas} {
		id, err := h.running().Join(context.Background(), c.windows[c.other(h)].Link)
		if err != nil {
			c.t.Fatal(err)
		}
		c.joins[h] = id
		synctest.Wait()
	}
}

// take makes one step. Whoever is dead takes none.
func (c *crossing) take(h *house, step string) {
	if step == stepShare {
		view, err := c.other(h).running().Window(c.windows[c.other(h)].Code)
		if err == nil && view.PIN != "" {
			h.running().EnterPIN(c.joins[h], view.PIN)
		}
	}
	close(c.gates[gate(h, step)])
	synctest.Wait()
}

// cross is the whole story.
func (c *crossing) cross(order schedule) {
	c.meet()
	done := map[*house]int{}
	for _, desktop := range order {
		h := c.nas
		if desktop {
			h = c.desktop
		}
		c.take(h, steps[done[h]])
		done[h]++
	}
}

// same checks that both devices have one and the same pairing, or neither has
// one.
func (c *crossing) same() {
	c.t.Helper()
	if len(c.desktop.store.devices)+len(c.nas.store.devices) > 0 {
		friends(c.t, c.desktop, c.nas)
	}
	for _, h := range []*house{c.desktop, c.nas} {
		if n := len(h.store.recordsOf(mesh.RoleJoining)); n != 0 {
			c.t.Errorf("%d notes are left on %s", n, h.name)
		}
	}
	if c.t.Failed() {
		for i, what := range c.past {
			c.t.Logf("point %d: %s", i, what)
		}
	}
}

// happy checks what the people at both devices see.
func (c *crossing) happy() {
	c.t.Helper()
	for _, h := range []*house{c.desktop, c.nas} {
		j, err := h.running().Joining(c.joins[h])
		if err != nil || j.State != JoinPaired || j.Error != nil || j.Device == nil || j.Device.ID != c.other(h).key.DeviceID() {
			c.t.Errorf("%s's join ends as %+v, %v", h.name, j, err)
		}
		w, err := h.running().Window(c.windows[h].Code)
		if err != nil || w.State != mesh.PairingPaired || w.Error != nil {
			c.t.Errorf("%s's window ends as %+v, %v", h.name, w, err)
		}
	}
}

// restart ends a device's process politely and starts another.
func (c *crossing) restart(h *house) {
	c.stop[h]()
	h.crashed = true
	_, c.stop[h] = h.run(c.t)
}

// before are the pairings that there may be already.
var before = map[string]func(c *crossing){
	"strangers": func(*crossing) {},
	"paired":    func(c *crossing) { c.pair() },
	"crossed":   func(c *crossing) { c.cross(bothCommitFirst()) },
}

func TestCrossingJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing(t, false)
		c.cross(bothCommitFirst())
		c.same()
		c.happy()
		c.end()
	})
}

// TestCrossingJoinsInEveryOrder takes the steps of both joins in every order,
// with answers that get lost, and with a pairing before.
func TestCrossingJoinsInEveryOrder(t *testing.T) {
	for past, prepare := range before {
		orders := schedules()
		if past != "strangers" {
			orders = schedules(true, false) // what is shared first matters to nobody
		}
		for _, order := range orders {
			for _, lost := range [][]string{{}, {"desktop"}, {"nas"}, {"desktop", "nas"}} {
				t.Run(fmt.Sprintf("%s, %v, lost %v", past, order, lost), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						c := newCrossing(t, false)
						prepare(c)
						for _, name := range lost {
							c.lost[name] = true
						}
						c.cross(order)
						time.Sleep(time.Second)
						synctest.Wait()
						c.same()
						c.happy()
						c.end()
					})
				})
			}
		}
	}
}

// crossDying runs one story with crashes to its end and returns its points.
func crossDying(t *testing.T, past string, order schedule, both bool, cuts ...int) (points []string, paired bool) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing(t, both)
		before[past](c)
		c.past, c.cuts = nil, cuts
		c.cross(order)
		c.bury()
		time.Sleep(time.Minute)
		synctest.Wait()
		c.same()
		c.end()
		points, paired = c.past, len(c.desktop.store.devices) == 1
	})
	return points, paired
}

// TestKilledWhileJoinsCross kills either device, or both at once, at every point
// of joins that cross.
func TestKilledWhileJoinsCross(t *testing.T) {
	orders, pasts := []schedule{
		bothCommitFirst(),
		{true, false, true, false, false, true, false, true}, // the same, the other one first
		{true, false, true, true, false, false, true, false}, // one begins when the other has committed
		{true, false, false, false, true, false, true, true}, // one is through when the other commits
	}, []string{"strangers"}
	if os.Getenv("SALITA_LONG") != "" {
		orders, pasts = schedules(true, false), []string{"strangers", "paired", "crossed"}
	}
	for _, past := range pasts {
		for _, order := range orders {
			points, paired := crossDying(t, past, order, false)
			if !paired || len(points) < 35 {
				t.Fatalf("without a crash: paired %v after %d points", paired, len(points))
			}
			for cut, point := range points {
				for _, both := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s, %v, %d %s, both %v", past, order, cut, point, both), func(t *testing.T) {
						crossDying(t, past, order, both, cut)
					})
				}
			}
		}
	}
}

// TestCrossingAgainAndAgain throws everything at the same two devices: joins in
// any order that cross or do not, answers lost, crashes, restarts.
func TestCrossingAgainAndAgain(t *testing.T) {
	tries := uint64(30)
	if os.Getenv("SALITA_LONG") != "" {
		tries = 3000
	}
	for seed := range tries {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 1))
				c := newCrossing(t, false)
				for range 1 + random.IntN(3) {
					c.lost = map[string]bool{"desktop": random.IntN(4) == 0, "nas": random.IntN(4) == 0}
					c.past, c.cuts, c.both = nil, nil, random.IntN(2) == 0
					for range random.IntN(3) {
						c.cuts = append(c.cuts, random.IntN(50))
					}
					order := bothCommitFirst()
					random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
					t.Logf("round: %v, cuts %v, both %v, lost %v", order, c.cuts, c.both, c.lost)
					c.cross(order)
					c.bury()
					if random.IntN(4) == 0 {
						c.restart(c.nas)
					}
					if random.IntN(2) == 0 { // else the next round begins on top of what is pending
						time.Sleep(time.Minute)
						synctest.Wait()
						c.same()
					}
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				c.same()
				c.end()
			})
		})
	}
}

// TestTheOtherWayRoundAfterARestart: a device that has joined, and is started
// anew, shows; its next pairing counts more than the one it has forgotten.
func TestTheOtherWayRoundAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing(t, false)
		for range 3 {
			c.pair()
		}
		c.restart(c.nas)
		w := opened(t, c.nas.running())
		id, err := c.desktop.running().Join(t.Context(), w.Link)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		c.desktop.running().EnterPIN(id, pinOf(t, c.nas.running(), w.Code))
		synctest.Wait()
		if v, _ := c.desktop.running().Joining(id); v.State != JoinPaired {
			t.Errorf("the join is %+v", v)
		}
		c.same()
		c.end()
	})
}

// TestRemovedWhileJoinsCross: the answer to the join that does not count comes
// after the device was removed, and does not bring it back.
func TestRemovedWhileJoinsCross(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing(t, false)
		order := bothCommitFirst()
		c.cross(order[:len(order)-2])
		c.desktop.store.remove(c.nas.key.DeviceID())
		c.take(c.desktop, stepSettle)
		v, err := c.desktop.running().Joining(c.joins[c.desktop])
		if err != nil || v.State != JoinFailed {
			t.Errorf("the join is %+v, %v", v, err)
		}
		if len(c.desktop.store.devices)+len(c.desktop.store.issued)+len(c.desktop.store.recordsOf(mesh.RoleJoining)) != 0 {
			t.Error("the device is back, or a note is left")
		}
		c.take(c.nas, stepSettle)
		c.end()
	})
}

// TestUnreadableAnswersLeaveAJoinPending: which pairing counts is not decided
// from ignorance.
func TestUnreadableAnswersLeaveAJoinPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing(t, false)
		order := bothCommitFirst()
		c.cross(order[:len(order)-2])
		c.lost["desktop"] = true
		c.take(c.desktop, stepSettle)
		disk := &halfBlind{}
		c.desktop.wrap = func(s Store) Store { disk.Store = s; return disk }
		c.restart(c.desktop)
		c.take(c.nas, stepSettle)
		if n := len(c.desktop.store.recordsOf(mesh.RoleJoining)); n != 1 {
			t.Errorf("%d notes while the answers cannot be read", n)
		}
		disk.mended.Store(true)
		time.Sleep(time.Minute)
		synctest.Wait()
		c.same()
		c.end()
	})
}

// halfBlind is a disk on which the answers cannot be read for a while.
type halfBlind struct {
	Store
	mended atomic.Bool
}

func (s *halfBlind) PairingRecords(ctx context.Context, role mesh.PairingRole) ([]mesh.PairingRecord, error) {
	if role == mesh.RoleShowing && !s.mended.Load() {
		return nil, errors.New("illegible")
	}
	return s.Store.PairingRecords(ctx, role)
}
