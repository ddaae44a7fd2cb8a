package plugins

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/sdk/control"
)

// How fast a plugin's events are read. One that has more to tell is slowed down:
// what it cannot get rid of, it drops and counts by itself.
const (
	eventBurst = 100
	eventEvery = 20 * time.Millisecond // on average, after a burst
)

// Publish passes on an event of a plugin's own: its name begins with the
// plugin's and data is JSON of at most 16 KiB, both checked. dropped is how many
// events of this plugin were lost since the one before. It must not block.
type Publish func(plugin, name string, data json.RawMessage, dropped uint64)

// follower reads the events of one process.
type follower struct {
	plugin  string
	publish Publish
	check   func() // asks for a health check now
	log     hclog.Logger
	pace    pace
	lost    uint64 // events that were not passed on since the last that was
	limiter limiter
}

func newFollower(plugin string, publish Publish, check func(), log hclog.Logger) *follower {
	return &follower{
		plugin:  plugin,
		publish: publish,
		check:   check,
		log:     log,
		pace:    pace{burst: eventBurst, every: eventEvery},
		limiter: limiter{most: 5, period: time.Minute},
	}
}

// run reads until ctx ends. A stream that breaks while the process lives is
// opened again, later each time.
func (f *follower) run(ctx context.Context, watch func(context.Context, func(control.Event) error) error) {
	p := policy{backoffMin: time.Second, backoffMax: time.Minute}
	for failures := 1; ; failures++ {
		err := watch(ctx, func(e control.Event) error { return f.take(ctx, e) })
		if ctx.Err() != nil || errors.Is(err, control.ErrUnsupported) {
			return
		}
		f.check() // it was a sign of life
		if wait(ctx, p.backoff(failures)) != nil {
			return
		}
		f.complain("plugin ended the stream of its events", err)
	}
}

// take passes one event on and then waits for the time of the next.
func (f *follower) take(ctx context.Context, e control.Event) error {
	f.lost += e.Dropped
	if e.HealthChanged {
		f.check()
	}
	if p := e.Published; p != nil {
		if err := p.Validate(f.plugin); err != nil {
			f.lost++
			f.complain("event of a plugin dropped", err)
		} else {
			f.publish(f.plugin, p.Name, json.RawMessage(p.Data), f.lost)
			f.lost = 0
		}
	}
	return wait(ctx, f.pace.next(time.Now()))
}

func (f *follower) complain(message string, err error) {
	ok, suppressed := f.limiter.allow(time.Now())
	if suppressed > 0 {
		f.log.Warn("complaints about events suppressed", "count", suppressed)
	}
	if !ok {
		return
	}
	text := ""
	if err != nil {
		text = printable(err.Error(), maxLogText)
	}
	f.log.Warn(message, "error", text)
}

// pace spreads events over time, but for bursts.
type pace struct {
	burst int
	every time.Duration
	due   time.Time // of the next event, had all come evenly
}

// next takes note of one event and returns how long to wait before the next.
func (p *pace) next(now time.Time) time.Duration {
	if p.due.Before(now) {
		p.due = now
	}
	p.due = p.due.Add(p.every)
	return max(p.due.Sub(now)-time.Duration(p.burst)*p.every, 0)
}

// wait waits, or returns the end of the context.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
