package plugins

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/control"
)

// long reports whether a test may take minutes.
func long() bool { return os.Getenv("SALITA_LONG") != "" }

// troupe are fake processes of several plugins, which come up, fail, refuse and
// die as they please. It keeps the books about them.
type troupe struct {
	t *testing.T

	mu     sync.Mutex
	random *rand.Rand
	calm   bool // nothing goes wrong any more
	all    []*fakePlugin
	worst  map[string]int // most processes at once, by plugin
}

func (c *troupe) chance(percent int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.calm && c.random.IntN(100) < percent
}

func (c *troupe) pause(most time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(c.random.Int64N(int64(most)))
}

// launch is what the host does in place of starting a process. The plugin "solo"
// must not run beside itself.
func (c *troupe) launch(ctx context.Context, o order) (launched, error) {
	if o.program.path == "" {
		return launched{}, permanent(o.program.problem)
	}
	select {
	case <-time.After(c.pause(4 * time.Millisecond)):
	case <-ctx.Done():
		return launched{}, ctx.Err()
	}
	switch {
	case o.serving != nil && !o.forced && o.changeFrom(o.serving.assignment) < newProgram:
		return launched{}, errUnchanged
	case o.serving != nil && o.spec.Name == "solo":
		return launched{}, errAlone
	case c.chance(10):
		return launched{}, errors.New("stumbled")
	case c.chance(5):
		return launched{}, &exitError{state: "exit status 1"}
	case c.chance(5):
		return launched{}, permanent(errors.New("cannot work"))
	}
	return c.enter(o), nil
}

// enter is a process that came up.
func (c *troupe) enter(o order) launched {
	f := newFakePlugin()
	f.order = o
	f.set(func() {
		f.health = func(context.Context) error {
			switch {
			case c.chance(5):
				return &control.NotServingError{Cause: sdk.Errorf(sdk.NoSpace, "Full.")}
			case c.chance(5):
				return context.DeadlineExceeded
			case c.chance(2):
				return errSocketGone
			}
			return nil
		}
		f.shutdown = func(ctx context.Context) error { return wait(ctx, c.pause(3*time.Millisecond)) }
		f.answer = func(ctx context.Context, _ assignment) error {
			if c.chance(10) {
				return &control.ConfigError{Diagnostics: []control.Diagnostic{{Summary: "No."}}}
			}
			return wait(ctx, c.pause(2*time.Millisecond))
		}
	})
	i := f.instance()
	i.transport = tripper(fine)
	l := launched{instance: i, manifest: &sdk.Manifest{
		Name: o.spec.Name, Title: o.spec.Name,
		Routes: []sdk.Route{{Pattern: "GET /" + o.spec.Name, Permission: o.spec.Name + ":read"}},
	}}
	i.alone = o.spec.Name == "solo"
	if c.chance(10) {
		l.health = &control.NotServingError{Cause: sdk.Errorf(sdk.NoSpace, "Full.")}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, f)
	c.worst[o.spec.Name] = max(c.worst[o.spec.Name], len(c.living(o.spec.Name)))
	return l
}

// living are the processes of a plugin. The caller holds the lock.
func (c *troupe) living(name string) []*fakePlugin {
	var living []*fakePlugin
	for _, f := range c.all {
		select {
		case <-f.gone:
		default:
			if f.order.spec.Name == name {
				living = append(living, f)
			}
		}
	}
	return living
}

// hurried is a timing in which nothing takes long.
func hurried() Timing {
	return Timing{
		Start: patience, Connect: patience, Configure: patience,
		HealthInterval: 3 * time.Millisecond, HealthTimeout: time.Second,
		BackoffMin: time.Millisecond, BackoffMax: 5 * time.Millisecond,
		CrashWindow: 20 * time.Millisecond,
		Grace:       20 * time.Millisecond, ExitWait: time.Millisecond, TermWait: time.Millisecond, KillWait: time.Second,
		Debounce: time.Millisecond, Settle: 2 * time.Millisecond, Rescan: 5 * time.Millisecond,
	}
}

