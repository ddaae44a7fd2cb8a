package discovery

import "time"

// earliest is the first of the times that are not zero; zero when all are.
func earliest(times ...time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// reached reports whether the time has come; zero never does.
func reached(t, now time.Time) bool { return !t.IsZero() && !t.After(now) }

// bucket lets so many through a second, and as many at once.
type bucket struct {
	rate int
	left float64
	at   time.Time
}

func (b *bucket) take(now time.Time) bool {
	if b.at.IsZero() {
		b.left = float64(b.rate)
	} else {
		b.left = min(float64(b.rate), b.left+now.Sub(b.at).Seconds()*float64(b.rate))
	}
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
