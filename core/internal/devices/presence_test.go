package devices

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// listen keeps what others are told of the list.
func listen(s *Service) (heard func() string) {
	var mu sync.Mutex
	var all []string
	say := func(word string) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, word)
	}
	s.Changed = func(d Device) { say(fmt.Sprintf("%s %s", d.Name, d.Status)) }
	s.Gone = func(d Device) { say(d.Name + " gone") }
	s.Note = func(_ context.Context, a mesh.Activity) { say(a.Name) }
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		got := strings.Join(all, ", ")
		all = nil
		return got
	}
}

func status(t *testing.T, s *Service, id mesh.DeviceID) mesh.Status {
	t.Helper()
	d, err := s.Get(id)
	if err != nil {
		t.Fatal(err)
	}
	return d.Status
}

func TestOnlyTransitionsArePublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := &fakeMesh{answers: map[mesh.DeviceID]error{"nas": nil}}
		tokens := &fakeTokens{uses: map[mesh.DeviceID]time.Time{}}
		store := &fakeStore{devices: []mesh.Device{gatewayDevice("nas"), {ID: "phone", Name: "phone", Kind: mesh.KindBrowser}}}
		s := newService(t, store, peers, tokens)
		heard := listen(s)
		stop := run(t, s)
		expect := func(what, want string) {
			t.Helper()
			if got := heard(); got != want {
				t.Errorf("%s: heard %q, want %q", what, got, want)
			}
		}
		time.Sleep(time.Hour)
		expect("an hour", "nas available")
		peers.vanish("nas")
		time.Sleep(time.Hour)
		expect("it went", "nas offline")
		peers.answer("nas", &sdk.Error{Kind: sdk.NeedsRepair})
		time.Sleep(time.Hour)
		expect("it refuses us", "nas needs_repair")
		peers.vanish("nas")
		time.Sleep(time.Hour)
		expect("it went again", "")
		tokens.use("phone", time.Now())
		time.Sleep(beat + time.Second)
		expect("a phone came", "phone available")
		time.Sleep(recentUse + beat)
		expect("and was put away", "phone offline")
		if _, err := s.Rename(t.Context(), "phone", "iPhone"); err != nil {
			t.Fatal(err)
		}
		expect("it was renamed", "iPhone offline")
		if err := s.Remove(t.Context(), "phone"); err != nil {
			t.Fatal(err)
		}
		expect("it was removed", "iPhone gone")
		stop()
	})
}

// TestVanishedWithinOneIntervalAndTheTimeout lets devices vanish at any moment.
func TestVanishedWithinOneIntervalAndTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := &fakeMesh{answers: map[mesh.DeviceID]error{}}
		store := &fakeStore{}
		for i := range 40 {
			d := gatewayDevice(fmt.Sprint("d", i))
			store.devices, peers.answers[d.ID] = append(store.devices, d), nil
		}
		s := newService(t, store, peers, &fakeTokens{})
		var mu sync.Mutex
		went, noticed := map[string]time.Time{}, map[string]time.Duration{}
		s.Changed = func(d Device) {
			mu.Lock()
			defer mu.Unlock()
			if d.Status == mesh.StatusOffline {
				noticed[d.Name] = time.Since(went[d.Name])
			}
		}
		stop := run(t, s)
		time.Sleep(5 * time.Minute)
		for _, d := range store.devices {
			mu.Lock()
			went[d.Name] = time.Now()
			mu.Unlock()
			peers.vanish(d.ID)
			time.Sleep(3371 * time.Millisecond)
		}
		time.Sleep(2 * time.Minute)
		stop()
		if len(noticed) != len(store.devices) {
			t.Errorf("%d of %d were noticed", len(noticed), len(store.devices))
		}
		for name, took := range noticed {
			if limit := s.Interval + s.Timeout; took > limit {
				t.Errorf("%s was noticed after %v, want at most %v", name, took, limit)
			}
		}
	})
}

