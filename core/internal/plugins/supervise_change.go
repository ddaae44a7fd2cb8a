package plugins

import (
	"context"
	"errors"

	"github.com/salita-mesh/salita/sdk/control"
)

// errConfigTimeout is the cause of a Configure that took too long.
var errConfigTimeout = errors.New("the new settings were not applied in time")

type configResult struct {
	instance *instance
	revision string
	err      error
}

// reassign takes over what is to be done from now on.
func (s *supervisor) reassign(next assignment) {
	before := s.assignment
	s.assignment = next
	switch {
	case !next.wanted:
		s.feed(input{kind: inStop})
	case !before.wanted:
		s.forget()
		s.feed(input{kind: inStart})
	default:
		s.adapt(next.changeFrom(before))
	}
}

// forget drops what was known about an earlier life of the plugin.
func (s *supervisor) forget() {
	if s.machine.state == Stopped {
		s.report = report{}
	}
	s.restarting, s.moving = false, false
}

// adapt does the least that a change asks for.
func (s *supervisor) adapt(c change) {
	switch c {
	case noChange:
		s.announce() // the place of something may be another
	case newDevice:
		s.configure()
	case newConfig:
		s.takeSettings()
	case newProgram, newProcess:
		s.renew()
	}
}

// takeSettings brings the newest settings to whoever serves, or will.
func (s *supervisor) takeSettings() {
	if s.instance != nil {
		s.instance.refused = "" // what was refused once may be asked again
	}
	if s.moving {
		s.moving = false // the settings before were the reason
		s.renew()
		return
	}
	if !s.up() || s.machine.launch == goodLaunch {
		s.feed(input{kind: inChanged})
	}
	s.configure()
}

// renew has the process replaced, unless it is what it should be after all.
func (s *supervisor) renew() {
	i := s.instance
	if s.up() && !s.restarting && s.assignment.changeFrom(i.assignment) < newProgram {
		s.report.replacement = nil
		s.feed(input{kind: inReverted})
		s.configure()
		return
	}
	s.feed(input{kind: inChanged})
}

// configure brings the serving process to the newest configuration, unless it
// has that already. Of a call under way only the end is hastened; that leads
// here again.
func (s *supervisor) configure() {
	i, a := s.instance, s.assignment
	if !s.up() || s.machine.killing {
		return
	}
	if s.cancelConfig != nil {
		s.cancelConfig()
		return
	}
	switch a.revision() {
	case i.revision:
		s.report.config = nil
		s.announce()
		return
	case i.refused:
		return
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), s.timing.Configure, errConfigTimeout)
	s.cancelConfig = cancel
	s.work.Go(func() {
		defer cancel()
		err := i.configure(ctx, a)
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		s.configs <- configResult{instance: i, revision: a.revision(), err: err}
	})
}

// configured is the end of a call of Configure. A refusal leaves the earlier
// configuration in force; without an answer nobody knows which one is.
func (s *supervisor) configured(r configResult) {
	s.cancelConfig = nil
	outdated := r.instance != s.instance || r.revision != s.assignment.revision()
	switch {
	case r.err == nil:
		r.instance.revision = r.revision
		s.log.Info("plugin configured anew")
	case isAnswer(r.err), errors.Is(r.err, errConfined):
		r.instance.refused = r.revision
	default:
		r.instance.revision = ""
	}
	if outdated {
		s.configure()
		return
	}
	if errors.Is(r.err, errConfined) {
		s.moveOut()
		return
	}
	s.report.config = r.err
	if r.err != nil {
		s.logFailure("plugin not configured, its earlier settings stay in force", r.err)
	}
	s.announce()
}

// isAnswer reports whether the plugin itself refused.
func isAnswer(err error) bool {
	var config *control.ConfigError
	var start *control.StartError
	return errors.As(err, &config) || errors.As(err, &start)
}

// moveOut has another process take over, which may work in other places.
func (s *supervisor) moveOut() {
	s.log.Info("plugin needs a new process to work in other places")
	s.moving = true
	s.feed(input{kind: inChanged})
}
