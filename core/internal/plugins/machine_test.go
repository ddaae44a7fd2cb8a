package plugins

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func testPolicy() policy { return Timing{}.withDefaults().policy() }

// TestMachineTable is the specification: what every state does with every input.
func TestMachineTable(t *testing.T) {
	const s = time.Second
	launch, adopt, discard, stop, kill := effect{kind: doLaunch}, effect{kind: doAdopt}, effect{kind: doDiscard}, effect{kind: doStop}, effect{kind: doKill}
	wait := func(d time.Duration) effect { return effect{kind: doWait, delay: d} }
	cancelLaunch, cancelWait := effect{kind: doCancelLaunch}, effect{kind: doCancelWait}
	soft, hard, crash := input{kind: inLaunchFailed}, input{kind: inLaunchFailed, permanent: true}, input{kind: inLaunchFailed, crashed: true}
	unchanged, alone := input{kind: inLaunchFailed, unchanged: true}, input{kind: inLaunchFailed, alone: true}
	forbidden := input{kind: inLaunchFailed, permanent: true, forbidden: true}
	sick := input{kind: inLaunched, sick: true}
	in := func(k inputKind) input { return input{kind: k} }
	old := make([]time.Time, crashLimit-1)
	do := func(e ...effect) []effect { return e }
	// The usual ways to be in a state.
	starting, stale := machine{state: Starting, launch: goodLaunch}, machine{state: Starting, launch: staleLaunch}
	up, down := machine{state: Running}, machine{state: Backoff, waiting: true}
	replacing, recalled := machine{state: Running, launch: goodLaunch}, machine{state: Running, launch: staleLaunch}
	with := func(m machine, change func(*machine)) machine { change(&m); return m }

	rows := []struct {
		name  string
		from  machine
		in    input
		to    State
		doing []effect
	}{
		{"", machine{state: Stopped}, in(inStart), Starting, do(launch)},
		{"", machine{state: Stopped}, in(inRestart), Stopped, nil},
		{"", machine{state: Stopped}, in(inChanged), Stopped, nil},
		{"", machine{state: Stopped}, in(inStop), Stopped, nil},
		{"", machine{state: Failed}, in(inStart), Failed, nil},
		{"", machine{state: Failed}, in(inRestart), Starting, do(launch)},
		{"", machine{state: Failed}, in(inChanged), Starting, do(launch)},
		{"", machine{state: Failed}, in(inStop), Stopped, nil},
		{"an earlier process drains", machine{state: Failed, draining: 1}, in(inStop), Stopping, nil},
		{"an earlier process drains", machine{state: Failed, draining: 1}, in(inChanged), Starting, do(launch)},
		{"", machine{state: Quarantined}, in(inStart), Quarantined, nil},
		{"", machine{state: Quarantined}, in(inRestart), Starting, do(launch)},
		{"", machine{state: Quarantined}, in(inChanged), Starting, do(launch)},
		{"", machine{state: Quarantined}, in(inStop), Stopped, nil},

		{"", starting, in(inLaunched), Running, do(adopt)},
		{"", starting, sick, Degraded, do(adopt)},
		{"", starting, soft, Backoff, do(wait(s / 2))},
		{"the fourth", with(starting, func(m *machine) { m.failures = 3 }), soft, Backoff, do(wait(4 * s))},
		{"the ninetieth", with(starting, func(m *machine) { m.failures = 90 }), soft, Backoff, do(wait(60 * s))},
		{"", starting, hard, Failed, nil},
		{"crash", starting, crash, Backoff, do(wait(s / 2))},
		{"many crashes before", with(starting, func(m *machine) { m.crashes = old }), soft, Backoff, do(wait(s / 2))},
		{"one crash too many", with(starting, func(m *machine) { m.crashes = old }), crash, Quarantined, nil},
		{"", starting, in(inRestart), Starting, nil},
		{"", starting, in(inChanged), Starting, do(cancelLaunch)},
		{"", starting, in(inStop), Stopping, do(cancelLaunch)},
		{"was to replace one that ended", starting, unchanged, Starting, do(launch)},
		{"was to replace one that ended", starting, alone, Starting, do(launch)},
		{"", stale, in(inChanged), Starting, nil},
		{"cancelled", stale, soft, Starting, do(launch)},
		{"cancelled, whatever it says", stale, hard, Starting, do(launch)},
		{"cancelled too late", stale, in(inLaunched), Running, do(adopt, launch)},
		{"cancelled too late, another drains", with(stale, func(m *machine) { m.draining = 1 }), in(inLaunched), Running, do(adopt)},
		{"", stale, in(inStop), Stopping, nil},

		{"", up, in(inHealthy), Running, nil},
		{"", up, in(inUnhealthy), Degraded, nil},
		{"", up, in(inMissed), Degraded, nil},
		{"one missed", with(up, func(m *machine) { m.misses = 1 }), in(inHealthy), Running, nil},
		{"", up, in(inLost), Degraded, do(kill)},
		{"", up, in(inExited), Backoff, do(wait(s / 2))},
		{"one crash too many", with(up, func(m *machine) { m.crashes = old }), in(inExited), Quarantined, nil},
		{"", up, in(inStart), Running, nil},
		{"", up, in(inStop), Stopping, do(stop)},
		{"", up, in(inRestart), Running, do(launch)},
		{"", up, in(inChanged), Running, do(launch)},
		{"nothing planned", up, in(inReverted), Running, nil},
		{"one drains", with(up, func(m *machine) { m.draining = 1 }), in(inChanged), Running, nil},
		{"one is due", with(up, func(m *machine) { m.draining, m.again = 1, true }), in(inDrained), Running, do(launch)},
		{"one is due", with(up, func(m *machine) { m.draining, m.again = 1, true }), in(inExited), Starting, do(launch)},
		{"one is due", with(up, func(m *machine) { m.draining, m.again = 1, true }), in(inReverted), Running, nil},
		{"nothing due", with(up, func(m *machine) { m.draining = 1 }), in(inDrained), Running, nil},

		{"", machine{state: Degraded}, in(inHealthy), Running, nil},
		{"", machine{state: Degraded}, in(inUnhealthy), Degraded, nil},
		{"one missed", machine{state: Degraded, misses: 1}, in(inMissed), Degraded, nil},
		{"two missed", machine{state: Degraded, misses: 2}, in(inMissed), Degraded, do(kill)},
		{"", machine{state: Degraded}, in(inStop), Stopping, do(stop)},
		{"", machine{state: Degraded}, in(inChanged), Degraded, do(launch)},
		{"killed", machine{state: Degraded, killing: true}, in(inMissed), Degraded, nil},
		{"killed", machine{state: Degraded, killing: true}, in(inHealthy), Degraded, nil},
		{"killed", machine{state: Degraded, killing: true}, in(inLost), Degraded, nil},
		{"killed", machine{state: Degraded, killing: true}, in(inExited), Backoff, do(wait(s / 2))},
		{"killed", machine{state: Degraded, killing: true}, in(inStop), Stopping, do(stop)},
		{"killed", machine{state: Degraded, killing: true}, in(inRestart), Degraded, nil},
		{"killed and due", machine{state: Degraded, killing: true, again: true}, in(inExited), Starting, do(launch)},

		{"replacing", replacing, in(inLaunched), Running, do(adopt)},
		{"replacing", replacing, sick, Running, do(wait(s/2), discard)},
		{"replacing what is sick too", machine{state: Degraded, launch: goodLaunch}, sick, Degraded, do(adopt)},
		{"replacing what is forbidden", replacing, input{kind: inLaunched, sick: true, forbidden: true}, Degraded, do(adopt)},
		{"replacing", replacing, soft, Running, do(wait(s / 2))},
		{"replacing", replacing, crash, Running, do(wait(s / 2))},
		{"replacing, the third time", with(replacing, func(m *machine) { m.tries = 2 }), soft, Running, do(wait(2 * s))},
		{"replacing, the last time", with(replacing, func(m *machine) { m.tries = tryLimit - 1 }), soft, Running, nil},
		{"replacing", replacing, hard, Running, nil},
		{"replacing with itself", replacing, unchanged, Running, nil},
		{"replacing", replacing, alone, Stopping, do(stop)},
		{"replacing what is forbidden", replacing, forbidden, Stopping, do(stop)},
		{"replacing", replacing, in(inChanged), Running, do(cancelLaunch)},
		{"replacing", replacing, in(inRestart), Running, nil},
		{"replacing", replacing, in(inReverted), Running, do(cancelLaunch)},
		{"replacing", replacing, in(inExited), Starting, nil},
		{"replacing", replacing, in(inStop), Stopping, do(cancelLaunch, stop)},
		{"replacing", replacing, in(inUnhealthy), Degraded, nil},
		{"recalled", recalled, soft, Running, nil},
		{"recalled", recalled, in(inLaunched), Running, do(discard)},
		{"recalled", recalled, in(inChanged), Running, nil},
		{"recalled", recalled, in(inExited), Starting, nil},
		{"recalled for another", with(recalled, func(m *machine) { m.again = true }), hard, Running, do(launch)},
		{"to be tried again", machine{state: Running, waiting: true}, in(inWaitOver), Running, do(launch)},
		{"to be tried again, one drains", machine{state: Running, waiting: true, draining: 1}, in(inWaitOver), Running, nil},
		{"to be tried again", machine{state: Running, waiting: true}, in(inChanged), Running, do(cancelWait, launch)},
		{"to be tried again", machine{state: Running, waiting: true}, in(inReverted), Running, do(cancelWait)},
		{"to be tried again", machine{state: Running, waiting: true}, in(inExited), Backoff, do(cancelWait, wait(s/2))},
		{"to be tried again", machine{state: Running, waiting: true}, in(inStop), Stopping, do(cancelWait, stop)},

		{"", down, in(inWaitOver), Starting, do(launch)},
		{"", down, in(inRestart), Starting, do(cancelWait, launch)},
		{"", down, in(inChanged), Starting, do(cancelWait, launch)},
		{"", down, in(inStop), Stopped, do(cancelWait)},
		{"", down, in(inHealthy), Backoff, nil},
		{"", down, in(inStart), Backoff, nil},
		{"one drains", with(down, func(m *machine) { m.draining = 1 }), in(inDrained), Backoff, nil},

		{"", machine{state: Stopping, stopping: true}, in(inStopDone), Stopped, nil},
		{"one drains", machine{state: Stopping, stopping: true, draining: 1}, in(inStopDone), Stopping, nil},
		{"one drains", machine{state: Stopping, draining: 1}, in(inDrained), Stopped, nil},
		{"launching", machine{state: Stopping, launch: staleLaunch}, in(inLaunched), Stopping, do(discard)},
		{"launching", machine{state: Stopping, launch: staleLaunch}, soft, Stopped, nil},
		{"launching", machine{state: Stopping, launch: staleLaunch, stopping: true}, in(inStopDone), Stopping, nil},
		{"", machine{state: Stopping, stopping: true}, in(inExited), Stopping, nil},
		{"", machine{state: Stopping, stopping: true}, in(inStart), Stopping, nil},
		{"to start again", machine{state: Stopping, stopping: true, again: true}, in(inStopDone), Starting, do(launch)},
		{"to start again", machine{state: Stopping, launch: staleLaunch, again: true}, soft, Starting, do(launch)},
		{"to start again", machine{state: Stopping, stopping: true, again: true}, in(inStop), Stopping, nil},
	}
	for _, row := range rows {
		t.Run(fmt.Sprintf("%s %s+%s", row.from.state, row.name, row.in.kind), func(t *testing.T) {
			row.from.policy = testPolicy()
			next, effects := row.from.step(row.in)
			if next.state != row.to {
				t.Errorf("goes to %s, want %s", next.state, row.to)
			}
			if diff := cmp.Diff(row.doing, effects, cmp.AllowUnexported(effect{})); diff != "" {
				t.Errorf("effects: %s", diff)
			}
		})
	}
}

