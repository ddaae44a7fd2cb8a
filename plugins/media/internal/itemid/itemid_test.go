package itemid

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestNextIsOrderedByTime(t *testing.T) {
	s := NewSource("")
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var all []string
	for i := range 5000 {
		// Many within one millisecond, and now and then the clock is set back.
		at := start.Add(time.Duration(i/100) * time.Millisecond)
		if i%700 == 699 {
			at = at.Add(-time.Hour)
		}
		id := s.Next(at)
		if !Valid(id) {
			t.Fatalf("Next() = %q, which is not valid", id)
		}
		all = append(all, id)
	}
	if !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Error("identifiers are not strictly increasing")
	}
}

func TestSourceContinuesAfterTheLast(t *testing.T) {
	future := NewSource("").Next(time.Now().Add(24 * 365 * time.Hour))
	if id := NewSource(future).Next(time.Now()); id <= future {
		t.Errorf("Next() = %q, want more than %q", id, future)
	}
	if id := NewSource("nonsense").Next(time.Now()); !Valid(id) {
		t.Errorf("Next() = %q after an invalid identifier", id)
	}
}

func TestStepCarries(t *testing.T) {
	s := NewSource("0000000000007vvvvvvvvvvvv0")
	last := s.Next(time.UnixMilli(0))
	for range 100 {
		next := s.Next(time.UnixMilli(0))
		if next <= last {
			t.Fatalf("Next() = %q after %q", next, last)
		}
		last = next
	}
}

func TestNextConcurrently(t *testing.T) {
	s := NewSource("")
	var mu sync.Mutex
	seen := map[string]bool{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				id := s.Next(time.Now())
				mu.Lock()
				if seen[id] {
					t.Errorf("%q came twice", id)
				}
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func TestValid(t *testing.T) {
	const good = "06abcdefghijklmnopqrstuv0s"
	for s, want := range map[string]bool{
		good:                         true,
		"00000000000000000000000000": true,
		"vvvvvvvvvvvvvvvvvvvvvvvvvs": true,
		"vvvvvvvvvvvvvvvvvvvvvvvvvv": false, // more than 128 bits
		"00000000000000000000000001": false, // not canonical
		strings.ToUpper(good):        false,
		good[:25]:                    false,
		good + "0":                   false,
		good[:25] + "\n":             false,
		"upload":                     false,
		"":                           false,
		"..":                         false,
		"wxyzwxyzwxyzwxyzwxyzwxyzwx": false,
	} {
		if got := Valid(s); got != want {
			t.Errorf("Valid(%q) = %t, want %t", s, got, want)
		}
	}
}

func FuzzValid(f *testing.F) {
	f.Add("00000000000000000000000000")
	f.Add("0000000000000\n00000000000000")
	f.Add("vvvvvvvvvvvvvvvvvvvvvvvvvs")
	f.Fuzz(func(t *testing.T, s string) {
		if !Valid(s) {
			return
		}
		if len(s) != Length || strings.Trim(s, "0123456789abcdefghijklmnopqrstuv") != "" {
			t.Errorf("Valid(%q)", s)
		}
		if next := NewSource(s).Next(time.UnixMilli(0)); s < "v" && next <= s {
			t.Errorf("Next() = %q after %q", next, s)
		}
	})
}