// TestRoundOfAThousand has the silent ones anywhere in a list that nothing is
// known of yet.
func TestRoundOfAThousand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, peers := &fakeStore{}, &fakeMesh{answers: map[mesh.DeviceID]error{}, slow: map[mesh.DeviceID]time.Duration{}}
		for i := range 1000 {
			d := gatewayDevice(fmt.Sprintf("d%04d", i))
			store.devices = append(store.devices, d)
			if i%10 != 3 {
				peers.answers[d.ID], peers.slow[d.ID] = nil, time.Duration(i%50)*time.Millisecond
			}
		}
		s := newService(t, store, peers, &fakeTokens{})
		for range 3 {
			begin := time.Now()
			r := s.Discover(t.Context())
			if took := time.Since(begin); took > s.Timeout*12/10 {
				t.Errorf("a round took %v", took)
			}
			if len(r.Available) != 900 || len(r.Offline) != 100 {
				t.Errorf("%d are available, %d offline", len(r.Available), len(r.Offline))
			}
		}
		if peers.most > maxChecks {
			t.Errorf("%d checks at once", peers.most)
		}
		if store.saves != 1 || len(store.saved) != 900 {
			t.Errorf("%d writes of %d devices, want one of the 900 that came", store.saves, len(store.saved))
		}
	})
}

func TestTheSilentOnesGoFirst(t *testing.T) {
	store := &fakeStore{}
	for i := range 20 {
		d := gatewayDevice(fmt.Sprintf("d%02d", i))
		store.devices = append(store.devices, d)
		store.sightings = append(store.sightings, mesh.Sighting{DeviceID: d.ID, Reachable: i != 7 && i != 13, Response: time.Millisecond})
	}
	s := newService(t, store, &fakeMesh{}, &fakeTokens{})
	due := s.due(false)
	if first := slices.Sorted(slices.Values(due[:2])); !slices.Equal(first, []mesh.DeviceID{"d07", "d13"}) || len(due) != 20 {
		t.Errorf("first come %v", due)
	}
	if d, _ := s.Get("d01"); d.Response != time.Millisecond {
		t.Errorf("the response time of before is %v", d.Response)
	}
}

func TestSightings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const old, now, lie = "192.0.2.1:6969", "192.0.2.77:6969", "203.0.113.9:1"
		peers := &fakeMesh{answers: map[mesh.DeviceID]error{"nas": nil}, reachedAt: map[mesh.DeviceID]string{"nas": old}}
		store := &fakeStore{devices: []mesh.Device{gatewayDevice("nas")}}
		s := newService(t, store, peers, &fakeTokens{})
		heard := listen(s)
		stop := run(t, s)
		time.Sleep(5 * time.Second)
		if got := heard(); got != "nas available" {
			t.Fatalf("heard %q", got)
		}
		checks := peers.count()
		s.Seen(mesh.KeyHash{1}, []string{now, old}) // where we have it, and elsewhere too
		s.Seen(mesh.KeyHash{2}, []string{now})      // a stranger
		s.Seen(mesh.KeyHash{}, []string{now})
		time.Sleep(5 * time.Second)
		if peers.count() != checks {
			t.Error("what is no news brought a check about")
		}

		s.Seen(mesh.KeyHash{1}, []string{lie, "nonsense", "host.local:6969", ""})
		time.Sleep(5 * time.Second)
		if d, _ := s.Get("nas"); d.Status != mesh.StatusAvailable || !slices.Equal(d.Addresses, []string{old}) {
			t.Errorf("a lie left %s at %v", d.Status, d.Addresses)
		}
		if got, _ := peers.lookedFor("nas"); !slices.Equal(got, []string{old, lie}) {
			t.Errorf("it was looked for at %v", got)
		}

		peers.mu.Lock()
		peers.reachedAt["nas"] = now // it has moved
		peers.mu.Unlock()
		time.Sleep(2 * time.Minute)
		if got := heard(); got != "nas offline" {
			t.Errorf("it moved: heard %q", got)
		}
		begin := time.Now()
		s.Seen(mesh.KeyHash{1}, []string{now})
		for status(t, s, "nas") != mesh.StatusAvailable {
			if time.Since(begin) > 2*time.Second {
				t.Fatal("not available two seconds after it was sighted")
			}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Second)
		d, g := store.kept("nas")
		if !slices.Equal(d.Addresses, []string{now, old}) {
			t.Errorf("stored addresses are %v", d.Addresses)
		}
		if g.Address != now || !g.Reachable {
			t.Errorf("stored sighting is %+v", g)
		}
		stop()
	})
}

