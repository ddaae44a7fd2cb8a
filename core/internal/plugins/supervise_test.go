package plugins

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/control"
)

// otherProgram is a task whose file is another.
func otherProgram(inode uint64) assignment {
	a := task("one")
	a.program.id.inode = inode
	return a
}

func TestSupervisorReplacesAProcess(t *testing.T) {
	inRig(t, ok, func(r *rig) {
		old := r.current()
		r.assign(otherProgram(2))
		r.want(Running, 2)
		if r.current() == old || r.report().instance.group != r.current() {
			t.Error("the old process serves")
		}
		old.check(t, true, "hang up")
		r.current().check(t, false)
	})
}

func TestSupervisorWaitsForTheOldProcessBeforeAThird(t *testing.T) {
	inRig(t, ok, func(r *rig) {
		busy := r.current()
		busy.set(func() {
			busy.shutdown = func(context.Context) error { time.Sleep(5 * time.Second); return nil }
		})
		r.assign(otherProgram(2))
		r.assign(otherProgram(3))
		r.want(Running, 2)
		r.assign(otherProgram(4))
		r.want(Running, 2)
		r.pass(5 * time.Second)
		r.want(Running, 3)
		if got := r.current().order.program.id.inode; got != 4 {
			t.Errorf("runs program %d, want the last", got)
		}
	})
}

// TestSupervisorDrainsWhatIsUnderWay replaces a process that has a request
// without an answer yet, and one whose answer goes on.
func TestSupervisorDrainsWhatIsUnderWay(t *testing.T) {
	inRig(t, ok, func(r *rig) {
		old := r.report().instance
		asked := r.current()
		told := time.Time{}
		asked.set(func() { asked.shutdown = func(context.Context) error { told = time.Now(); return nil } })
		for range 2 {
			if old.acquire() != admitted {
				t.Fatal("not admitted")
			}
		}
		old.answered() // of the first request; its body goes on
		began := time.Now()
		r.assign(otherProgram(2))
		if old.acquire() != retired {
			t.Error("the old process takes new requests")
		}
		r.pass(3 * time.Second)
		asked.check(t, false)
		old.answered()
		old.done()
		r.pass(0)
		if d := told.Sub(began); d != 3*time.Second {
			t.Errorf("told to finish after %s, want as soon as every request was answered", d)
		}
		asked.check(t, true, "hang up")
		old.done()
	})
}

func TestSupervisorDoesNotDrainForEver(t *testing.T) {
	inRig(t, ok, func(r *rig) {
		old, asked := r.report().instance, r.current()
		old.acquire()
		r.assign(otherProgram(2))
		r.pass(7 * time.Second)
		asked.check(t, false)
		r.pass(2 * time.Second)
		asked.check(t, true, "hang up")
		old.answered()
		old.done()
	})
}

func TestSupervisorKeepsWhatWorks(t *testing.T) {
	boom := errors.New("boom")
	var fail error
	launch := func(f *fakePlugin) (launched, error) {
		if fail != nil {
			return launched{}, fail
		}
		return ok(f)
	}
	inRig(t, launch, func(r *rig) {
		old := r.current()
		r.set(func() { fail = permanent(boom) })
		r.assign(otherProgram(2))
		r.pass(time.Hour)
		r.want(Running, 2)
		if got := r.report(); !errors.Is(got.replacement, boom) || got.failure != nil || got.instance.group != old {
			t.Errorf("got %+v", got)
		}
		r.set(func() { fail = boom })
		r.assign(otherProgram(3))
		r.pass(time.Hour)
		r.want(Running, 2+tryLimit)
		r.set(func() { fail = nil })
		r.assign(otherProgram(4))
		r.want(Running, 3+tryLimit)
		if got := r.report(); got.replacement != nil {
			t.Errorf("got %+v", got)
		}
	})
}

func TestSupervisorDiscardsWhatIsSick(t *testing.T) {
	no := &control.NotServingError{Cause: sdk.Errorf(sdk.NoSpace, "Full.")}
	sick := false
	var fresh []*fakePlugin
	launch := func(f *fakePlugin) (launched, error) {
		fresh = append(fresh, f)
		l, err := ok(f)
		if sick {
			l.health = no
		}
		return l, err
	}
	inRig(t, launch, func(r *rig) {
		old := r.report().instance
		r.set(func() { sick = true })
		r.assign(otherProgram(2))
		fresh[1].check(t, true, "hang up")
		if got := r.report(); got.instance != old || !errors.Is(got.replacement, no) || got.state != Running {
			t.Errorf("got %+v", got)
		}
		r.set(func() { sick = false })
		r.pass(time.Second)
		r.want(Running, 3)
		if got := r.report(); got.instance == old || got.replacement != nil {
			t.Errorf("got %+v", got)
		}
	})
}

