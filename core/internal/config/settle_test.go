package config

import (
	"crypto/sha256"
	"testing"
	"time"
)

// TestSettling walks through what editors do, look by look.
func TestSettling(t *testing.T) {
	reading := func(source string) Reading {
		return Reading{File: "config.hcl", source: []byte(source), digest: sha256.Sum256([]byte(source))}
	}
	gone := Reading{}
	wrong := reading("device {")
	wrong.Err = problem("a brace is missing")
	const calm, doubt = 100 * time.Millisecond, time.Second

	type look struct {
		at    time.Duration
		read  Reading
		again time.Duration
		news  bool
	}
	tests := map[string][]look{
		"nothing new": {
			{0, reading("old"), 0, false},
			{time.Hour, reading("old"), 0, false},
		},
		"one write": {
			{0, reading("new"), calm, false},
			{calm, reading("new"), 0, true},
			{time.Hour, reading("new"), 0, false},
		},
		"looked at too early": {
			{0, reading("new"), calm, false},
			{30 * time.Millisecond, reading("new"), 70 * time.Millisecond, false},
			{calm, reading("new"), 0, true},
		},
		"written in parts": {
			{0, reading("a"), calm, false},
			{90 * time.Millisecond, reading("a b"), calm, false},
			{180 * time.Millisecond, reading("a b c"), calm, false},
			{280 * time.Millisecond, reading("a b c"), 0, true},
		},
		"emptied first": {
			{0, reading(""), doubt, false},
			{900 * time.Millisecond, reading("new"), calm, false},
			{time.Second, reading("new"), 0, true},
		},
		"taken away and put back": {
			{0, gone, doubt, false},
			{500 * time.Millisecond, reading("old"), 0, false},
			{time.Hour, reading("old"), 0, false},
		},
		"removed for good": {
			{0, gone, doubt, false},
			{doubt, gone, 0, true},
			{time.Hour, gone, 0, false},
		},
		"wrong, then right": {
			{0, wrong, doubt, false},
			{doubt, wrong, 0, true},
			{2 * time.Second, wrong, 0, false},
			{3 * time.Second, reading("old"), calm, false},
			{3*time.Second + calm, reading("old"), 0, true},
		},
		"there and back": {
			{0, reading("new"), calm, false},
			{50 * time.Millisecond, reading("old"), 0, false},
			{200 * time.Millisecond, reading("new"), calm, false},
		},
	}
	begin := time.Now()
	for name, looks := range tests {
		t.Run(name, func(t *testing.T) {
			s := settling{patience: patience{calm: calm, doubt: doubt}, believed: reading("old")}
			for i, l := range looks {
				again, news := s.next(l.read, begin.Add(l.at))
				if again != l.again || news != l.news {
					t.Errorf("look %d: again in %v, news %v; want %v, %v", i, again, news, l.again, l.news)
				}
			}
		})
	}
}
