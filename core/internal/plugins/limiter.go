package plugins

import "time"

// limiter lets so many events through per period and counts the others.
type limiter struct {
	most   int
	period time.Duration

	since      time.Time
	passed     int
	suppressed int
}

// allow reports whether an event now may pass. It also returns how many were
// suppressed in the period before, once that is over.
func (l *limiter) allow(now time.Time) (ok bool, suppressed int) {
	if now.Sub(l.since) >= l.period {
		suppressed = l.suppressed
		l.since, l.passed, l.suppressed = now, 0, 0
	}
	if l.passed >= l.most {
		l.suppressed++
		return false, suppressed
	}
	l.passed++
	return true, suppressed
}

// rest returns how many were suppressed and not reported yet.
func (l *limiter) rest() int {
	n := l.suppressed
	l.suppressed = 0
	return n
}
