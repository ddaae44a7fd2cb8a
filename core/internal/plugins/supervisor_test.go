package plugins

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/control"
)

// fakePlugin is a process that exists only in memory.
type fakePlugin struct {
	gone chan struct{}

	mu       sync.Mutex
	health   func(context.Context) error
	shutdown func(context.Context) error
	signals  []string
	deaf     bool // ignores everything but kill
	released bool
	order    order
	answer   func(context.Context, assignment) error // of Configure
	settings []string                                // that Configure was called with
}

func newFakePlugin() *fakePlugin {
	fine := func(context.Context) error { return nil }
	return &fakePlugin{gone: make(chan struct{}), health: fine, shutdown: fine, answer: func(context.Context, assignment) error { return nil }}
}

func (f *fakePlugin) configure(ctx context.Context, a assignment) error {
	var answer func(context.Context, assignment) error
	f.set(func() {
		f.settings = append(f.settings, string(a.spec.Config.Source))
		answer = f.answer
	})
	return answer(ctx, a)
}

// set changes the fake under its lock.
func (f *fakePlugin) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakePlugin) die() {
	f.set(func() {
		select {
		case <-f.gone:
		default:
			close(f.gone)
		}
	})
}

func (f *fakePlugin) signal(name string, fatal bool) {
	f.set(func() { f.signals = append(f.signals, name); fatal = fatal || !f.deaf })
	if fatal {
		f.die()
	}
}

func (f *fakePlugin) hangUp()    { f.signal("hang up", false) }
func (f *fakePlugin) terminate() { f.signal("terminate", false) }
func (f *fakePlugin) kill()      { f.signal("kill", true) }

func (f *fakePlugin) CheckHealth(ctx context.Context) error {
	var health func(context.Context) error
	f.set(func() { health = f.health })
	return health(ctx)
}

func (f *fakePlugin) Shutdown(ctx context.Context, _ time.Duration) error {
	var shutdown func(context.Context) error
	f.set(func() { shutdown = f.shutdown })
	return shutdown(ctx)
}

// check fails the test unless exactly these signals came and, when it is gone,
// everything of it was given back.
func (f *fakePlugin) check(t *testing.T, released bool, signals ...string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if diff := cmp.Diff(signals, f.signals); diff != "" {
		t.Errorf("signals: %s", diff)
	}
	if f.released != released {
		t.Errorf("released: %v", f.released)
	}
}

func (f *fakePlugin) instance() *instance {
	return &instance{
		assignment: f.order.assignment,
		revision:   f.order.revision(),
		group:      f, control: f, exited: f.gone, drained: f.gone,
		exitError: func() error { return &exitError{state: "exit status 1"} },
		dial:      func(context.Context) (net.Conn, error) { a, _ := net.Pipe(); return a, nil },
		transport: http.DefaultTransport,
		limit:     100,
		cleanUp:   func() { f.set(func() { f.released = true }) },
		calls:     newGauge(),
		pending:   newGauge(),
		suspected: func() {},
		configure: f.configure,
		watch:     func(context.Context, func(control.Event) error) error { return control.ErrUnsupported },
	}
}

// rig runs a supervisor over fake plugins, in fake time.
type rig struct {
	t *testing.T
	s *supervisor

	mu     sync.Mutex
	starts []time.Time
	plugin *fakePlugin                         // the newest
	next   func(*fakePlugin) (launched, error) // outcome of a launch
	last   report
	slow   *time.Duration // of each launch that is not cancelled
}

// inRig runs the test in a bubble and stops the supervisor at its end.
func inRig(t *testing.T, next func(*fakePlugin) (launched, error), test func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, next: next}
		exact := func(d time.Duration) time.Duration { return d }
		r.s = newSupervisor(r.launch, Timing{}.withDefaults(), exact, discard(), func(rep report) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.last = rep
		})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.s.run(ctx)
		}()
		r.assign(task("one"))
		test(r)
		cancel()
		<-done
		if last := r.report(); last.state != Stopped || last.instance != nil {
			t.Errorf("ends as %+v", last)
		}
	})
}

func (r *rig) launch(ctx context.Context, o order) (launched, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.starts = append(r.starts, time.Now())
	if r.slow != nil && *r.slow > 0 {
		r.mu.Unlock()
		select {
		case <-time.After(*r.slow):
		case <-ctx.Done():
		}
		r.mu.Lock()
		if ctx.Err() != nil {
			return launched{}, ctx.Err()
		}
	}
	f := newFakePlugin()
	f.order = o
	l, err := r.next(f)
	if err == nil {
		r.plugin = f
	}
	return l, err
}

// task is an assignment with the settings.
func task(settings string) assignment {
	return assignment{
		wanted:  true,
		spec:    Spec{Name: "x", Enabled: true, Config: Block{Source: []byte(settings)}},
		program: program{name: "x", path: "/x", id: fileID{inode: 1}},
	}
}

// assign gives the supervisor something to do and waits until that is under way.
func (r *rig) assign(a assignment) {
	r.s.inbox.assign(a)
	synctest.Wait()
}

// set changes what the launches go by.
func (r *rig) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

func (r *rig) report() report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

func (r *rig) current() *fakePlugin {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.plugin
}

func (r *rig) launches() []time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.starts)
}

// want fails the test unless the supervisor is here.
func (r *rig) want(state State, launches int) {
	r.t.Helper()
	if got := r.report().state; got != state {
		r.t.Errorf("state %s, want %s", got, state)
	}
	if got := len(r.launches()); got != launches {
		r.t.Errorf("%d launches, want %d", got, launches)
	}
}

