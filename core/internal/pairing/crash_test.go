package pairing

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// world is two devices of which either can be killed, as by kill -9, at any of
// the points where something leaves a process: before and after each write to
// disk, each message sent, received, answered.
type world struct {
	t            *testing.T
	street       *street
	desktop, nas *house
	stop         map[*house]func()

	mu   sync.Mutex
	cuts []int // the points at which to kill, counted from 0
	both bool  // kill both devices, not only the one at the point
	past []string
	dead map[*house]bool
}

var errKilled = errors.New("killed")

func newWorld(t *testing.T, both bool, cuts ...int) *world {
	w := &world{
		t: t, desktop: newHouse("desktop", 1), nas: newHouse("nas", 2),
		stop: map[*house]func(){}, dead: map[*house]bool{}, cuts: cuts, both: both,
	}
	w.street = newStreet(w.desktop, w.nas)
	w.street.lose(
		func(from *house, path string) error {
			return w.points(from, "sends "+path, w.other(from), "hears "+path)
		},
		func(from *house, path string) error {
			return w.points(w.other(from), "answers "+path, from, "hears the answer to "+path)
		},
	)
	for _, h := range []*house{w.desktop, w.nas} {
		h.wrap = func(s Store) Store { return mortal{s, w, h} }
		_, w.stop[h] = h.run(t)
	}
	return w
}

func (w *world) other(h *house) *house {
	if h == w.desktop {
		return w.nas
	}
	return w.desktop
}

// point kills the device if its hour has come, and fails on the dead.
func (w *world) point(h *house, what string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead[h] {
		return errKilled
	}
	for _, cut := range w.cuts {
		if cut == len(w.past) {
			w.dead[h] = true
			w.dead[w.other(h)] = w.dead[w.other(h)] || w.both
		}
	}
	w.past = append(w.past, fmt.Sprintf("%s %s", h.name, what))
	if w.dead[h] {
		return errKilled
	}
	return nil
}

func (w *world) points(a *house, aDoes string, b *house, bDoes string) error {
	return errors.Join(w.point(a, aDoes), w.point(b, bDoes))
}

// mortal is the way to the disk; what was written stays, whether or not its
// writer lives to hear of it.
type mortal struct {
	Store
	world *world
	house *house
}

func (m mortal) CompletePairing(ctx context.Context, p mesh.Pairing, r *mesh.PairingRecord) (device mesh.Device, err error) {
	err = m.write("stores the pairing", func() error {
		device, err = m.Store.CompletePairing(ctx, p, r)
		return err
	})
	return device, err
}

func (m mortal) SavePairingRecord(ctx context.Context, r mesh.PairingRecord) error {
	return m.write("saves a note", func() error { return m.Store.SavePairingRecord(ctx, r) })
}

func (m mortal) DeletePairingRecord(ctx context.Context, code string, role mesh.PairingRole) error {
	return m.write("deletes a note", func() error { return m.Store.DeletePairingRecord(ctx, code, role) })
}

func (m mortal) write(what string, do func() error) error {
	if err := m.world.point(m.house, "before it "+what); err != nil {
		return err
	}
	err := do()
	if dead := m.world.point(m.house, "after it "+what); dead != nil {
		return dead
	}
	return err
}

// pair is the story of one pairing; whoever dies takes the rest of it along.
func (w *world) pair() {
	window, err := w.desktop.running().Start(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	id, err := w.nas.running().Join(context.Background(), window.Link)
	if err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
	view, err := w.desktop.running().Window(window.Code)
	if err != nil {
		w.t.Fatal(err)
	}
	if view.PIN != "" {
		w.nas.running().EnterPIN(id, view.PIN) // fails when nas is dead
	}
	synctest.Wait()
}

// bury gives every dead device a new process on its old disk, until nobody has
// died for a while.
func (w *world) bury() {
	for range 2 * (len(w.cuts) + 1) {
		time.Sleep(time.Second)
		synctest.Wait()
		for _, h := range []*house{w.nas, w.desktop} {
			w.mu.Lock()
			dead := w.dead[h]
			w.mu.Unlock()
			if !dead {
				continue
			}
			w.stop[h]()
			w.mu.Lock()
			w.dead[h] = false
			w.mu.Unlock()
			h.crashed = true
			_, w.stop[h] = h.run(w.t)
		}
	}
}

// judge checks that both have the pairing or neither.
func (w *world) judge() {
	w.t.Helper()
	if len(w.desktop.store.devices)+len(w.nas.store.devices) == 0 {
		strangers(w.t, w.desktop, w.nas)
	} else {
		friends(w.t, w.desktop, w.nas)
	}
	if n := len(w.nas.store.recordsOf(mesh.RoleJoining)); n != 0 {
		w.t.Errorf("%d notes are left", n)
	}
	if w.t.Failed() {
		for i, what := range w.past {
			w.t.Logf("point %d: %s", i, what)
		}
	}
}

// end stops both devices.
func (w *world) end() {
	for _, stop := range w.stop {
		stop()
	}
}

// live runs one world to its end and returns its points.
func live(t *testing.T, settle time.Duration, both bool, cuts ...int) (points []string, paired bool) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, both, cuts...)
		w.pair()
		w.bury()
		time.Sleep(settle)
		synctest.Wait()
		w.judge()
		w.end()
		points, paired = w.past, len(w.nas.store.devices) == 1
	})
	return points, paired
}