// TestASightingOvertakesACheckThatLeadsNowhere: the device comes back while it is
// looked for in vain.
func TestASightingOvertakesACheckThatLeadsNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const now = "192.0.2.77:6969"
		peers := &fakeMesh{answers: map[mesh.DeviceID]error{"nas": nil}, reachedAt: map[mesh.DeviceID]string{"nas": now}}
		s := newService(t, &fakeStore{devices: []mesh.Device{gatewayDevice("nas")}}, peers, &fakeTokens{})
		stop := run(t, s)
		time.Sleep(100 * time.Millisecond) // the first round looks at the old address
		s.Seen(mesh.KeyHash{1}, []string{now})
		time.Sleep(100 * time.Millisecond)
		if got := status(t, s, "nas"); got != mesh.StatusAvailable {
			t.Errorf("it is %s", got)
		}
		stop()
	})
}

// TestAFloodOfSightings neither costs much nor hides the device.
func TestAFloodOfSightings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := &fakeMesh{answers: map[mesh.DeviceID]error{}, slow: map[mesh.DeviceID]time.Duration{"nas": 50 * time.Millisecond}}
		s := newService(t, &fakeStore{devices: []mesh.Device{gatewayDevice("nas")}}, peers, &fakeTokens{})
		stop := run(t, s)
		time.Sleep(5 * time.Second)
		before := peers.count()
		flood := func(n int) {
			for i := range n {
				s.Seen(mesh.KeyHash{1}, []string{fmt.Sprintf("203.0.113.%d:%d", i%250, 1+i%60000)})
				time.Sleep(10 * time.Millisecond)
			}
		}
		flood(3000) // thirty seconds
		if got := peers.count() - before; got > 40 {
			t.Errorf("%d checks in half a minute", got)
		}
		peers.answer("nas", nil)
		flood(800)
		if got := status(t, s, "nas"); got != mesh.StatusAvailable {
			t.Errorf("in the flood it is %s", got)
		}
		stop()
	})
}

func TestABrokenCallIsCheckedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := &fakeMesh{answers: map[mesh.DeviceID]error{"nas": nil}}
		s := newService(t, &fakeStore{devices: []mesh.Device{gatewayDevice("nas")}}, peers, &fakeTokens{})
		heard := listen(s)
		stop := run(t, s)
		time.Sleep(5 * time.Second)
		heard()
		s.Outcome(t.Context(), "nas", &sdk.Error{Kind: sdk.Offline})
		time.Sleep(3 * time.Second)
		if got := heard(); got != "" {
			t.Errorf("a call that broke to a device that is there: heard %q", got)
		}
		peers.vanish("nas")
		s.Outcome(t.Context(), "nas", errors.New("connection reset"))
		time.Sleep(s.Timeout)
		synctest.Wait()
		if got := heard(); got != "nas offline" {
			t.Errorf("a call that broke because the device went: heard %q", got)
		}
		s.Outcome(t.Context(), "nas", nil)
		if got := heard(); got != "nas available" {
			t.Errorf("a call that succeeded: heard %q", got)
		}
		s.Outcome(t.Context(), "nas", &sdk.Error{Kind: sdk.NeedsRepair})
		if got := heard(); got != "nas needs_repair" {
			t.Errorf("a call that was refused: heard %q", got)
		}
		stop()
	})
}

func TestWhoCallsIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := &fakeMesh{answers: map[mesh.DeviceID]error{}}
		store := &fakeStore{devices: []mesh.Device{gatewayDevice("nas"), {ID: "phone", Kind: mesh.KindBrowser}}}
		s := newService(t, store, peers, &fakeTokens{})
		stop := run(t, s)
		time.Sleep(5 * time.Second)
		peers.answer("nas", nil)
		s.Heard("nas")
		s.Heard("phone")
		s.Heard("nobody")
		s.Heard("")
		time.Sleep(10 * time.Millisecond)
		if got := status(t, s, "nas"); got != mesh.StatusAvailable {
			t.Errorf("it called, and is %s", got)
		}
		before := peers.count()
		for range 100 {
			s.Heard("nas")
		}
		time.Sleep(5 * time.Second)
		if got := peers.count(); got != before {
			t.Errorf("%d more checks of a device that is there", got-before)
		}
		stop()
	})
}

func TestGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := &fakeMesh{answers: map[mesh.DeviceID]error{"on": nil, "hangs": nil}}
		store := &fakeStore{devices: []mesh.Device{gatewayDevice("on"), gatewayDevice("hangs"), gatewayDevice("off")}}
		s := newService(t, store, peers, &fakeTokens{})
		stop := run(t, s)
		time.Sleep(5 * time.Second)
		peers.vanish("hangs")
		begin := time.Now()
		stop()
		if took := time.Since(begin); took > farewell {
			t.Errorf("the goodbye took %v", took)
		}
		slices.Sort(peers.goodbyes)
		if got := slices.Compact(peers.goodbyes); !slices.Equal(got, []mesh.DeviceID{"hangs", "on"}) {
			t.Errorf("said goodbye to %v", got)
		}
	})
}

func TestWhoSaysGoodbyeIsOffline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := &fakeMesh{answers: map[mesh.DeviceID]error{"nas": nil}, slow: map[mesh.DeviceID]time.Duration{"nas": 300 * time.Millisecond}}
		s := newService(t, &fakeStore{devices: []mesh.Device{gatewayDevice("nas")}}, peers, &fakeTokens{})
		heard := listen(s)
		stop := run(t, s)
		time.Sleep(5 * time.Second)
		checked := make(chan error)
		go func() { _, err := s.Check(t.Context(), "nas"); checked <- err }()
		time.Sleep(100 * time.Millisecond)
		s.Left(t.Context(), "nas") // while it is being asked
		s.Left(t.Context(), "nobody")
		<-checked
		if got := heard(); got != "nas available, nas offline" {
			t.Errorf("heard %q", got)
		}
		time.Sleep(2 * time.Minute) // it answers again
		if got := heard(); got != "nas available" {
			t.Errorf("heard %q", got)
		}
		stop()
	})
}

func TestLooksAnewAfterSleepAndInAnotherNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := &fakeMesh{answers: map[mesh.DeviceID]error{"nas": nil}}
		s := newService(t, &fakeStore{devices: []mesh.Device{gatewayDevice("nas")}}, peers, &fakeTokens{})
		var mu sync.Mutex
		slept, network := time.Duration(0), "home"
		set := func(change func()) {
			mu.Lock()
			defer mu.Unlock()
			change()
		}
		s.Now = func() (now time.Time) { set(func() { now = time.Now().Add(slept) }); return now }
		s.Network = func() (name string) { set(func() { name = network }); return name }
		stop := run(t, s)
		time.Sleep(10*time.Second + time.Millisecond)
		for what, change := range map[string]func(){
			"sleep":           func() { slept += time.Hour },
			"another network": func() { network = "office" },
		} {
			before := peers.count()
			_, anew := peers.lookedFor("nas")
			set(change)
			time.Sleep(beat + time.Millisecond)
			if _, now := peers.lookedFor("nas"); peers.count() != before+1 || now != anew+1 {
				t.Errorf("%s: %d checks, %d over new connections", what, peers.count()-before, now-anew)
			}
			if got := status(t, s, "nas"); got != mesh.StatusAvailable {
				t.Errorf("%s: it is %s", what, got)
			}
		}
		before := peers.count()
		time.Sleep(20 * time.Second)
		if got := peers.count(); got != before {
			t.Errorf("%d checks while nothing happened", got-before)
		}
		stop()
	})
}

