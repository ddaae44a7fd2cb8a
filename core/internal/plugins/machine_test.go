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
	launch, stop, kill := effect{kind: doLaunch}, effect{kind: doStop}, effect{kind: doKill}
	wait := func(d time.Duration) effect { return effect{kind: doWait, delay: d} }
	cancelLaunch, cancelWait := effect{kind: doCancelLaunch}, effect{kind: doCancelWait}
	soft, hard, crash := input{kind: inLaunchFailed}, input{kind: inLaunchFailed, permanent: true}, input{kind: inLaunchFailed, crashed: true}
	in := func(k inputKind) input { return input{kind: k} }

	rows := []struct {
		from  machine
		in    input
		to    State
		doing []effect
	}{
		{machine{state: Stopped}, in(inStart), Starting, []effect{launch}},
		{machine{state: Stopped}, in(inRestart), Starting, []effect{launch}},
		{machine{state: Stopped}, in(inStop), Stopped, nil},
		{machine{state: Failed}, in(inStart), Failed, nil},
		{machine{state: Failed}, in(inRestart), Starting, []effect{launch}},
		{machine{state: Failed}, in(inStop), Stopped, nil},
		{machine{state: Quarantined}, in(inStart), Quarantined, nil},
		{machine{state: Quarantined}, in(inRestart), Starting, []effect{launch}},
		{machine{state: Quarantined}, in(inStop), Stopped, nil},

		{machine{state: Starting}, in(inLaunched), Running, nil},
		{machine{state: Starting}, soft, Backoff, []effect{wait(s / 2)}},
		{machine{state: Starting, failures: 3}, soft, Backoff, []effect{wait(4 * s)}},
		{machine{state: Starting, failures: 90}, soft, Backoff, []effect{wait(60 * s)}},
		{machine{state: Starting}, hard, Failed, nil},
		{machine{state: Starting}, crash, Backoff, []effect{wait(s / 2)}},
		{machine{state: Starting, crashes: make([]time.Time, crashLimit-1)}, soft, Backoff, []effect{wait(s / 2)}},
		{machine{state: Starting, crashes: make([]time.Time, crashLimit-1)}, crash, Quarantined, nil},
		{machine{state: Starting}, in(inRestart), Starting, nil},
		{machine{state: Starting}, in(inStop), Stopping, []effect{cancelLaunch}},

		{machine{state: Running}, in(inHealthy), Running, nil},
		{machine{state: Running}, in(inUnhealthy), Degraded, nil},
		{machine{state: Running}, in(inMissed), Degraded, nil},
		{machine{state: Running, misses: 1}, in(inHealthy), Running, nil},
		{machine{state: Running}, in(inLost), Degraded, []effect{kill}},
		{machine{state: Running}, in(inExited), Backoff, []effect{wait(s / 2)}},
		{machine{state: Running, crashes: make([]time.Time, crashLimit-1)}, in(inExited), Quarantined, nil},
		{machine{state: Running}, in(inRestart), Stopping, []effect{stop}},
		{machine{state: Running}, in(inStop), Stopping, []effect{stop}},

		{machine{state: Degraded}, in(inHealthy), Running, nil},
		{machine{state: Degraded}, in(inUnhealthy), Degraded, nil},
		{machine{state: Degraded, misses: 1}, in(inMissed), Degraded, nil},
		{machine{state: Degraded, misses: 2}, in(inMissed), Degraded, []effect{kill}},
		{machine{state: Degraded, killing: true}, in(inMissed), Degraded, nil},
		{machine{state: Degraded, killing: true}, in(inHealthy), Degraded, nil},
		{machine{state: Degraded, killing: true}, in(inLost), Degraded, nil},
		{machine{state: Degraded, killing: true}, in(inExited), Backoff, []effect{wait(s / 2)}},
		{machine{state: Degraded}, in(inStop), Stopping, []effect{stop}},
		{machine{state: Degraded, killing: true}, in(inStop), Stopping, []effect{stop}},

		{machine{state: Backoff}, in(inBackoffOver), Starting, []effect{launch}},
		{machine{state: Backoff}, in(inRestart), Starting, []effect{cancelWait, launch}},
		{machine{state: Backoff}, in(inStop), Stopped, []effect{cancelWait}},
		{machine{state: Backoff}, in(inHealthy), Backoff, nil},

		{machine{state: Stopping}, in(inStopDone), Stopped, nil},
		{machine{state: Stopping}, in(inLaunched), Stopping, []effect{stop}},
		{machine{state: Stopping}, soft, Stopped, nil},
		{machine{state: Stopping}, in(inExited), Stopping, nil},
		{machine{state: Stopping, again: true}, in(inStopDone), Starting, []effect{launch}},
		{machine{state: Stopping, again: true}, soft, Starting, []effect{launch}},
	}
	for _, row := range rows {
		t.Run(fmt.Sprintf("%s+%s", row.from.state, row.in.kind), func(t *testing.T) {
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
// would: never two launches at once, never an effect on a process that is not
// there, and a stop always ends in Stopped.
func TestMachineInvariants(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0))
		w := world{t: t, m: newMachine(testPolicy()), now: time.Now()}
		w.feed(input{kind: inStart})
		for range 200 {
			w.now = w.now.Add(time.Duration(r.IntN(20)) * time.Second)
			w.feed(w.possible(r))
		}
		w.feed(input{kind: inStop})
		for range 3 {
			switch {
			case w.launching:
				w.feed(input{kind: inLaunchFailed})
			case w.stopping:
				w.feed(input{kind: inStopDone})
			}
		}
		if w.m.state != Stopped || w.launching || w.process {
			t.Fatalf("seed %d ends %+v", seed, w)
		}
	}
}

// world is the simplest thing that a machine could control.
type world struct {
	t                                     *testing.T
	m                                     machine
	now                                   time.Time
	launching, process, stopping, waiting bool
}

// possible picks an input that could happen now.
func (w *world) possible(r *rand.Rand) input {
	kinds := []input{{kind: inRestart}, {kind: inStart}, {kind: inHealthy}, {kind: inMissed}, {kind: inUnhealthy}}
	if w.launching {
		kinds = append(kinds, input{kind: inLaunched}, input{kind: inLaunchFailed}, input{kind: inLaunchFailed, crashed: true}, input{kind: inLaunchFailed, permanent: true})
	}
	if w.process && !w.stopping {
		kinds = append(kinds, input{kind: inExited}, input{kind: inLost})
	}
	if w.stopping {
		kinds = append(kinds, input{kind: inStopDone})
	}
	if w.waiting {
		kinds = append(kinds, input{kind: inBackoffOver})
	}
	return kinds[r.IntN(len(kinds))]
}

func (w *world) feed(in input) {
	in.at = w.now
	switch in.kind {
	case inLaunched:
		w.launching, w.process = false, true
	case inLaunchFailed:
		w.launching = false
	case inExited:
		w.process = false
	case inStopDone:
		w.process, w.stopping = false, false
	case inBackoffOver:
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
}

func (w *world) perform(e effect) {
	ok := false
	switch e.kind {
	case doLaunch:
		ok = !w.launching && !w.process && !w.waiting
		w.launching = true
	case doCancelLaunch:
		ok = w.launching
	case doStop:
		ok = w.process && !w.stopping
		w.stopping = true
	case doKill:
		ok = w.process && !w.stopping
	case doWait:
		ok = !w.waiting && !w.process && !w.launching
		w.waiting = true
	case doCancelWait:
		ok = w.waiting
		w.waiting = false
	}
	if !ok {
		w.t.Fatalf("effect %s in %+v", e.kind, w)
	}
}