func TestMachineForgivesOnlyAfterALongHealthyTime(t *testing.T) {
	for _, c := range []struct {
		up   time.Duration
		sick time.Duration // before the end, 0: never
		want time.Duration // the next wait
	}{
		{59 * time.Second, 0, 4 * time.Second},
		{60 * time.Second, 0, 500 * time.Millisecond},
		{90 * time.Second, 50 * time.Second, 4 * time.Second}, // healthy again for 50 s only
		{90 * time.Second, 70 * time.Second, 500 * time.Millisecond},
	} {
		start := time.Now()
		m := machine{policy: testPolicy(), state: Starting, failures: 3}
		m, _ = m.step(input{kind: inLaunched, at: start})
		if c.sick > 0 {
			at := start.Add(c.up - c.sick)
			m, _ = m.step(input{kind: inMissed, at: at})
			m, _ = m.step(input{kind: inHealthy, at: at})
		}
		_, effects := m.step(input{kind: inExited, at: start.Add(c.up)})
		if len(effects) != 1 || effects[0].delay != c.want {
			t.Errorf("up %s, sick %s before the end: %+v, want a wait of %s", c.up, c.sick, effects, c.want)
		}
	}
}

func TestMachineForgetsOldCrashes(t *testing.T) {
	now := time.Now()
	m := machine{policy: testPolicy(), state: Running}
	for range 20 { // one crash every three minutes
		now = now.Add(3 * time.Minute)
		m, _ = m.step(input{kind: inExited, at: now})
		if m.state != Backoff {
			t.Fatalf("state %s", m.state)
		}
		m.state = Running
	}
}