func TestPulse(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	last := reading{wall: at, mono: time.Hour, network: "a"}
	after := func(wall, mono time.Duration, network string) reading {
		return reading{wall: at.Add(wall), mono: time.Hour + mono, network: network}
	}
	tests := []struct {
		name string
		now  reading
		news bool
	}{
		{"a beat", after(beat, beat, "a"), false},
		{"a busy machine", after(2*beat, 2*beat, "a"), false},
		{"the clock drifts", after(beat+jump-1, beat, "a"), false},
		{"slept, the running clock stood", after(time.Hour, beat, "a"), true},
		{"slept, the running clock ran", after(time.Hour, time.Hour, "a"), true},
		{"set back", after(-time.Hour, beat, "a"), false},
		{"another network", after(beat, beat, "b"), true},
		{"no network", after(beat, beat, ""), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if why := last.compare(tt.now); (why != "") != tt.news {
				t.Errorf("says %q", why)
			}
		})
	}
	first, second := interfaceAddresses(), interfaceAddresses()
	if first != second {
		t.Errorf("the network changes by being looked at: %q, %q", first, second)
	}
}

func TestArchive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := time.Now().Add(-mesh.ArchiveAfter)
		device := func(id string, kind mesh.Kind, seen time.Time) mesh.Device {
			d := gatewayDevice(id)
			d.Kind, d.LastSeen, d.PairedAt = kind, seen, long
			if kind != mesh.KindGateway {
				d.Key = mesh.KeyHash{}
			}
			return d
		}
		store := &fakeStore{devices: []mesh.Device{
			device("lost", mesh.KindGateway, long), device("silent", mesh.KindGateway, long.Add(time.Hour)),
			device("there", mesh.KindGateway, long), device("phone", mesh.KindBrowser, time.Time{}), device("used", mesh.KindBrowser, long),
		}}
		peers := &fakeMesh{answers: map[mesh.DeviceID]error{"there": nil}}
		tokens := &fakeTokens{uses: map[mesh.DeviceID]time.Time{"used": time.Now().Add(-time.Hour)}}
		s := newService(t, store, peers, tokens)
		heard := listen(s)
		stop := run(t, s)
		time.Sleep(5 * time.Second)
		heard()
		n, err := s.Archive(t.Context())
		if err != nil || n != 2 {
			t.Fatalf("archived %d, %v", n, err)
		}
		if got := ids(s.List()); got != "silent there used" {
			t.Errorf("the list has %s", got)
		}
		if got := ids(s.Archived()); got != "lost phone" {
			t.Errorf("archived are %s", got)
		}
		if got := ids(s.Discover(t.Context()).Offline); got != "silent used" {
			t.Errorf("offline are %s", got)
		}
		if d, err := s.Get("lost"); err != nil || !d.Archived() {
			t.Errorf("kept is %+v, %v", d, err)
		}
		heard()

		if d, err := s.Restore(t.Context(), "phone"); err != nil || d.Archived() {
			t.Errorf("restored by its owner: %+v, %v", d, err)
		}
		if got := heard(); got != "phone offline, device.restored" {
			t.Errorf("heard %q", got)
		}
		if n, err := s.Archive(t.Context()); n != 0 || err != nil {
			t.Errorf("the next day: archived %d, %v", n, err)
		}
		if _, err := s.Restore(t.Context(), "nobody"); sdk.KindOf(err) != sdk.NotFound {
			t.Errorf("restoring nobody: %v", err)
		}

		peers.answer("lost", nil)
		s.Seen(mesh.KeyHash{1}, []string{"192.0.2.5:6969"})
		s.CheckSoon("lost") // the devices of this test share a key
		time.Sleep(time.Second)
		if got := ids(s.List()); got != "lost phone silent there used" {
			t.Errorf("after it was seen again the list has %s", got)
		}
		if got := heard(); !strings.Contains(got, "lost available") || !strings.Contains(got, "device.restored") {
			t.Errorf("heard %q", got)
		}
		stop()
		if !slices.Equal(store.restored, []mesh.DeviceID{"phone", "lost"}) {
			t.Errorf("stored as restored: %v", store.restored)
		}
	})
}

