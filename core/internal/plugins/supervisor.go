package plugins

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/control"
)

// report is what a supervisor tells the host whenever something changed.
type report struct {
	assignment assignment
	state      State
	manifest   *sdk.Manifest // nil while never learnt
	instance   *instance     // nil unless requests may be sent to it
	since      time.Time     // when the instance took over
	resumes    time.Time     // when the next launch begins; zero: at once, or never
	returning  bool          // a process will serve again without anybody's doing

	failure     error // of the process; nil once it is healthy again
	replacement error // why the process was not replaced as it should be
	config      error // why the configuration is not in force
}

// supervisor carries out what one plugin's machine decides. All its fields but
// the inbox and the channels belong to the goroutine of run; launches, health
// checks and stops run beside it and report back.
type supervisor struct {
	launcher func(context.Context, order) (launched, error)
	timing   Timing
	jitter   func(time.Duration) time.Duration
	log      hclog.Logger
	tell     func(report)
	publish  Publish // takes the plugin's own events

	inbox    *inbox
	launches chan launchResult
	checks   chan checkResult
	configs  chan configResult
	stops    chan struct{}
	drains   chan struct{}
	work     sync.WaitGroup

	machine    machine
	assignment assignment
	report     report
	instance   *instance // serves
	since      time.Time // when it took over
	launched   launched  // came up and waits to be adopted or discarded

	cancelLaunch context.CancelFunc
	cancelConfig context.CancelFunc // nil unless a Configure is under way
	restarting   bool               // a person asked for a new process
	moving       bool               // the settings need a new process
	checking     bool
	wait         *time.Timer
	health       *time.Ticker
}

// newSupervisor returns a supervisor with nothing to do.
func newSupervisor(launch func(context.Context, order) (launched, error), t Timing, jitter func(time.Duration) time.Duration, log hclog.Logger, tell func(report)) *supervisor {
	return &supervisor{
		launcher: launch,
		timing:   t,
		jitter:   jitter,
		log:      log,
		tell:     tell,
		inbox:    newInbox(),
		launches: make(chan launchResult, 1),
		checks:   make(chan checkResult, 1),
		configs:  make(chan configResult, 1),
		stops:    make(chan struct{}),
		drains:   make(chan struct{}),
		machine:  newMachine(t.policy()),
	}
}

// run does what the newest assignment says until ctx ends; then it stops the
// plugin and returns when nothing of it is left.
func (s *supervisor) run(ctx context.Context) {
	defer s.work.Wait()
	s.wait = time.NewTimer(time.Hour)
	s.wait.Stop()
	s.health = time.NewTicker(s.timing.HealthInterval)
	defer s.health.Stop()

	ending := ctx.Done()
	for ending != nil || s.machine.state != Stopped {
		select {
		case <-ending:
			ending = nil
			s.feed(input{kind: inStop})
		case <-s.inbox.full:
			s.read(ending == nil)
		case r := <-s.launches:
			s.launchEnded(r)
		case <-s.exits():
			s.exited()
		case <-s.wait.C:
			s.feed(input{kind: inWaitOver})
		case <-s.health.C:
			s.check()
		case r := <-s.checks:
			s.checked(r)
		case r := <-s.configs:
			s.configured(r)
		case <-s.stops:
			s.stopEnded()
		case <-s.drains:
			s.feed(input{kind: inDrained})
		}
	}
}

// read does what others ask for.
func (s *supervisor) read(ending bool) {
	m := s.inbox.take()
	if m.check {
		s.check()
	}
	if ending {
		return
	}
	if m.assignment != nil {
		s.reassign(*m.assignment)
	}
	if m.restart && s.assignment.wanted {
		s.restarting = true
		s.feed(input{kind: inRestart})
	}
}

// up reports whether a process serves.
func (s *supervisor) up() bool {
	return s.machine.state == Running || s.machine.state == Degraded
}

// exits is the channel of the serving process's end. While it is being stopped,
// the stop watches it instead.
func (s *supervisor) exits() <-chan struct{} {
	if s.instance == nil || s.machine.stopping {
		return nil
	}
	return s.instance.exited
}

// feed lets the machine decide, carries it out and tells what changed.
func (s *supervisor) feed(in input) {
	in.at = time.Now()
	before := s.machine.state
	next, effects := s.machine.step(in)
	s.machine = next
	for _, e := range effects {
		s.perform(e)
	}
	if next.state != before {
		s.log.Debug("plugin state", "from", string(before), "to", string(next.state), "because", string(in.kind))
	}
	s.announce()
}

func (s *supervisor) perform(e effect) {
	switch e.kind {
	case doLaunch:
		s.startLaunch()
	case doCancelLaunch:
		s.cancelLaunch()
	case doAdopt:
		s.adopt()
	case doDiscard:
		s.discard()
	case doStop:
		s.stop()
	case doKill:
		s.log.Warn("plugin does not answer, killing it")
		s.instance.group.kill()
	case doWait:
		delay := s.jitter(e.delay)
		s.report.resumes = time.Now().Add(delay)
		s.wait.Reset(delay)
	case doCancelWait:
		s.wait.Stop()
	}
}

// failed notes a failure for the owner and logs it once.
func (s *supervisor) failed(err error) {
	s.report.failure = err
	s.logFailure("plugin failed", err)
}

func (s *supervisor) logFailure(message string, err error) {
	var config *control.ConfigError
	if errors.As(err, &config) {
		return // logged by the call, with the lines of the file
	}
	s.log.Error(message, "error", printable(err.Error(), maxLogText))
}

func (s *supervisor) announce() {
	r := &s.report
	r.assignment = s.assignment
	r.state = s.machine.state
	r.instance, r.since = nil, time.Time{}
	if s.up() {
		r.instance, r.since = s.instance, s.since
	}
	if r.state != Backoff {
		r.resumes = time.Time{}
	}
	r.returning = r.state == Starting || r.state == Backoff || r.state == Stopping && s.machine.again
	s.tell(*r)
}
