package plugins

import (
	"slices"
	"time"
)

// State is where a plugin is in its life.
type State string

// The states of a plugin.
const (
	Found       State = "found"       // a program is there, no configuration enables it
	Starting    State = "starting"    // being launched
	Running     State = "running"     // healthy
	Degraded    State = "degraded"    // running, but it said or showed that it does not work
	Backoff     State = "backoff"     // waiting before the next launch
	Failed      State = "failed"      // launching again is useless until something changes
	Quarantined State = "quarantined" // crashed too often; waits for a person
	Stopping    State = "stopping"    // finishing its requests
	Stopped     State = "stopped"     // not wanted
)

// policy is what a machine goes by.
type policy struct {
	backoffMin   time.Duration // after the first failure; doubles each time
	backoffMax   time.Duration
	healthyAfter time.Duration // a plugin healthy for so long has its failures forgiven
	missLimit    int           // health checks without an answer before it is killed
	crashLimit   int           // crashes within the window before it is quarantined
	crashWindow  time.Duration
}

// inputKind says what happened to a plugin.
type inputKind string

const (
	inStart        inputKind = "start"         // it is wanted
	inLaunched     inputKind = "launched"      // the launch succeeded
	inLaunchFailed inputKind = "launch failed" // the launch failed and nothing is left of it
	inHealthy      inputKind = "healthy"
	inUnhealthy    inputKind = "unhealthy" // it answered that it does not work
	inMissed       inputKind = "missed"    // no answer in time
	inLost         inputKind = "lost"      // its socket is gone: it can never work again
	inExited       inputKind = "exited"    // the process ended
	inBackoffOver  inputKind = "backoff over"
	inRestart      inputKind = "restart" // a person, or a change, asks for a new start
	inStop         inputKind = "stop"    // it is not wanted any more
	inStopDone     inputKind = "stop done"
)

// input is one event with what matters about it.
type input struct {
	kind      inputKind
	at        time.Time // monotonic
	permanent bool      // of a failed launch: the same would fail again
	crashed   bool      // of a failed launch: the process ended by itself
}

// effectKind says what is to be done.
type effectKind string

const (
	doLaunch       effectKind = "launch"
	doCancelLaunch effectKind = "cancel launch"
	doStop         effectKind = "stop" // politely; ends with inStopDone
	doKill         effectKind = "kill" // at once; ends with inExited
	doWait         effectKind = "wait" // ends with inBackoffOver
	doCancelWait   effectKind = "cancel wait"
)

// effect is one thing to do.
type effect struct {
	kind  effectKind
	delay time.Duration // of doWait, before jitter
}

// machine is the state of one plugin's supervision. It is a value: step returns
// the next one. It performs nothing and reads no clock.
type machine struct {
	policy   policy
	state    State
	failures int         // in a row, for the backoff
	crashes  []time.Time // within the window, for the quarantine
	misses   int
	killing  bool      // doKill was ordered and the exit is awaited
	again    bool      // Stopping in order to start again
	upSince  time.Time // healthy without interruption since; zero when not
}

func newMachine(p policy) machine { return machine{policy: p, state: Stopped} }

// step is the whole behaviour of a supervisor. An input that means nothing in a
// state changes nothing.
func (m machine) step(in input) (machine, []effect) {
	switch m.state {
	case Starting:
		return m.stepStarting(in)
	case Running, Degraded:
		return m.stepUp(in)
	case Backoff:
		return m.stepBackoff(in)
	case Stopping:
		return m.stepStopping(in)
	}
	return m.stepDown(in)
}

// stepDown is for the states without a process or a plan: Found, Stopped,
// Failed, Quarantined.
func (m machine) stepDown(in input) (machine, []effect) {
	switch in.kind {
	case inStart:
		if m.state == Stopped || m.state == Found {
			return m.launch()
		}
	case inRestart:
		return m.forgive().launch()
	case inStop:
		m.state = Stopped
	}
	return m, nil
}

func (m machine) stepStarting(in input) (machine, []effect) {
	switch in.kind {
	case inLaunched:
		m.state, m.misses, m.killing, m.upSince = Running, 0, false, in.at
	case inLaunchFailed:
		if in.permanent {
			m.state = Failed
			return m, nil
		}
		return m.fail(in.at, in.crashed)
	case inStop:
		m.state, m.again = Stopping, false
		return m, []effect{{kind: doCancelLaunch}}
	}
	return m, nil
}

func (m machine) stepUp(in input) (machine, []effect) {
	if in.kind == inExited {
		return m.down(in.at)
	}
	if in.kind == inStop || in.kind == inRestart {
		m.state, m.again = Stopping, in.kind == inRestart
		return m, []effect{{kind: doStop}}
	}
	if m.killing {
		return m, nil
	}
	switch in.kind {
	case inHealthy:
		m.misses = 0
		if m.state == Degraded {
			m.state, m.upSince = Running, in.at
		}
	case inUnhealthy:
		m.misses = 0
		m.state, m.upSince = Degraded, time.Time{}
	case inMissed:
		m.misses++
		m.state, m.upSince = Degraded, time.Time{}
		if m.misses >= m.policy.missLimit {
			return m.kill()
		}
	case inLost:
		m.state, m.upSince = Degraded, time.Time{}
		return m.kill()
	}
	return m, nil
}

func (m machine) stepBackoff(in input) (machine, []effect) {
	switch in.kind {
	case inBackoffOver:
		return m.launch()
	case inRestart:
		next, effects := m.forgive().launch()
		return next, append([]effect{{kind: doCancelWait}}, effects...)
	case inStop:
		m.state = Stopped
		return m, []effect{{kind: doCancelWait}}
	}
	return m, nil
}

func (m machine) stepStopping(in input) (machine, []effect) {
	switch in.kind {
	case inLaunched: // the launch won the race against its cancellation
		return m, []effect{{kind: doStop}}
	case inLaunchFailed, inStopDone:
		if m.again {
			m.again = false
			return m.forgive().launch()
		}
		m.state = Stopped
	case inRestart:
		m.again = true
	case inStop:
		m.again = false
	}
	return m, nil
}

func (m machine) launch() (machine, []effect) {
	m.state, m.killing, m.upSince = Starting, false, time.Time{}
	return m, []effect{{kind: doLaunch}}
}

func (m machine) kill() (machine, []effect) {
	m.killing = true
	return m, []effect{{kind: doKill}}
}

// forgive forgets all failures.
func (m machine) forgive() machine {
	m.failures, m.crashes = 0, nil
	return m
}

// down is the end of a process that was up.
func (m machine) down(at time.Time) (machine, []effect) {
	if !m.upSince.IsZero() && at.Sub(m.upSince) >= m.policy.healthyAfter {
		m = m.forgive()
	}
	return m.fail(at, true)
}

// fail plans the next launch, later each time, or none after too many crashes.
func (m machine) fail(at time.Time, crashed bool) (machine, []effect) {
	m.killing, m.upSince = false, time.Time{}
	m.failures++
	if crashed {
		recent := slices.DeleteFunc(slices.Clone(m.crashes), func(t time.Time) bool {
			return at.Sub(t) > m.policy.crashWindow
		})
		m.crashes = append(recent, at)
		if len(m.crashes) >= m.policy.crashLimit {
			m.state = Quarantined
			return m, nil
		}
	}
	m.state = Backoff
	return m, []effect{{kind: doWait, delay: m.policy.backoff(m.failures)}}
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