// TestMachineInvariants feeds random inputs and keeps the books a real process
// would: never two launches at once, never three processes, never an effect on
// something that is not there, and a stop always ends in Stopped.
func TestMachineInvariants(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 0))
		w := world{t: t, m: newMachine(testPolicy()), now: time.Now()}
		w.feed(input{kind: inStart})
		for range 300 {
			w.now = w.now.Add(time.Duration(r.IntN(20)) * time.Second)
			w.feed(w.possible(r))
		}
		w.feed(input{kind: inStop})
		for range 10 {
			switch {
			case w.launching:
				w.feed(input{kind: inLaunchFailed})
			case w.stopping:
				w.feed(input{kind: inStopDone})
			case w.draining > 0:
				w.feed(input{kind: inDrained})
			}
		}
		if w.m.state != Stopped || w.launching || w.process || w.draining > 0 || w.waiting {
			t.Fatalf("seed %d ends %+v", seed, w)
		}
	}
}

// world is the simplest thing that a machine could control.
type world struct {
	t                                               *testing.T
	m                                               machine
	now                                             time.Time
	launching, launched, process, stopping, waiting bool
	draining                                        int
}

// possible picks an input that could happen now.
func (w *world) possible(r *rand.Rand) input {
	kinds := []input{
		{kind: inRestart},
		{kind: inStart},
		{kind: inStop},
		{kind: inChanged},
		{kind: inReverted},
		{kind: inHealthy},
		{kind: inMissed},
		{kind: inUnhealthy},
	}
	if w.launching {
		kinds = append(kinds, input{kind: inLaunched}, input{kind: inLaunched}, input{kind: inLaunched, sick: true},
			input{kind: inLaunchFailed}, input{kind: inLaunchFailed, crashed: true}, input{kind: inLaunchFailed, permanent: true},
			input{kind: inLaunchFailed, alone: true}, input{kind: inLaunchFailed, unchanged: true}, input{kind: inLaunchFailed, forbidden: true})
	}
	if w.process && !w.stopping {
		kinds = append(kinds, input{kind: inExited}, input{kind: inLost})
	}
	if w.stopping {
		kinds = append(kinds, input{kind: inStopDone})
	}
	if w.draining > 0 {
		kinds = append(kinds, input{kind: inDrained})
	}
	if w.waiting {
		kinds = append(kinds, input{kind: inWaitOver})
	}
	return kinds[r.IntN(len(kinds))]
}

