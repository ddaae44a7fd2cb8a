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
	state    State
	manifest *sdk.Manifest // nil while never learnt
	instance *instance     // nil unless requests may be sent to it
	failure  error         // the last one; nil once it is healthy again
}

// supervisor carries out what one plugin's machine decides. All its fields but
// the channels belong to the goroutine of run; launches, health checks and
// stops run beside it and report back.
type supervisor struct {
	launch func(context.Context) (launched, error)
	timing Timing
	jitter func(time.Duration) time.Duration
	log    hclog.Logger
	tell   func(report)

	requests chan inputKind // inRestart from people, "check now" from requests
	launches chan launchResult
	checks   chan checkResult
	stops    chan *instance
	work     sync.WaitGroup

	machine      machine
	report       report
	instance     *instance
	cancelLaunch context.CancelFunc
	backoff      *time.Timer
	checking     bool
	health       *time.Ticker
}

type launchResult struct {
	launched
	err error
}

type checkResult struct {
	instance *instance
	err      error
}

// checkNow asks for a health check before its time.
const checkNow inputKind = "check now"

func newSupervisor(launch func(context.Context) (launched, error), t Timing, jitter func(time.Duration) time.Duration, log hclog.Logger, tell func(report)) *supervisor {
	return &supervisor{
		launch:   launch,
		timing:   t,
		jitter:   jitter,
		log:      log,
		tell:     tell,
		requests: make(chan inputKind, 1),
		launches: make(chan launchResult, 1),
		checks:   make(chan checkResult, 1),
		stops:    make(chan *instance, 1),
		machine:  newMachine(t.policy()),
		report:   report{state: Stopped},
	}
}

// ask hands in a request without waiting; with one pending already, another
// would change nothing but a restart, which is why that one waits its turn.
func (s *supervisor) ask(ctx context.Context, kind inputKind) {
	if kind == checkNow {
		select {
		case s.requests <- kind:
		default:
		}
		return
	}
	select {
	case s.requests <- kind:
	case <-ctx.Done():
	}
}

// run starts the plugin and supervises it until ctx ends; then it stops the
// plugin and returns when nothing of it is left.
func (s *supervisor) run(ctx context.Context) {
	defer s.work.Wait()
	s.backoff = time.NewTimer(time.Hour)
	s.backoff.Stop()
	s.health = time.NewTicker(s.timing.HealthInterval)
	defer s.health.Stop()

	s.feed(input{kind: inStart})
	ending := ctx.Done()
	for {
		select {
		case <-ending:
			ending = nil
			s.feed(input{kind: inStop})
		case kind := <-s.requests:
			s.requested(kind, ending == nil)
		case r := <-s.launches:
			s.launchEnded(r)
		case <-s.exits():
			s.exited()
		case <-s.backoff.C:
			s.feed(input{kind: inBackoffOver})
		case <-s.health.C:
			s.check()
		case r := <-s.checks:
			s.checked(r)
		case i := <-s.stops:
			s.stopEnded(i)
		}
		if ending == nil && s.machine.state == Stopped {
			return
		}
	}
}

func (s *supervisor) requested(kind inputKind, ending bool) {
	switch {
	case kind == checkNow:
		s.check()
	case !ending:
		s.feed(input{kind: kind})
	}
}

// exits is the channel of the process's end. While it is being stopped, the
// stop watches it instead.
func (s *supervisor) exits() <-chan struct{} {
	if s.instance == nil || s.machine.state == Stopping {
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
	s.publish()
}

func (s *supervisor) perform(e effect) {
	switch e.kind {
	case doLaunch:
		s.startLaunch()
	case doCancelLaunch:
		s.cancelLaunch()
	case doStop:
		i := s.instance
		s.work.Go(func() {
			i.stop(s.timing.Grace, s.timing)
			i.release()
			s.stops <- i
		})
	case doKill:
		s.log.Warn("plugin does not answer, killing it")
		s.instance.group.kill()
	case doWait:
		s.backoff.Reset(s.jitter(e.delay))
	case doCancelWait:
		s.backoff.Stop()
	}
}

func (s *supervisor) startLaunch() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancelLaunch = cancel
	s.work.Go(func() {
		defer cancel()
		result, err := s.launch(ctx)
		s.launches <- launchResult{launched: result, err: err}
	})
}

func (s *supervisor) launchEnded(r launchResult) {
	if r.manifest != nil {
		s.report.manifest = r.manifest
	}
	if r.err != nil {
		s.failed(r.err)
		s.feed(input{kind: inLaunchFailed, permanent: isPermanent(r.err), crashed: isCrash(r.err)})
		return
	}
	s.instance = r.instance
	s.instance.suspected = func() { s.ask(context.Background(), checkNow) }
	s.health.Reset(s.timing.HealthInterval)
	s.report.failure = nil
	if s.machine.state == Starting {
		s.log.Info("plugin running", "version", printable(r.manifest.Version, tailLineBytes))
	}
	s.feed(input{kind: inLaunched})
	if r.health != nil {
		s.checked(checkResult{instance: s.instance, err: r.health})
	}
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
		s.logFailure(i.exitError())
		i.release()
	})
}

func (s *supervisor) stopEnded(i *instance) {
	if s.instance == i {
		s.instance = nil
	}
	s.log.Info("plugin stopped")
	s.feed(input{kind: inStopDone})
}

// check starts a health check, unless one is under way.
func (s *supervisor) check() {
	if s.instance == nil || s.checking || s.machine.state == Stopping {
		return
	}
	s.checking = true
	i := s.instance
	s.work.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), s.timing.HealthTimeout)
		defer cancel()
		s.checks <- checkResult{instance: i, err: i.checkHealth(ctx)}
	})
}

func (s *supervisor) checked(r checkResult) {
	s.checking = false
	if r.instance != s.instance {
		return // of a process that is gone
	}
	kind := healthInput(r.err)
	switch {
	case kind == inHealthy:
		s.report.failure = nil
	case s.machine.state == Running || kind == inLost:
		s.failed(r.err)
	}
	s.feed(input{kind: kind})
}

// failed notes a failure for the owner and logs it once.
func (s *supervisor) failed(err error) {
	if errors.Is(err, context.Canceled) {
		return // it was we who gave up
	}
	s.report.failure = err
	s.logFailure(err)
}

func (s *supervisor) logFailure(err error) {
	var config *control.ConfigError
	if errors.As(err, &config) {
		return // logged by the launch, with the lines of the file
	}
	s.log.Error("plugin failed", "error", printable(err.Error(), maxLogText))
}

func (s *supervisor) publish() {
	s.report.state = s.machine.state
	s.report.instance = nil
	if s.machine.state == Running || s.machine.state == Degraded {
		s.report.instance = s.instance
	}
	s.tell(s.report)
}
