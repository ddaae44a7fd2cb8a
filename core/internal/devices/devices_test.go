package devices

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

type fakeStore struct {
	mu        sync.Mutex
	devices   []mesh.Device
	sightings []mesh.Sighting // as they were at the start
	updates   []mesh.Device
	saved     map[mesh.DeviceID]mesh.Device
	looked    map[mesh.DeviceID]mesh.Sighting
	saves     int
	archived  []mesh.DeviceID
	restored  []mesh.DeviceID
	removed   []mesh.DeviceID
	err       error
}

func (f *fakeStore) Devices(context.Context) ([]mesh.Device, error)     { return f.devices, f.err }
func (f *fakeStore) Sightings(context.Context) ([]mesh.Sighting, error) { return f.sightings, f.err }

func (f *fakeStore) UpdateDevice(_ context.Context, d mesh.Device) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.updates = append(f.updates, d)
	return f.err
}

func (f *fakeStore) SavePresence(_ context.Context, devices []mesh.Device, sightings []mesh.Sighting) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.saves++
	if f.err != nil {
		return f.err
	}
	if f.saved == nil {
		f.saved, f.looked = map[mesh.DeviceID]mesh.Device{}, map[mesh.DeviceID]mesh.Sighting{}
	}
	for _, d := range devices {
		f.saved[d.ID] = d
	}
	for _, g := range sightings {
		f.looked[g.DeviceID] = g
	}
	return nil
}

func (f *fakeStore) ArchiveDevice(_ context.Context, id mesh.DeviceID, _ time.Time) error {
	f.archived = append(f.archived, id)
	return f.err
}

func (f *fakeStore) RestoreDevice(_ context.Context, id mesh.DeviceID, _ time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.restored = append(f.restored, id)
	return f.err
}

func (f *fakeStore) RemoveDevice(_ context.Context, id mesh.DeviceID) error {
	f.removed = append(f.removed, id)
	return f.err
}

// kept is what is stored of a device.
func (f *fakeStore) kept(id mesh.DeviceID) (mesh.Device, mesh.Sighting) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.saved[id], f.looked[id]
}

func (f *fakeStore) writes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.saves
}

// fakeMesh answers checks; a device without an entry never answers.
type fakeMesh struct {
	mu        sync.Mutex
	answers   map[mesh.DeviceID]error
	slow      map[mesh.DeviceID]time.Duration
	tried     map[mesh.DeviceID][]string // the addresses it was last looked for at
	reachedAt map[mesh.DeviceID]string
	refreshed map[mesh.DeviceID]int
	pings     int
	inUse     int
	most      int
	told      []mesh.DeviceID
	goodbyes  []mesh.DeviceID
}

func (f *fakeMesh) Health(ctx context.Context, d mesh.Device) (mesh.Health, error) {
	f.mu.Lock()
	f.pings++
	f.inUse++
	f.most = max(f.most, f.inUse)
	if f.tried == nil {
		f.tried = map[mesh.DeviceID][]string{}
	}
	f.tried[d.ID] = d.Addresses
	err, known := f.answers[d.ID]
	slow := f.slow[d.ID]
	if at, moved := f.reachedAt[d.ID]; moved && !slices.Contains(d.Addresses, at) {
		known = false // it is not where it is looked for
	}
	f.mu.Unlock()
	defer func() { f.mu.Lock(); f.inUse--; f.mu.Unlock() }()
	if !known {
		<-ctx.Done()
		return mesh.Health{}, sdk.Errorf(sdk.Offline, "off").Because(ctx.Err())
	}
	if !sleep(ctx, slow) {
		return mesh.Health{}, ctx.Err()
	}
	if err != nil {
		return mesh.Health{}, err
	}
	return mesh.Health{DeviceID: d.ID, Capabilities: []string{"media.storage"}}, nil
}

func (f *fakeMesh) answer(id mesh.DeviceID, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[id] = err
}

func (f *fakeMesh) vanish(id mesh.DeviceID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.answers, id)
}

// lookedFor is where the device was last looked for, and how often anew.
func (f *fakeMesh) lookedFor(id mesh.DeviceID) (at []string, anew int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tried[id], f.refreshed[id]
}

func (f *fakeMesh) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pings
}

func (f *fakeMesh) Address(id mesh.DeviceID) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at, ok := f.reachedAt[id]; ok {
		return at
	}
	return "192.0.2.9:6969"
}

func (f *fakeMesh) Forget(mesh.DeviceID) {}

func (f *fakeMesh) Refresh(id mesh.DeviceID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refreshed == nil {
		f.refreshed = map[mesh.DeviceID]int{}
	}
	f.refreshed[id]++
}

func (f *fakeMesh) Removed(_ context.Context, d mesh.Device) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = append(f.told, d.ID)
	return f.answers[d.ID]
}

func (f *fakeMesh) Leaving(ctx context.Context, d mesh.Device) error {
	f.mu.Lock()
	f.goodbyes = append(f.goodbyes, d.ID)
	_, there := f.answers[d.ID]
	f.mu.Unlock()
	if !there {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

type fakeTokens struct {
	revoked []mesh.DeviceID
	mu      sync.Mutex
	uses    map[mesh.DeviceID]time.Time
}

func (f *fakeTokens) lastUses() map[mesh.DeviceID]time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.uses)
}