// pass lets time pass and everything that it sets off happen.
func (r *rig) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func ok(f *fakePlugin) (launched, error) {
	return launched{instance: f.instance(), manifest: &sdk.Manifest{Name: "x", Title: "X"}}, nil
}

func TestSupervisorBacksOffLongerAndLonger(t *testing.T) {
	boom := errors.New("boom")
	inRig(t, func(*fakePlugin) (launched, error) { return launched{}, boom }, func(r *rig) {
		r.pass(4 * time.Minute)
		var waits []time.Duration
		starts := r.launches()
		for i := 1; i < len(starts); i++ {
			waits = append(waits, starts[i].Sub(starts[i-1]))
		}
		const s = time.Second
		want := []time.Duration{s / 2, s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 60 * s, 60 * s}
		if diff := cmp.Diff(want, waits); diff != "" {
			t.Error(diff)
		}
		if failure := r.report().failure; !errors.Is(failure, boom) {
			t.Errorf("failure %v", failure)
		}
	})
}

func TestSupervisorDoesNotRepeatWhatCannotWork(t *testing.T) {
	tries := 0
	inRig(t, func(f *fakePlugin) (launched, error) {
		if tries++; tries == 1 {
			return launched{}, permanent(errors.New("no"))
		}
		return ok(f)
	}, func(r *rig) {
		r.pass(time.Hour)
		r.want(Failed, 1)
		r.s.inbox.restart()
		synctest.Wait()
		r.want(Running, 2)
	})
}

func TestSupervisorQuarantinesACrashLoop(t *testing.T) {
	inRig(t, func(f *fakePlugin) (launched, error) {
		time.AfterFunc(time.Millisecond, f.die)
		return ok(f)
	}, func(r *rig) {
		r.pass(time.Hour)
		r.want(Quarantined, crashLimit)
	})
}

func TestSupervisorForgivesAfterAHealthyMinute(t *testing.T) {
	inRig(t, ok, func(r *rig) {
		for i := range 2 * crashLimit {
			r.pass(61 * time.Second)
			r.current().die()
			synctest.Wait()
			r.want(Backoff, i+1)
			r.pass(500 * time.Millisecond)
			r.want(Running, i+2)
		}
	})
}

func TestSupervisorKillsAHungPlugin(t *testing.T) {
	inRig(t, ok, func(r *rig) {
		hung := r.current()
		hung.set(func() {
			hung.health = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		})
		r.pass(11 * time.Second)
		r.want(Degraded, 1)
		r.pass(10 * time.Second)
		hung.check(t, false)
		r.pass(10 * time.Second)
		r.pass(time.Second)
		hung.check(t, true, "kill")
		r.want(Running, 2)
	})
}

func TestSupervisorBelievesAPluginThatSaysNo(t *testing.T) {
	no := &control.NotServingError{Cause: sdk.Errorf(sdk.NoSpace, "Full.")}
	inRig(t, ok, func(r *rig) {
		p := r.current()
		p.set(func() { p.health = func(context.Context) error { return no } })
		r.pass(time.Hour)
		r.want(Degraded, 1)
		if last := r.report(); last.instance == nil || !errors.Is(last.failure, no.Cause) {
			t.Errorf("got %+v", last)
		}
		p.set(func() { p.health = func(context.Context) error { return nil } })
		r.pass(10 * time.Second)
		r.want(Running, 1)
		if failure := r.report().failure; failure != nil {
			t.Errorf("failure %v", failure)
		}
	})
}

func TestSupervisorNoticesADeadSocketAtOnce(t *testing.T) {
	inRig(t, func(f *fakePlugin) (launched, error) {
		l, err := ok(f)
		l.instance.dial = func(context.Context) (net.Conn, error) { return nil, syscall.ENOENT }
		return l, err
	}, func(r *rig) {
		r.want(Running, 1)
		r.report().instance.suspected()
		synctest.Wait()
		r.want(Backoff, 1)
	})
}

func TestSupervisorStopsPolitely(t *testing.T) {
	for _, c := range []struct {
		name    string
		spoil   func(f *fakePlugin)
		signals []string
		most    time.Duration
	}{
		{"polite", func(*fakePlugin) {}, []string{"hang up"}, 0},
		{"deaf but answers", func(f *fakePlugin) { f.deaf = true }, []string{"hang up", "terminate", "kill"}, 1500 * time.Millisecond},
		{"deaf and silent", func(f *fakePlugin) {
			f.deaf = true
			f.shutdown = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		}, []string{"hang up", "terminate", "kill"}, 10500 * time.Millisecond},
		{"dies while draining", func(f *fakePlugin) {
			f.shutdown = func(ctx context.Context) error { f.die(); <-ctx.Done(); return ctx.Err() }
		}, []string{"hang up"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inRig(t, ok, func(r *rig) {
				f := r.current()
				f.set(func() { c.spoil(f) })
				r.s.inbox.restart()
				r.pass(c.most)
				r.want(Running, 2)
				f.check(t, true, c.signals...)
			})
		})
	}
}

func TestSupervisorCancelsALaunch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		launch := func(ctx context.Context, _ order) (launched, error) {
			<-ctx.Done()
			return launched{}, ctx.Err()
		}
		var states []State
		s := newSupervisor(launch, Timing{}.withDefaults(), jitter, discard(), func(r report) { states = append(states, r.state) })
		s.inbox.assign(task(""))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		s.run(ctx)
		if diff := cmp.Diff([]State{Starting, Stopping, Stopped}, states); diff != "" {
			t.Error(diff)
		}
	})
}

func TestJitterStaysWithinAFifth(t *testing.T) {
	for range 1000 {
		if d := jitter(10 * time.Second); d < 8*time.Second || d > 12*time.Second {
			t.Fatalf("got %s", d)
		}
	}
}
