package plugins

import "time"

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
	Quarantined State = "quarantined" // crashed too often; waits for a change or a person
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
	tryLimit     int // launches of a replacement before it is given up
}

// inputKind says what happened to a plugin.
type inputKind string

const (
	inStart        inputKind = "start"         // it is wanted
	inStop         inputKind = "stop"          // it is not wanted any more
	inChanged      inputKind = "changed"       // what is to run is another program or needs a new process
	inReverted     inputKind = "reverted"      // what runs is what is to run, after all
	inRestart      inputKind = "restart"       // a person asks for a new process
	inLaunched     inputKind = "launched"      // the launch succeeded
	inLaunchFailed inputKind = "launch failed" // the launch failed and nothing is left of it
	inHealthy      inputKind = "healthy"
	inUnhealthy    inputKind = "unhealthy" // it answered that it does not work
	inMissed       inputKind = "missed"    // no answer in time
	inLost         inputKind = "lost"      // its socket is gone: it can never work again
	inExited       inputKind = "exited"    // the serving process ended
	inStopDone     inputKind = "stop done"
	inDrained      inputKind = "drained" // nothing is left of an earlier process, or of a discarded one
	inWaitOver     inputKind = "wait over"
)

// input is one event with what matters about it.
type input struct {
	kind inputKind
	at   time.Time // monotonic

	sick bool // of a launch: it runs, but says that it does not work

	// Of a failed launch:
	permanent bool // the same would fail again
	crashed   bool // the process ended by itself
	unchanged bool // it is the program that runs already
	alone     bool // it must not run beside the process that serves
	forbidden bool // the process that serves must not go on instead
}

// effectKind says what is to be done.
type effectKind string

const (
	doLaunch       effectKind = "launch" // ends with inLaunched or inLaunchFailed
	doCancelLaunch effectKind = "cancel launch"
	doAdopt        effectKind = "adopt"   // what was launched serves; what served before is drained
	doDiscard      effectKind = "discard" // what was launched is stopped; ends with inDrained
	doStop         effectKind = "stop"    // politely; ends with inStopDone
	doKill         effectKind = "kill"    // at once; ends with inExited
	doWait         effectKind = "wait"    // ends with inWaitOver
	doCancelWait   effectKind = "cancel wait"
)

// effect is one thing to do.
type effect struct {
	kind  effectKind
	delay time.Duration // of doWait, before jitter
}

// launchPhase is what is known of a launch under way.
type launchPhase int

const (
	noLaunch    launchPhase = iota
	goodLaunch              // its outcome is what is wanted
	staleLaunch             // it was cancelled, its outcome counts for nothing
)
