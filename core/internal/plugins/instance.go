package plugins

import (
	"context"
	"errors"
	"net/http"
	"syscall"
	"time"

	"github.com/salita-mesh/salita/sdk/control"
)

// controller is the part of the control plane that a running plugin needs.
type controller interface {
	CheckHealth(ctx context.Context) error
	Shutdown(ctx context.Context, grace time.Duration) error
}

// group is the plugin's process and its children.
type group interface {
	hangUp()
	terminate()
	kill()
}

// instance is one running plugin process: from a launch that succeeded to the
// end of the process. It never starts again.
type instance struct {
	assignment assignment // what it was launched for
	group      group
	control    controller
	exited     <-chan struct{}
	drained    <-chan struct{} // closed when all it ever wrote was read
	exitError  func() error    // good once exited is closed, complete once drained is
	dial       Dial
	transport  http.RoundTripper
	limit      int64
	program    *programCopy
	alone      bool   // it must not run beside another process of itself
	cleanUp    func() // ends go-plugin's client and removes the sockets

	// configure applies the assignment's configuration and logs what the plugin
	// says about it.
	configure func(context.Context, assignment) error
	// outgrown reports whether a new process could work in other places; nil where
	// this one works everywhere.
	outgrown func(context.Context, assignment) bool
	revision string // of the configuration in force; "": not known
	refused  string // of the last one that the plugin did not take

	// watch reads what the plugin tells by itself.
	watch func(context.Context, func(control.Event) error) error

	calls     *gauge // requests from the first byte to the last
	pending   *gauge // requests that have no answer yet
	suspected func() // a request found the socket dead
}

// admission says whether an instance takes a request.
type admission int

const (
	admitted admission = iota
	full               // it has as many as it gets at once
	retired            // another process serves by now, or none
)

// acquire counts a request in.
func (i *instance) acquire() admission {
	if _, ok := i.pending.enter(); !ok {
		return retired
	}
	n, ok := i.calls.enter()
	switch {
	case !ok:
		i.pending.leave()
		return retired
	case n > i.limit:
		i.calls.leave()
		i.pending.leave()
		return full
	}
	return admitted
}

// answered notes that the head of an answer came.
func (i *instance) answered() { i.pending.leave() }

// done counts a request out.
func (i *instance) done() { i.calls.leave() }

// checkHealth proves that the plugin answers on both planes.
func (i *instance) checkHealth(ctx context.Context) error {
	conn, err := i.dial(ctx)
	if socketGone(err) {
		return errors.Join(errSocketGone, err)
	}
	if err != nil {
		return err
	}
	_ = conn.Close()
	return i.control.CheckHealth(ctx)
}

// socketGone reports that a dial failed because nobody can ever answer there
// again: the socket was removed, or its listener closed.
func socketGone(err error) bool {
	return errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOTSOCK) || errors.Is(err, syscall.ENOTDIR)
}

// healthInput is what a health check tells the machine.
func healthInput(err error) inputKind {
	var notServing *control.NotServingError
	switch {
	case err == nil:
		return inHealthy
	case errors.As(err, &notServing):
		return inUnhealthy
	case errors.Is(err, errSocketGone):
		return inLost
	}
	return inMissed
}

// drain ends a process that another has replaced. A request that is on its way
// to it must not find it closing, so it is told to finish only when every one
// has its answer's head, or most of the grace is over.
func (i *instance) drain(grace time.Duration, t Timing) {
	began := time.Now()
	i.calls.close()
	timer := time.NewTimer(grace - grace/5)
	defer timer.Stop()
	select {
	case <-i.pending.close():
	case <-i.exited:
	case <-timer.C:
	}
	i.stop(max(grace-time.Since(began), grace/5), t)
}

// stop ends the process: politely within the grace, then less so. It returns
// when the process is gone, or when it cannot even be killed.
func (i *instance) stop(grace time.Duration, t Timing) {
	i.calls.close()
	answered := i.shutDown(grace)
	i.group.hangUp()
	if answered && i.awaitExit(t.ExitWait) {
		return
	}
	i.group.terminate()
	if i.awaitExit(t.TermWait) {
		return
	}
	i.group.kill()
	i.awaitExit(t.KillWait)
}

// shutDown asks the plugin to finish its requests. It reports false when the
// grace passed without an answer; the end of the process is one.
func (i *instance) shutDown(grace time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		// The plugin is told a little less than it has, so that its answer arrives.
		_ = i.control.Shutdown(ctx, grace-grace/20)
	}()
	select {
	case <-answered:
		return ctx.Err() == nil
	case <-i.exited:
		cancel()
		<-answered
		return true
	}
}

func (i *instance) awaitExit(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-i.exited:
		return true
	case <-timer.C:
		return false
	}
}

// release gives back what the instance held; the process should be gone. What
// it has answered may still be on its way to a slow reader, for as long as the
// grace.
func (i *instance) release(t Timing) {
	i.cleanUp()
	timer := time.NewTimer(t.Grace)
	defer timer.Stop()
	select {
	case <-i.calls.close():
	case <-timer.C:
	}
	closeTransport(i.transport)
}