// whims are random wishes of an owner who cannot make up his mind.
type whims struct {
	b      *bench
	random *rand.Rand
	names  []string
	specs  map[string]Spec // the last that were applied
}

func (w *whims) pick() string { return w.names[w.random.IntN(len(w.names))] }

// wish changes what is wanted of one plugin.
func (w *whims) wish() {
	name := w.pick()
	s := w.specs[name]
	switch w.random.IntN(4) {
	case 0:
		s.Enabled = !s.Enabled
	case 1:
		s.Config.Source = fmt.Appendf(nil, "library = %q", fmt.Sprint(w.random.IntN(3)))
	case 2:
		s.Env = []string{"GORACE", fmt.Sprintf("SALITA_TEST_%d", w.random.IntN(3))}
	case 3:
		s.Enabled = true
	}
	w.specs[name] = s
	w.apply()
}

func (w *whims) apply() {
	var specs []Spec
	for _, name := range w.names {
		specs = append(specs, w.specs[name])
	}
	w.b.apply(specs...)
}

// file replaces a program, or takes it away.
func (w *whims) file(version int) {
	name := w.pick()
	if w.random.IntN(5) == 0 {
		_ = os.Remove(filepath.Join(w.b.dir, filePrefix+name))
		return
	}
	w.b.installVersion(name, version)
}

func newWhims(b *bench, seed uint64, names ...string) *whims {
	w := &whims{b: b, random: rand.New(rand.NewPCG(seed, 2)), names: names, specs: make(map[string]Spec)}
	for _, name := range names {
		w.specs[name] = Spec{Name: name, Enabled: true, Env: []string{"GORACE"}}
		b.installVersion(name, -1)
	}
	return w
}

// settle is the last wish: all but one are enabled, with settings that nobody
// had before and with programs that nobody ran before.
func (w *whims) settle() (off string) {
	off = w.pick()
	for _, name := range w.names {
		s := w.specs[name]
		s.Enabled, s.Config.Source = name != off, []byte(`library = "last"`)
		w.specs[name] = s
		w.b.installVersion(name, 1_000_000)
	}
	w.apply()
	return off
}

// TestAnythingAtAnyTime fires commands and mishaps at random at fake processes:
// enabling, disabling, new settings, new programs, crashes, restarts, and the end
// of it all. There may never be more processes of a plugin than the one that
// serves and the one before or after it, the last command wins, and nothing is
// left.
func TestAnythingAtAnyTime(t *testing.T) {
	rounds, steps := 4, 100
	if long() {
		rounds, steps = 10, 1000
	}
	for seed := range uint64(rounds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			b := newBench(t)
			names := []string{"one", "two", "solo"}
			w := newWhims(b, seed, names...)
			c := &troupe{t: t, random: rand.New(rand.NewPCG(seed, 1)), worst: make(map[string]int)}
			b.host = New(Options{Dirs: []string{b.dir}, DataDir: b.data, RunDir: b.root, Log: testLogger(b.log), Timing: hurried()})
			b.host.carryOut = c.launch
			must(t, b.host.Start(t.Context(), nil))
			stopAsking := b.askAllTheTime(names)
			for step := range steps {
				c.mishapOr(w, step)
				time.Sleep(w.pauseOf(3 * time.Millisecond))
			}
			if seed%2 == 0 { // else the end comes in the middle of everything
				c.mu.Lock()
				c.calm = true
				c.mu.Unlock()
				off := w.settle()
				for _, name := range names {
					b.eventually(name+" does the last thing it was told", func() bool { return c.obeys(b, name, name == off) })
				}
			}
			stopAsking()
			must(t, b.host.Close())
			c.check(names)
			b.checkNothingLeft()
		})
	}
}

func (w *whims) pauseOf(most time.Duration) time.Duration {
	return time.Duration(w.random.Int64N(int64(most)))
}