// TestKilledAnywhere kills either device, or both at once, at every point of a
// pairing, restarts it, and looks two days later.
func TestKilledAnywhere(t *testing.T) {
	points, paired := live(t, time.Minute, false)
	if !paired || len(points) < 20 {
		t.Fatalf("without a crash: paired %v after %d points", paired, len(points))
	}
	outcomes := map[bool]int{}
	for cut, point := range points {
		for _, both := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d %s, both %v", cut, point, both), func(t *testing.T) {
				_, paired := live(t, 2*recordLife, both, cut)
				outcomes[paired]++
			})
		}
	}
	if outcomes[true] == 0 || outcomes[false] == 0 {
		t.Errorf("every crash ended alike: %v", outcomes)
	}
}

// TestKilledTwice kills again on the way out of the first crash.
func TestKilledTwice(t *testing.T) {
	points, _ := live(t, time.Minute, false)
	for first := range points {
		for second := first + 1; second < len(points)+8; second++ {
			t.Run(fmt.Sprintf("%d and %d", first, second), func(t *testing.T) {
				live(t, time.Minute, second%2 == 0, first, second)
			})
		}
	}
}

// TestRemovedDeviceStaysRemoved: the joining side dies after it stored the
// pairing and before it deletes its note; before it is started again, its owner
// removes the device. The note must not bring it back.
func TestRemovedDeviceStaysRemoved(t *testing.T) {
	points, _ := live(t, time.Minute, false)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false, indexOf(t, points, "nas before it deletes a note"))
		w.pair()
		friends(t, w.desktop, w.nas)
		clear(w.nas.store.devices)
		clear(w.nas.store.issued)
		clear(w.nas.store.peers)
		w.bury()
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(w.nas.store.devices) != 0 || len(w.nas.store.recordsOf(mesh.RoleJoining)) != 0 {
			t.Error("the note brought the device back, or is still there")
		}
		w.end()
	})
}

func indexOf(t *testing.T, points []string, want string) int {
	t.Helper()
	for i, point := range points {
		if point == want {
			return i
		}
	}
	t.Fatalf("no point %q in %v", want, points)
	return -1
}

// TestUnreadableNotes: notes that another version wrote, or that a damaged disk
// changed, do no harm.
func TestUnreadableNotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pair{t: t, desktop: newHouse("desktop", 1), nas: newHouse("nas", 2)}
		p.street = newStreet(p.desktop, p.nas)
		for _, role := range []mesh.PairingRole{mesh.RoleJoining, mesh.RoleShowing} {
			for i, secret := range []string{"", "{", `{"done":7}`, `[]`, "\x00"} {
				r := mesh.PairingRecord{Code: fmt.Sprint(i), Role: role, Secret: []byte(secret), Expires: time.Now().Add(time.Hour)}
				if err := p.nas.store.SavePairingRecord(context.Background(), r); err != nil {
					t.Fatal(err)
				}
			}
		}
		p.shower = p.desktop.start()
		var stop func()
		p.joiner, stop = p.nas.run(t)
		defer stop()
		synctest.Wait()
		if n := len(p.nas.store.recordsOf(mesh.RoleJoining)); n != 0 {
			t.Errorf("%d unreadable notes are left", n)
		}
		w := opened(t, p.joiner)
		j := newJoiner(t, 3)
		if err := j.hello(p.joiner, w.Code); err != nil {
			t.Fatal(err)
		}
		if _, err := j.try(p.joiner, w.Code, pinOf(t, p.joiner, w.Code)); err != nil {
			t.Errorf("nobody can pair any more: %v", err)
		}
	})
}

// TestUnreadableStore: Run says so, and a confirm is not answered from ignorance.
func TestUnreadableStore(t *testing.T) {
	h := newHouse("desktop", 1)
	h.wrap = func(s Store) Store { return illegible{s} }
	s := h.start()
	if err := s.Run(context.Background()); err == nil {
		t.Error("run hides that the store cannot be read")
	}
	w := opened(t, s)
	j := newJoiner(t, 2)
	if err := j.hello(s, w.Code); err != nil {
		t.Fatal(err)
	}
	_, err := j.try(s, w.Code, pinOf(t, s, w.Code))
	if err == nil || isRefusal(sdk.KindOf(err)) {
		t.Errorf("the joiner is told %v, which it takes for the last word", err)
	}
}

type illegible struct{ Store }

func (illegible) PairingRecords(context.Context, mesh.PairingRole) ([]mesh.PairingRecord, error) {
	return nil, errors.New("illegible")
}
