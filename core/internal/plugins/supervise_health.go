package plugins

import (
	"context"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type checkResult struct {
	instance *instance
	err      error
	outgrown bool // another process could work in other places, and maybe better
}

// check starts a health check, unless one is under way.
func (s *supervisor) check() {
	if s.instance == nil || s.checking || s.machine.stopping {
		return
	}
	s.checking = true
	i, a := s.instance, s.assignment
	s.work.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), s.timing.HealthTimeout)
		defer cancel()
		r := checkResult{instance: i, err: i.checkHealth(ctx)}
		// The plugin's end of the call can run out of time a moment earlier.
		late := ctx.Err() != nil || status.Code(r.err) == codes.DeadlineExceeded
		if late && healthInput(r.err) == inMissed {
			r.err = fmt.Errorf("%w: %w", errNoAnswer, r.err)
		}
		if i.outgrown != nil && healthInput(r.err) == inUnhealthy {
			r.outgrown = i.outgrown(ctx, a)
		}
		s.checks <- r
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
	if r.outgrown && s.machine.launch == noLaunch {
		s.moveOut()
	}
}