// mishapOr lets something happen.
func (c *troupe) mishapOr(w *whims, step int) {
	switch w.random.IntN(6) {
	case 0, 1:
		w.wish()
	case 2:
		w.file(step)
	case 3:
		_ = w.b.host.Restart(w.pick())
	case 4:
		w.b.host.Refresh()
	case 5:
		c.mu.Lock()
		living := c.living(w.pick())
		c.mu.Unlock()
		if len(living) > 0 {
			living[w.random.IntN(len(living))].die()
		}
	}
}

// obeys reports whether exactly what was told last is so.
func (c *troupe) obeys(b *bench, name string, off bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := b.host.board.look().entries[name]
	living := c.living(name)
	if off {
		return e.status.State == Found && e.instance == nil && len(living) == 0
	}
	id, err := identify(filepath.Join(b.dir, filePrefix+name))
	if err != nil || e.instance == nil || len(living) != 1 {
		return false
	}
	o := living[0].order
	settings := slices.Concat(living[0].heard(), []string{string(o.spec.Config.Source)})
	return e.status.State == Running && e.status.LastError == "" && o.program.id.content() == id.content() && slices.Contains(settings, `library = "last"`)
}

// heard are the settings that a process was configured with.
func (f *fakePlugin) heard() (settings []string) {
	f.set(func() { settings = slices.Clone(f.settings) })
	return settings
}

func (c *troupe) check(names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t.Logf("%d processes, at most at once: %v", len(c.all), c.worst)
	for _, name := range names {
		most := 2
		if name == "solo" {
			most = 1
		}
		// One more may have come up too late for its cancellation.
		if c.worst[name] > most+1 {
			c.t.Errorf("%d processes of %s at once", c.worst[name], name)
		}
		if left := c.living(name); len(left) > 0 {
			c.t.Errorf("%d processes of %s are left", len(left), name)
		}
	}
	for _, f := range c.all {
		f.set(func() {
			if !f.released {
				c.t.Errorf("a process of %s was not given back", f.order.spec.Name)
			}
		})
	}
}

// askAllTheTime sends requests to the plugins until the returned function is
// called. An answer may fail, but only in one of the known ways.
func (b *bench) askAllTheTime(names []string) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	for _, name := range names {
		work.Go(func() {
			for ctx.Err() == nil {
				match, ok := b.host.Route("GET", "/"+name)
				if !ok {
					time.Sleep(time.Millisecond)
					continue
				}
				var known *sdk.Error
				if err := match.ask(ctx, "GET", nil); err != nil && ctx.Err() == nil && !errors.As(err, &known) {
					b.t.Errorf("%s: %v", name, err)
				}
				_, _ = b.host.Plugins(), b.host.Capabilities()
				time.Sleep(time.Millisecond)
			}
		})
	}
	return func() {
		cancel()
		work.Wait()
	}
}

// TestAnythingAtAnyTimeWithProcesses is the same with real processes.
func TestAnythingAtAnyTimeWithProcesses(t *testing.T) {
	t.Parallel()
	steps := 20
	if long() {
		steps = 300
	}
	b := newBench(t)
	names := []string{"good", "good-two", "good-three"}
	w := newWhims(b, 1, names...)
	timing := quick()
	timing.Grace, timing.CrashWindow = time.Second, time.Nanosecond
	b.start(timing, nil)
	for step := range steps {
		switch w.random.IntN(4) {
		case 0, 1:
			w.wish()
		case 2:
			w.file(step)
		case 3:
			_ = b.host.Restart(w.pick())
			if pids := b.processes(); len(pids) > 0 {
				_ = syscall.Kill(pids[w.random.IntN(len(pids))], syscall.SIGKILL)
			}
		}
		time.Sleep(w.pauseOf(100 * time.Millisecond))
	}
	off := w.settle()
	for _, name := range names {
		if name == off {
			b.await(name, Found)
			continue
		}
		b.eventually(name+" has the last settings", func() bool {
			s, known := b.find(name)
			return known && s.State == Running && s.LastError == "" && b.library(name) == "last"
		})
	}
	b.eventually("one process of each is left", func() bool { return len(b.processes()) == len(names)-1 })
}