// TestSupervisorTakesTheReplacementForTheOld ends the old process while the new
// one is being launched.
func TestSupervisorTakesTheReplacementForTheOld(t *testing.T) {
	slow := time.Duration(0)
	launch := func(f *fakePlugin) (launched, error) { return ok(f) }
	inRig(t, launch, func(r *rig) {
		r.set(func() { r.slow = &slow; slow = time.Second })
		old := r.current()
		r.assign(otherProgram(2))
		r.want(Running, 2)
		old.die()
		r.pass(0)
		r.want(Starting, 2)
		r.pass(time.Second)
		r.want(Running, 2)
	})
}

// TestSupervisorRunsSomeAlone has a plugin of which two processes must not run
// at once: the old one is stopped first, and not before the new one could run.
func TestSupervisorRunsSomeAlone(t *testing.T) {
	launch := func(f *fakePlugin) (launched, error) {
		if f.order.serving != nil {
			return launched{}, errAlone
		}
		return ok(f)
	}
	inRig(t, launch, func(r *rig) {
		old := r.current()
		r.assign(otherProgram(2))
		r.want(Running, 3)
		old.check(t, true, "hang up")
	})
}

func TestSupervisorForgetsWhatWasTakenBack(t *testing.T) {
	slow := time.Duration(0)
	inRig(t, ok, func(r *rig) {
		r.set(func() { r.slow = &slow; slow = time.Second })
		old := r.current()
		r.assign(otherProgram(2))
		r.assign(task("one"))
		r.pass(time.Hour)
		r.want(Running, 2)
		if r.report().instance.group != old {
			t.Error("another process serves")
		}
	})
}

