package main

import (
	"encoding/json"
	"fmt"
	"time"
)

// printJSON prints one value on one line.
func (a *app) printJSON(v any) error {
	return json.NewEncoder(a.out).Encode(v)
}

// statusWords are the words and shapes that people see.
var statusWords = map[string]string{
	"available":    "● Available",
	"offline":      "○ Offline",
	"needs_repair": "▲ Needs re-pairing",
}

// ago says a moment as a person would.
func ago(t *time.Time, now time.Time) string {
	if t == nil {
		return "never"
	}
	switch d := now.Sub(*t); {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return count(int(d.Minutes()), "minute") + " ago"
	case d < 24*time.Hour:
		return count(int(d.Hours()), "hour") + " ago"
	default:
		return count(int(d.Hours()/24), "day") + " ago"
	}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
