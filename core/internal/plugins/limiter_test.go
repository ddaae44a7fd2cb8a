package plugins

import (
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	l := limiter{most: 2, period: time.Second}
	start := time.Now()
	for i, c := range []struct {
		at         time.Duration
		ok         bool
		suppressed int
	}{
		{0, true, 0},
		{0, true, 0},
		{10 * time.Millisecond, false, 0},
		{999 * time.Millisecond, false, 0},
		{time.Second, true, 2},
		{time.Second, true, 0},
		{time.Second, false, 0},
		{time.Hour, true, 1},
		{2 * time.Hour, true, 0},
	} {
		ok, suppressed := l.allow(start.Add(c.at))
		if ok != c.ok || suppressed != c.suppressed {
			t.Errorf("step %d: %v, %d", i, ok, suppressed)
		}
	}
	l.allow(start.Add(2 * time.Hour))
	l.allow(start.Add(2 * time.Hour))
	if n := l.rest(); n != 1 {
		t.Errorf("rest %d", n)
	}
	if n := l.rest(); n != 0 {
		t.Errorf("rest %d, reported twice", n)
	}
}
