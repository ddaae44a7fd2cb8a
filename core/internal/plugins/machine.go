package plugins

import (
	"slices"
	"time"
)

// machine is the state of one plugin's supervision. It is a value: step returns
// the next one. It performs nothing and reads no clock.
//
// There is at most one launch at a time. While a process serves, the launch is
// that of its replacement. A replaced process is drained beside the new one, and
// the next replacement waits for it: there are never three processes.
type machine struct {
	policy policy
	state  State
	todo   []effect // of the step under way

	launch   launchPhase
	again    bool // another launch is due as soon as nothing is in its way
	waiting  bool // doWait was ordered and not cancelled
	draining int  // inDrained is awaited so often
	stopping bool // doStop was ordered
	killing  bool // doKill was ordered

	failures int         // in a row, for the backoff
	crashes  []time.Time // within the window, for the quarantine
	tries    int         // failed launches of the replacement in a row
	misses   int
	upSince  time.Time // healthy without interruption since; zero when not
}

func newMachine(p policy) machine { return machine{policy: p, state: Stopped} }

// step is the whole behaviour of a supervisor. An input that means nothing in a
// state changes nothing.
func (m machine) step(in input) (machine, []effect) {
	switch in.kind {
	case inDrained:
		m.draining--
	case inWaitOver:
		m.waiting = false
	}
	switch m.state {
	case Starting:
		m = m.stepStarting(in)
	case Running, Degraded:
		m = m.stepUp(in)
	case Backoff:
		m = m.stepBackoff(in)
	case Stopping:
		m = m.stepStopping(in)
	default:
		m = m.stepDown(in)
	}
	effects := m.todo
	m.todo = nil
	return m, effects
}

func (m machine) do(kind effectKind) machine {
	m.todo = append(m.todo, effect{kind: kind})
	return m
}

// stepDown is for the states without a process or a plan: Stopped, Failed,
// Quarantined.
func (m machine) stepDown(in input) machine {
	switch in.kind {
	case inStart:
		if m.state == Stopped {
			return m.forgive().start()
		}
	case inChanged, inRestart:
		if m.state != Stopped {
			return m.forgive().start()
		}
	case inStop:
		return m.end()
	}
	return m
}

func (m machine) stepStarting(in input) machine {
	switch in.kind {
	case inLaunched:
		m.again = m.launch == staleLaunch
		return m.up(in).proceed()
	case inLaunchFailed:
		return m.startFailed(in)
	case inChanged:
		return m.forgive().cancelLaunch()
	case inStop:
		return m.end()
	}
	return m
}

func (m machine) startFailed(in input) machine {
	stale := m.launch == staleLaunch
	m.launch = noLaunch
	if stale || in.unchanged || in.alone {
		// It was cancelled, or launched as the replacement of a process that has
		// ended meanwhile.
		return m.start()
	}
	if in.permanent {
		m.state = Failed
		return m
	}
	return m.fail(in.at, in.crashed)
}

func (m machine) stepBackoff(in input) machine {
	switch in.kind {
	case inWaitOver:
		return m.start()
	case inChanged, inRestart:
		return m.forgive().cancelWait().start()
	case inStop:
		return m.end()
	}
	return m
}

func (m machine) stepStopping(in input) machine {
	switch in.kind {
	case inLaunched: // the launch won the race against its cancellation
		m.launch = noLaunch
		m.draining++
		return m.do(doDiscard)
	case inLaunchFailed:
		m.launch = noLaunch
	case inStopDone:
		m.stopping = false
	case inStart, inRestart:
		m.again = true
	case inStop:
		m.again = false
	}
	return m.settle()
}

// end leads to Stopped, at once or when everything is gone.
func (m machine) end() machine {
	m.state, m.again = Stopping, false
	return m.cancelLaunch().cancelWait().settle()
}

// settle ends Stopping when nothing is left of the plugin.
func (m machine) settle() machine {
	if m.launch != noLaunch || m.stopping || m.draining > 0 {
		return m
	}
	if m.again {
		return m.forgive().start()
	}
	m.state = Stopped
	return m
}

// start is a launch without a process that serves meanwhile.
func (m machine) start() machine {
	m.state, m.launch, m.again, m.tries = Starting, goodLaunch, false, 0
	m.killing, m.upSince = false, time.Time{}
	return m.do(doLaunch)
}

func (m machine) cancelLaunch() machine {
	if m.launch != goodLaunch {
		return m
	}
	m.launch = staleLaunch
	return m.do(doCancelLaunch)
}

func (m machine) wait(failures int) machine {
	m.waiting = true
	m.todo = append(m.todo, effect{kind: doWait, delay: m.policy.backoff(failures)})
	return m
}

func (m machine) cancelWait() machine {
	if !m.waiting {
		return m
	}
	m.waiting = false
	return m.do(doCancelWait)
}

// forgive forgets all failures.
func (m machine) forgive() machine {
	m.failures, m.crashes, m.tries = 0, nil, 0
	return m
}

// down is the end of a process that was up.
func (m machine) down(at time.Time) machine {
	if !m.upSince.IsZero() && at.Sub(m.upSince) >= m.policy.healthyAfter {
		m = m.forgive()
	}
	return m.fail(at, true)
}

// fail plans the next launch, later each time, or none after too many crashes.
func (m machine) fail(at time.Time, crashed bool) machine {
	m.upSince = time.Time{}
	m.failures++
	if crashed {
		recent := slices.DeleteFunc(slices.Clone(m.crashes), func(t time.Time) bool {
			return at.Sub(t) > m.policy.crashWindow
		})
		m.crashes = append(recent, at)
		if len(m.crashes) >= m.policy.crashLimit {
			m.state = Quarantined
			return m
		}
	}
	m.state = Backoff
	return m.wait(m.failures)
}

// backoff is the wait after so many failures in a row.
func (p policy) backoff(failures int) time.Duration {
	delay := p.backoffMin
	for range failures - 1 {
		delay *= 2
		if delay >= p.backoffMax {
			return p.backoffMax
		}
	}
	return min(delay, p.backoffMax)
}
