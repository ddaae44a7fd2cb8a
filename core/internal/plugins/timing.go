package plugins

import "time"

// Timing is every duration of the host. A zero field means its default.
type Timing struct {
	Start          time.Duration // for a whole launch; 10 s
	Connect        time.Duration // in it, for a socket that accepts to speak TLS; 3 s
	Configure      time.Duration // for changed settings to be taken over; 10 s
	HealthInterval time.Duration // between two health checks; 10 s
	HealthTimeout  time.Duration // for the answer; 1 s
	BackoffMin     time.Duration // before the second launch; 500 ms
	BackoffMax     time.Duration // the longest wait between launches; 60 s
	HealthyAfter   time.Duration // after which failures are forgiven; 60 s
	CrashWindow    time.Duration // in which crashes are counted; 10 min
	Grace          time.Duration // for requests in flight when a plugin stops; 10 s
	ExitWait       time.Duration // from the answer to Shutdown to the exit; 1 s
	TermWait       time.Duration // from SIGTERM to SIGKILL; 500 ms
	KillWait       time.Duration // for the kernel to carry out SIGKILL; 2 s
	Debounce       time.Duration // from a change in a plugin folder to the look at it; 50 ms
	Settle         time.Duration // that a program must stay the same before it counts; 300 ms
	Rescan         time.Duration // between looks at a plugin folder that cannot be watched; 2 s
	FirstLook      time.Duration // that a start waits for a plugin folder to answer; 2 s
}

// Counts that go with Timing.
const (
	missLimit  = 3 // health checks without an answer
	crashLimit = 5 // crashes within Timing.CrashWindow
	tryLimit   = 5 // launches of a replacement that fail
)

func (t Timing) withDefaults() Timing {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.Start, 10 * time.Second},
		{&t.Connect, 3 * time.Second},
		{&t.Configure, 10 * time.Second},
		{&t.HealthInterval, 10 * time.Second},
		{&t.HealthTimeout, time.Second},
		{&t.BackoffMin, 500 * time.Millisecond},
		{&t.BackoffMax, time.Minute},
		{&t.HealthyAfter, time.Minute},
		{&t.CrashWindow, 10 * time.Minute},
		{&t.Grace, 10 * time.Second},
		{&t.ExitWait, time.Second},
		{&t.TermWait, 500 * time.Millisecond},
		{&t.KillWait, 2 * time.Second},
		{&t.Debounce, 50 * time.Millisecond},
		{&t.Settle, 300 * time.Millisecond},
		{&t.Rescan, 2 * time.Second},
		{&t.FirstLook, 2 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return t
}

func (t Timing) policy() policy {
	return policy{
		backoffMin:   t.BackoffMin,
		backoffMax:   t.BackoffMax,
		healthyAfter: t.HealthyAfter,
		missLimit:    missLimit,
		crashLimit:   crashLimit,
		crashWindow:  t.CrashWindow,
		tryLimit:     tryLimit,
	}
}
