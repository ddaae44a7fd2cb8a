package plugins

import (
	"context"
	"errors"
	"time"

	"github.com/salita-mesh/salita/sdk"
)

// order is one launch: what to run, and beside what.
type order struct {
	assignment
	serving *instance // runs meanwhile; nil without
	forced  bool      // also when nothing is other than in what serves
}

// launched is what a launch found out. The manifest is known even when a later
// step failed.
type launched struct {
	instance  *instance
	manifest  *sdk.Manifest
	health    error // a *control.NotServingError: it runs, but does not work yet
	forbidden bool  // what serves is not the program that the configuration allows
}

type launchResult struct {
	launched
	order order
	err   error
}

// errUnchanged ends a launch that would replace a program with itself.
var errUnchanged = errors.New("the program is the one that runs")

// errAlone ends the launch of a plugin that must not run beside another process
// of itself.
var errAlone = errors.New("two processes of it must not run side by side")

func (s *supervisor) startLaunch() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancelLaunch = cancel
	o := order{assignment: s.assignment, serving: s.instance, forced: s.restarting || s.moving}
	s.work.Go(func() {
		defer cancel()
		result, err := s.launcher(ctx, o)
		s.launches <- launchResult{launched: result, order: o, err: err}
	})
}

func (s *supervisor) launchEnded(r launchResult) {
	switch {
	case r.err == nil:
		s.launched = r.launched
		if s.machine.state == Running && s.machine.launch == goodLaunch && r.health != nil {
			s.notReplaced(r.health)
		}
		s.feed(input{kind: inLaunched, sick: r.health != nil, forbidden: r.forbidden})
	case s.up():
		s.replacementFailed(r)
	default:
		s.startFailed(r)
	}
}

func (s *supervisor) startFailed(r launchResult) {
	if r.manifest != nil {
		s.report.manifest = r.manifest
	}
	in := failedInput(r)
	if s.machine.launch == goodLaunch && !in.unchanged && !in.alone {
		s.failed(r.err)
	}
	s.feed(in)
}

// replacementFailed is a process that could not take over. What serves goes on.
func (s *supervisor) replacementFailed(r launchResult) {
	in := failedInput(r)
	switch {
	case s.machine.launch != goodLaunch, in.alone:
	case in.unchanged:
		s.report.replacement = nil
		s.instance.assignment = r.order.assignment
	default:
		s.notReplaced(r.err)
	}
	s.feed(in)
	s.configure() // what serves on gets the settings that were meant for the other
}

func (s *supervisor) notReplaced(err error) {
	s.report.replacement = err
	s.logFailure("plugin not replaced, the earlier process serves on", err)
}

func failedInput(r launchResult) input {
	return input{
		kind:      inLaunchFailed,
		permanent: isPermanent(r.err),
		crashed:   isCrash(r.err),
		unchanged: errors.Is(r.err, errUnchanged),
		alone:     errors.Is(r.err, errAlone),
		forbidden: r.forbidden,
	}
}

// adopt lets the launched process serve. Requests go to it before the earlier
// one is told to finish.
func (s *supervisor) adopt() {
	earlier := s.instance
	l := s.launched
	s.instance, s.since, s.launched = l.instance, time.Now(), launched{}
	s.instance.suspected = s.inbox.check
	s.report.manifest = l.manifest
	s.report.failure, s.report.replacement, s.report.config = l.health, nil, nil
	s.restarting, s.moving = false, false
	s.health.Reset(s.timing.HealthInterval)
	s.log.Info("plugin running", "version", printable(l.manifest.Version, tailLineBytes))
	if l.health != nil {
		s.logFailure("plugin failed", l.health)
	}
	s.announce()
	s.follow(s.instance)
	if earlier != nil {
		s.retire(earlier, s.timing.Grace)
	}
	s.configure()
}

// follow reads the events of a process to its end.
func (s *supervisor) follow(i *instance) {
	f := newFollower(s.assignment.spec.Name, s.publish, s.inbox.check, s.log)
	s.work.Go(func() {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			f.run(ctx, i.watch)
		}()
		select {
		case <-ended:
		case <-i.exited:
			cancel()
			<-ended
		}
	})
}

// discard stops what was launched and is not wanted any more.
func (s *supervisor) discard() {
	i := s.launched.instance
	s.launched = launched{}
	s.retire(i, s.timing.ExitWait)
}

// retire lets a process that serves no more finish its requests, and ends it.
func (s *supervisor) retire(i *instance, grace time.Duration) {
	s.work.Go(func() {
		i.drain(grace, s.timing)
		s.drains <- struct{}{}
		i.release(s.timing)
	})
}

// stop ends the serving process without another to take its place.
func (s *supervisor) stop() {
	i := s.instance
	s.work.Go(func() {
		i.stop(s.timing.Grace, s.timing)
		s.stops <- struct{}{}
		i.release(s.timing)
	})
}

func (s *supervisor) stopEnded() {
	s.instance = nil
	s.log.Info("plugin stopped")
	s.feed(input{kind: inStopDone})
}

// exited is the end of a process that nobody asked for, or that was killed for
// not answering. The log waits for the last lines, the state does not.
func (s *supervisor) exited() {
	i := s.instance
	s.instance = nil
	s.report.failure = i.exitError()
	s.feed(input{kind: inExited})
	s.work.Go(func() {
		<-i.drained
		s.logFailure("plugin failed", i.exitError())
		i.release(s.timing)
	})
}
