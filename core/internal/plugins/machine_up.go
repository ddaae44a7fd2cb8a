package plugins

import "time"

// stepUp is for the states with a process that serves: Running and Degraded.
// While a replacement is being launched, the process goes on serving.
func (m machine) stepUp(in input) machine {
	switch in.kind {
	case inExited:
		return m.exited(in.at)
	case inStop:
		return m.stop(false)
	case inChanged, inRestart:
		return m.replace(in)
	case inReverted:
		m.again = false
		return m.cancelLaunch().cancelWait()
	case inLaunched:
		return m.replacementLaunched(in)
	case inLaunchFailed:
		return m.replacementFailed(in)
	case inWaitOver:
		m.again = true
		return m.proceed()
	case inDrained:
		return m.proceed()
	}
	if m.killing {
		return m
	}
	return m.stepHealth(in)
}

func (m machine) stepHealth(in input) machine {
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
	return m
}

func (m machine) kill() machine {
	m.killing = true
	return m.do(doKill)
}

// exited is the end of the serving process. A replacement under way takes its
// place as the launch.
func (m machine) exited(at time.Time) machine {
	m.killing = false
	if m.launch != noLaunch {
		m.state, m.upSince = Starting, time.Time{}
		return m
	}
	if m.again {
		return m.start()
	}
	return m.cancelWait().down(at)
}

// stop ends the serving process. With again, another is launched when it is
// gone.
func (m machine) stop(again bool) machine {
	m.stopping = true
	m = m.end().do(doStop)
	m.again = again
	return m
}

// replace wants another process to take over. What was planned before for that
// is out of date.
func (m machine) replace(in input) machine {
	m = m.forgive().cancelWait()
	if m.launch == goodLaunch && in.kind == inRestart {
		return m // a new process is on its way already
	}
	m.again = true
	return m.cancelLaunch().proceed()
}

// replacementLaunched lets the new process take over, unless it works less well
// than the one it replaces.
func (m machine) replacementLaunched(in input) machine {
	worse := in.sick && m.state == Running && !m.killing && !in.forbidden
	if m.launch == goodLaunch && !worse {
		m.draining++
		return m.up(in)
	}
	if m.launch == goodLaunch {
		m = m.tried()
	}
	m.launch = noLaunch
	m.draining++
	return m.do(doDiscard)
}

func (m machine) replacementFailed(in input) machine {
	stale := m.launch == staleLaunch
	m.launch = noLaunch
	switch {
	case stale:
		return m.proceed()
	case in.unchanged:
		return m
	case in.alone, in.forbidden:
		return m.stop(true)
	case in.permanent:
		return m
	}
	return m.tried()
}

// tried plans the next try, later each time, up to a limit: the process that
// serves is good enough to wait for a person.
func (m machine) tried() machine {
	m.tries++
	if m.tries >= m.policy.tryLimit {
		return m
	}
	return m.wait(m.tries)
}

// up is a launched process that serves from now on.
func (m machine) up(in input) machine {
	m.state, m.launch, m.killing, m.misses, m.tries = Running, noLaunch, false, 0, 0
	m.upSince = in.at
	if in.sick {
		m.state, m.upSince = Degraded, time.Time{}
	}
	return m.do(doAdopt)
}

// proceed launches the replacement that is due, unless something is in its way.
func (m machine) proceed() machine {
	if !m.again || m.launch != noLaunch || m.draining > 0 || m.killing {
		return m
	}
	m.again, m.launch = false, goodLaunch
	return m.do(doLaunch)
}