func TestSupervisorDoesTheLeast(t *testing.T) {
	env, pin, renamed, moved := task("one"), task("one"), task("one"), task("one")
	env.spec.Env = []string{"LANG"}
	pin.spec.SHA256 = "00"
	renamed.device = "Attic"
	moved.spec.Config.Line = 9
	mended := task("one")
	mended.program.problem = refusal("no")
	for _, c := range []struct {
		name       string
		next       assignment
		launches   int
		configured []string
	}{
		{"nothing", task("one"), 1, nil},
		{"elsewhere in the file", moved, 1, nil},
		{"settings", task("two"), 1, []string{"two"}},
		{"the device's name", renamed, 1, []string{"one"}},
		{"program", otherProgram(2), 2, nil},
		{"environment", env, 2, nil},
		{"digest", pin, 2, nil},
		{"mode of the file", mended, 2, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			inRig(t, ok, func(r *rig) {
				first := r.current()
				r.assign(c.next)
				r.assign(c.next)
				r.want(Running, c.launches)
				if diff := cmp.Diff(c.configured, first.settings); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestSupervisorConfiguresOneAfterTheOther(t *testing.T) {
	inRig(t, ok, func(r *rig) {
		p := r.current()
		p.set(func() {
			p.answer = func(ctx context.Context, a assignment) error {
				if string(a.spec.Config.Source) == "slow" {
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			}
		})
		r.assign(task("slow"))
		r.assign(task("three"))
		r.assign(task("four"))
		// Nobody knows whether the one that was cut short is in force.
		r.assign(task("one"))
		if diff := cmp.Diff([]string{"slow", "three", "four", "one"}, p.settings); diff != "" {
			t.Error(diff)
		}
		r.assign(task("slow"))
		r.pass(10 * time.Second)
		if got := r.report(); !errors.Is(got.config, errConfigTimeout) || got.state != Running {
			t.Errorf("got %+v", got)
		}
		r.assign(task("one"))
		if got := r.report(); got.config != nil {
			t.Errorf("got %+v", got)
		}
	})
}

// TestSupervisorMovesOut gives a process settings that only another one can
// follow.
func TestSupervisorMovesOut(t *testing.T) {
	fail := error(nil)
	launch := func(f *fakePlugin) (launched, error) {
		if fail != nil {
			return launched{}, fail
		}
		l, err := ok(f)
		f.answer = func(_ context.Context, a assignment) error {
			if string(a.spec.Config.Source) == "elsewhere" {
				return errConfined
			}
			return nil
		}
		return l, err
	}
	inRig(t, launch, func(r *rig) {
		old := r.current()
		r.set(func() { fail = permanent(errors.New("no such folder")) })
		r.assign(task("elsewhere"))
		r.want(Running, 2)
		if got := r.report(); got.replacement == nil || got.instance.group != old {
			t.Errorf("got %+v", got)
		}
		r.assign(task("one")) // back to what is in force
		r.want(Running, 2)
		if got := r.report(); got.replacement != nil || got.config != nil {
			t.Errorf("got %+v", got)
		}
		r.set(func() { fail = nil })
		r.assign(task("elsewhere"))
		r.want(Running, 3)
		if got := r.report(); got.replacement != nil || got.instance.group == old || got.instance.revision != task("elsewhere").revision() {
			t.Errorf("got %+v", got)
		}
		if !r.current().order.forced {
			t.Error("the launch may find that nothing changed")
		}
	})
}

func TestSupervisorDoesNotRepeatRefusedSettings(t *testing.T) {
	inRig(t, ok, func(r *rig) {
		p := r.current()
		no := &control.ConfigError{Diagnostics: []control.Diagnostic{{Summary: "No."}}}
		p.set(func() {
			p.answer = func(_ context.Context, a assignment) error {
				if string(a.spec.Config.Source) == "bad" {
					return no
				}
				return nil
			}
		})
		r.assign(task("bad"))
		moved := task("bad")
		moved.spec.Config.Line = 9
		r.assign(moved)
		if got := r.report(); !errors.Is(got.config, no) {
			t.Errorf("got %+v", got)
		}
		r.assign(task("one"))
		if got := r.report(); got.config != nil {
			t.Errorf("got %+v", got)
		}
		if diff := cmp.Diff([]string{"bad"}, p.settings); diff != "" {
			t.Error(diff)
		}
	})
}

// TestSupervisorGivesTheNextProcessTheNewSettings changes settings at moments at
// which there is nobody to tell.
func TestSupervisorGivesTheNextProcessTheNewSettings(t *testing.T) {
	slow := time.Duration(0)
	inRig(t, ok, func(r *rig) {
		r.set(func() { r.slow = &slow })
		r.current().die()
		synctest.Wait()
		r.want(Backoff, 1)
		r.set(func() { slow = time.Second })
		r.assign(task("two"))
		r.want(Starting, 2)
		r.assign(task("three"))
		r.pass(10 * time.Second)
		if got := r.report().instance.revision; got != task("three").revision() {
			t.Error("the settings before the last are in force")
		}
		r.assign(otherProgram(7))
		r.assign(func() assignment { a := otherProgram(7); a.spec.Config.Source = []byte("four"); return a }())
		r.pass(10 * time.Second)
		if got := r.report().instance.revision; got != task("four").revision() {
			t.Error("the settings before the last are in force")
		}
	})
}

func TestSupervisorRestartsByItself(t *testing.T) {
	inRig(t, ok, func(r *rig) {
		old := r.current()
		r.s.inbox.restart()
		synctest.Wait()
		r.want(Running, 2)
		if !r.current().order.forced {
			t.Error("the launch may find that nothing changed")
		}
		old.check(t, true, "hang up")
		off := task("one")
		off.wanted = false
		r.assign(off)
		r.s.inbox.restart()
		synctest.Wait()
		r.want(Stopped, 2)
		r.assign(task("one"))
		r.want(Running, 3)
		if r.current().order.forced {
			t.Error("the restart before is not forgotten")
		}
	})
}

func TestGauge(t *testing.T) {
	g := newGauge()
	closed := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	if n, ok := g.enter(); n != 1 || !ok {
		t.Errorf("got %d, %v", n, ok)
	}
	empty := g.close()
	if _, ok := g.enter(); ok || closed(empty) {
		t.Error("entered a closed gauge, or it counts as empty")
	}
	g.leave()
	if !closed(empty) || !closed(g.close()) || !closed(newGauge().close()) {
		t.Error("an empty gauge does not say so")
	}
}