func (w *world) feed(in input) {
	in.at = w.now
	switch in.kind {
	case inLaunched:
		w.launching, w.launched = false, true
	case inLaunchFailed:
		w.launching = false
	case inExited:
		w.process = false
	case inStopDone:
		w.process, w.stopping = false, false
	case inDrained:
		w.draining--
	case inWaitOver:
		w.waiting = false
	}
	var effects []effect
	w.m, effects = w.m.step(in)
	for _, e := range effects {
		w.perform(e)
	}
	if up := w.m.state == Running || w.m.state == Degraded; up != (w.process && !w.stopping) {
		w.t.Fatalf("state %s after %s, but process %v, stopping %v", w.m.state, in.kind, w.process, w.stopping)
	}
	if w.launched {
		w.t.Fatalf("nobody cares for what was launched: %+v", w)
	}
	if w.m.state == Starting && !w.launching {
		w.t.Fatalf("waits for a launch that does not happen: %+v", w)
	}
	processes := w.draining
	if w.process {
		processes++
	}
	if w.launching && w.m.launch == goodLaunch {
		processes++
	}
	if processes > 2 && w.m.state != Stopping {
		w.t.Fatalf("%d processes in %+v after %s", processes, w, in.kind)
	}
}

func (w *world) perform(e effect) {
	ok := false
	switch e.kind {
	case doLaunch:
		ok = !w.launching && !w.waiting && !w.stopping
		w.launching = true
	case doCancelLaunch:
		ok = w.launching
	case doAdopt:
		ok = w.launched && !w.stopping
		if w.process {
			w.draining++
		}
		w.launched, w.process = false, true
	case doDiscard:
		ok = w.launched
		w.launched = false
		w.draining++
	case doStop:
		ok = w.process && !w.stopping
		w.stopping = true
	case doKill:
		ok = w.process && !w.stopping
	case doWait:
		ok = !w.waiting && !w.launching
		w.waiting = true
	case doCancelWait:
		ok = w.waiting
		w.waiting = false
	}
	if !ok {
		w.t.Fatalf("effect %s in %+v", e.kind, w)
	}
}
