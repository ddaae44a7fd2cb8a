package mesh

import (
	"slices"
	"time"
)

// RateLimit lets Most events happen in any span of Per, whoever makes them
// happen. It is not safe for concurrent use.
type RateLimit struct {
	Most int
	Per  time.Duration

	events []time.Time // at most Most
}

// Allow counts an event, unless there were too many: then it reports false and
// counts nothing.
func (r *RateLimit) Allow(now time.Time) bool {
	// An event in the future is from before the clock was set back. It must not
	// hold the door shut until then.
	r.events = slices.DeleteFunc(r.events, func(t time.Time) bool { return now.Sub(t) >= r.Per || t.After(now) })
	if len(r.events) >= r.Most {
		return false
	}
	r.events = append(r.events, now)
	return true
}