func (f *fakeTokens) use(id mesh.DeviceID, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.uses[id] = at
}

func (f *fakeTokens) Revoke(_ context.Context, id mesh.DeviceID) error {
	f.revoked = append(f.revoked, id)
	return nil
}

func gatewayDevice(id string) mesh.Device {
	return mesh.Device{ID: mesh.DeviceID(id), Name: id, Kind: mesh.KindGateway, Key: mesh.KeyHash{1}, Addresses: []string{"192.0.2.1:6969"}}
}

func newService(t *testing.T, store *fakeStore, peers *fakeMesh, tokens *fakeTokens) *Service {
	t.Helper()
	s, err := New(t.Context(), Options{
		Store: store, Caller: peers, Access: []Access{tokens},
		LastUses: tokens.lastUses,
		Interval: time.Minute, Timeout: 2 * time.Second, Now: time.Now, Log: hclog.NewNullLogger(),
		Network: func() string { return "home" },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func statuses(list []Device) map[mesh.DeviceID]mesh.Status {
	out := map[mesh.DeviceID]mesh.Status{}
	for _, d := range list {
		out[d.ID] = d.Status
	}
	return out
}

func TestDiscoverTellsEachDeviceAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{devices: []mesh.Device{
			gatewayDevice("on"), gatewayDevice("silent"), gatewayDevice("silent2"), gatewayDevice("revoked"), gatewayDevice("broken"),
			{ID: "phone", Name: "phone", Kind: mesh.KindBrowser},
		}}
		peers := &fakeMesh{answers: map[mesh.DeviceID]error{
			"on": nil, "revoked": &sdk.Error{Kind: sdk.NeedsRepair}, "broken": errors.New("garbage"),
		}}
		s := newService(t, store, peers, &fakeTokens{})
		begin := time.Now()
		round := s.Discover(t.Context())
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("a round with silent devices took %v, want one timeout", took)
		}
		want := map[mesh.DeviceID]mesh.Status{
			"on": mesh.StatusAvailable, "silent": mesh.StatusOffline, "silent2": mesh.StatusOffline,
			"revoked": mesh.StatusNeedsRepair, "broken": mesh.StatusOffline, "phone": mesh.StatusOffline,
		}
		if diff := cmp.Diff(want, statuses(s.List())); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}
		if len(round.Available) != 1 || len(round.Offline) != 4 || len(round.NeedsRepair) != 1 {
			t.Errorf("round has %d, %d, %d", len(round.Available), len(round.Offline), len(round.NeedsRepair))
		}
		if d, _ := s.Get("on"); !d.Can("media.storage") || d.Addresses[0] != "192.0.2.9:6969" {
			t.Errorf("the device that answered is %+v", d)
		}
	})
}

// run runs the service in the bubble until the test ends.
func run(t *testing.T, s *Service) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

func TestOnlyTransitionsAreStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{devices: []mesh.Device{gatewayDevice("on"), gatewayDevice("off")}}
		peers := &fakeMesh{answers: map[mesh.DeviceID]error{"on": nil}}
		s := newService(t, store, peers, &fakeTokens{})
		stop := run(t, s)
		time.Sleep(10 * time.Minute)
		if got := peers.count(); got < 18 {
			t.Errorf("%d checks of two devices in ten minutes", got)
		}
		if got := store.writes(); got != 1 {
			t.Errorf("%d writes in ten quiet minutes, want the one transition", got)
		}
		time.Sleep(30 * time.Minute)
		if got := store.writes(); got > 4 {
			t.Errorf("%d writes in forty quiet minutes", got)
		}
		stop()
	})
}

func TestChecksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		for i := range 2 * maxChecks {
			store.devices = append(store.devices, gatewayDevice(fmt.Sprint("d", i)))
		}
		peers := &fakeMesh{}
		s := newService(t, store, peers, &fakeTokens{})
		s.Discover(t.Context())
		if peers.most > maxChecks {
			t.Errorf("%d checks at once", peers.most)
		}
		if peers.pings != len(store.devices) {
			t.Errorf("%d checks, want %d", peers.pings, len(store.devices))
		}
	})
}

func TestScheduleChangesWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := &fakeMesh{answers: map[mesh.DeviceID]error{"on": nil}}
		s := newService(t, &fakeStore{devices: []mesh.Device{gatewayDevice("on"), gatewayDevice("silent")}}, peers, &fakeTokens{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(10 * time.Second) // the first round is over, the next a minute away
		s.SetSchedule(Schedule{Interval: 20 * time.Second, Timeout: 5 * time.Second})
		s.SetSchedule(Schedule{Interval: 10 * time.Second, Timeout: 5 * time.Second}) // the last counts
		time.Sleep(7 * time.Second)
		if got := peers.count(); got != 2 {
			t.Errorf("%d pings before the new interval was over, want the 2 of the first round", got)
		}
		time.Sleep(3500 * time.Millisecond)
		if got := peers.count(); got != 4 {
			t.Errorf("%d pings after the new interval, want a second round", got)
		}
		time.Sleep(time.Minute)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		begin := time.Now()
		if s.Discover(t.Context()); time.Since(begin) != 5*time.Second {
			t.Errorf("a round with a silent device took %v, want the new timeout", time.Since(begin))
		}
	})
}

func TestStoppingSaysNothingAboutADevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{devices: []mesh.Device{gatewayDevice("slow")}}
		s := newService(t, store, &fakeMesh{}, &fakeTokens{})
		s.Paired(gatewayDevice("slow"))
		ctx, cancel := context.WithCancel(t.Context())
		go func() { time.Sleep(time.Second); cancel() }()
		s.Discover(ctx)
		if d, _ := s.Get("slow"); d.Status != mesh.StatusAvailable {
			t.Errorf("status is %s", d.Status)
		}
	})
}

func TestRenameAndRemove(t *testing.T) {
	store, tokens := &fakeStore{devices: []mesh.Device{gatewayDevice("a")}}, &fakeTokens{}
	s := newService(t, store, &fakeMesh{}, tokens)
	if _, err := s.Rename(t.Context(), "a", "\x00 \u202e"); sdk.KindOf(err) != sdk.Invalid {
		t.Errorf("an empty name gave %v", err)
	}
	if d, err := s.Rename(t.Context(), "a", " Attic\tNAS "); err != nil || d.Name != "Attic NAS" || s.Name("a") != "Attic NAS" {
		t.Errorf("renamed to %q, %v", d.Name, err)
	}
	if err := s.Remove(t.Context(), "nobody"); sdk.KindOf(err) != sdk.NotFound {
		t.Errorf("removing an unknown device gave %v", err)
	}
	if err := s.Remove(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if len(s.List()) != 0 || len(store.removed) != 1 || len(tokens.revoked) != 1 {
		t.Errorf("left: %v; removed %v, revoked %v", s.List(), store.removed, tokens.revoked)
	}
	s.Observe(t.Context(), "a", mesh.Sample{Outcome: mesh.Reached})
	if len(s.List()) != 0 {
		t.Error("a late ping brought a removed device back")
	}
}

func TestAFailedWriteChangesNothing(t *testing.T) {
	store := &fakeStore{devices: []mesh.Device{gatewayDevice("a")}}
	s := newService(t, store, &fakeMesh{}, &fakeTokens{})
	store.err = errors.New("disk full")
	if _, err := s.Rename(t.Context(), "a", "b"); err == nil || s.Name("a") != "a" {
		t.Errorf("rename with a full disk: %v, name %q", err, s.Name("a"))
	}
	if err := s.Remove(t.Context(), "a"); err == nil || s.Name("a") != "a" {
		t.Errorf("remove with a full disk: %v, name %q", err, s.Name("a"))
	}
}

func TestPhonesShowWhenTheyWereLastUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := &fakeTokens{uses: map[mesh.DeviceID]time.Time{}}
		store := &fakeStore{devices: []mesh.Device{{ID: "phone", Name: "iPhone", Kind: mesh.KindBrowser}}}
		s := newService(t, store, &fakeMesh{}, tokens)
		if d, _ := s.Get("phone"); d.Status != mesh.StatusOffline {
			t.Errorf("a phone that was never seen is %s", d.Status)
		}
		used := time.Now()
		tokens.use("phone", used)
		if d := s.List()[0]; d.Status != mesh.StatusAvailable || !d.Presence.LastSeen.Equal(used) {
			t.Errorf("a phone in use is %+v", d.Presence)
		}
		time.Sleep(recentUse)
		if d, _ := s.Get("phone"); d.Status != mesh.StatusOffline || !d.Presence.LastSeen.Equal(used) {
			t.Errorf("a phone that was put away is %+v", d.Presence)
		}
	})
}

func TestARemovedGatewayIsTold(t *testing.T) {
	peers := &fakeMesh{answers: map[mesh.DeviceID]error{"on": nil, "sulks": errors.New("no")}}
	s := newService(t, &fakeStore{}, peers, &fakeTokens{})
	for _, id := range []string{"on", "sulks"} {
		s.Paired(gatewayDevice(id))
		if err := s.Remove(t.Context(), mesh.DeviceID(id)); err != nil {
			t.Errorf("remove %s: %v", id, err)
		}
	}
	if len(peers.told) != 2 || len(s.List()) != 0 {
		t.Errorf("told %v, left %v", peers.told, s.List())
	}
}

func TestAPhoneOfTheEarlierSalitaNeedsRepair(t *testing.T) {
	store := &fakeStore{devices: []mesh.Device{{ID: "old", Name: "Phone", Kind: mesh.KindBrowser, NeedsRepair: true}}}
	s := newService(t, store, &fakeMesh{}, &fakeTokens{})
	if d, err := s.Get("old"); err != nil || d.Status != mesh.StatusNeedsRepair || s.List()[0].Status != mesh.StatusNeedsRepair {
		t.Errorf("status is %s, %v", d.Status, err)
	}
}