// TestUseRestoresAPhone that was put away.
func TestUseRestoresAPhone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{devices: []mesh.Device{{ID: "phone", Name: "phone", Kind: mesh.KindBrowser, ArchivedAt: time.Now()}}}
		tokens := &fakeTokens{uses: map[mesh.DeviceID]time.Time{}}
		s := newService(t, store, &fakeMesh{}, tokens)
		stop := run(t, s)
		time.Sleep(time.Minute)
		if len(s.List()) != 0 {
			t.Error("an archived phone is in the list")
		}
		tokens.use("phone", time.Now())
		time.Sleep(beat + time.Second)
		if got := ids(s.List()); got != "phone" || status(t, s, "phone") != mesh.StatusAvailable {
			t.Errorf("the list has %q", got)
		}
		stop()
		if len(store.restored) != 1 || !store.saved["phone"].LastSeen.Equal(tokens.lastUses()["phone"]) {
			t.Errorf("stored: restored %v, seen %v", store.restored, store.saved["phone"].LastSeen)
		}
	})
}

func ids(list []Device) string {
	var all []string
	for _, d := range list {
		all = append(all, string(d.ID))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func TestNonsenseIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := &lines{}
		liar := fmt.Errorf("%w: 1000000000 capabilities", mesh.ErrImplausible)
		peers := &fakeMesh{answers: map[mesh.DeviceID]error{"liar": sdk.Errorf(sdk.Offline, "off").Because(liar), "nas": nil}}
		s := newService(t, &fakeStore{devices: []mesh.Device{gatewayDevice("liar"), gatewayDevice("nas")}}, peers, &fakeTokens{})
		s.Log = hclog.New(&hclog.LoggerOptions{Output: logs, Level: hclog.Warn})
		stop := run(t, s)
		time.Sleep(50 * time.Minute)
		if got := logs.all(); len(got) != 1 || !strings.Contains(got[0], "1000000000 capabilities") {
			t.Errorf("the log says %q", got)
		}
		want := map[mesh.DeviceID]mesh.Status{"liar": mesh.StatusOffline, "nas": mesh.StatusAvailable}
		if diff := cmp.Diff(want, statuses(s.List())); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}
		time.Sleep(time.Hour)
		if got := len(logs.all()); got != 2 {
			t.Errorf("%d lines after another hour", got)
		}
		stop()
	})
}

type lines struct {
	mu   sync.Mutex
	text []string
}

var _ io.Writer = (*lines)(nil)

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, string(p))
	return len(p), nil
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.text)
}

func TestWhatCannotBeStoredIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{devices: []mesh.Device{gatewayDevice("nas"), gatewayDevice("other")}}
		peers := &fakeMesh{answers: map[mesh.DeviceID]error{"nas": nil}}
		s := newService(t, store, peers, &fakeTokens{})
		store.err = errors.New("disk full")
		s.Discover(t.Context())
		if got := status(t, s, "nas"); got != mesh.StatusAvailable {
			t.Errorf("with a full disk it is %s", got)
		}
		store.err = nil
		s.Discover(t.Context())
		if _, ok := store.saved["nas"]; !ok {
			t.Error("it was never stored")
		}
	})
}

func TestStaleAnswersDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := &fakeMesh{answers: map[mesh.DeviceID]error{"nas": nil}}
		future := gatewayDevice("future")
		future.LastSeen = time.Now().Add(1000 * time.Hour)
		s := newService(t, &fakeStore{devices: []mesh.Device{gatewayDevice("nas"), future}}, peers, &fakeTokens{})
		if d, _ := s.Get("future"); d.Presence.LastSeen.After(time.Now()) {
			t.Errorf("it was last seen in the future: %v", d.Presence.LastSeen)
		}
		s.Discover(t.Context()) // and nobody asks again
		time.Sleep(2 * (s.Interval + s.Timeout))
		if got := status(t, s, "nas"); got != mesh.StatusOffline {
			t.Errorf("long after its last answer it is %s", got)
		}
	})
}
