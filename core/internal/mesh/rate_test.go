package mesh

import (
	"testing"
	"time"
)

func TestRateLimit(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := RateLimit{Most: 3, Per: time.Minute}
	for _, step := range []struct {
		at   time.Duration
		want bool
	}{
		{0, true},
		{20 * time.Second, true},
		{40 * time.Second, true},
		{59 * time.Second, false},
		{time.Minute - 1, false},
		{time.Minute, true}, // the first is a minute old
		{time.Minute, false},
		{80 * time.Second, true},
		{-time.Hour, true}, // the clock was set back
		{-time.Hour, true},
		{-time.Hour, true},
		{-time.Hour, false},
		{48 * time.Hour, true},
	} {
		if got := r.Allow(start.Add(step.at)); got != step.want {
			t.Errorf("after %v: %v, want %v", step.at, got, step.want)
		}
		if len(r.events) > r.Most {
			t.Fatalf("%d events kept", len(r.events))
		}
	}
	if none := (RateLimit{Per: time.Hour}); none.Allow(start) {
		t.Error("a limit of none allows one")
	}
}
