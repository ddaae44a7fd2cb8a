package entryid

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestNextGoesUpWhateverTheClockDoes(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	steps := []time.Duration{0, 0, time.Millisecond, -time.Hour, 0, time.Hour, -100 * 365 * 24 * time.Hour, 0, 24 * time.Hour}
	var ids []string
	last := ""
	for range 200 {
		for _, step := range steps {
			now = now.Add(step)
			last = Next(now, last)
			if !Valid(last) {
				t.Fatalf("Next made %q, which is not valid", last)
			}
			ids = append(ids, last)
		}
	}
	if !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) {
		t.Error("identifiers are not in the order in which they were made, or not different")
	}
}

func TestNextFollowsTheClock(t *testing.T) {
	early := Next(time.UnixMilli(1_700_000_000_000), "")
	late := Next(time.UnixMilli(1_700_000_000_001), "")
	if early >= late {
		t.Errorf("%q does not sort before %q", early, late)
	}
	if again := Next(time.UnixMilli(1_700_000_000_000), ""); again == early {
		t.Errorf("two made in the same millisecond are the same: %q", again)
	}
}

func TestAfterCarries(t *testing.T) {
	tests := map[string]string{
		"0000000000000000": "0000000000000001",
		"000000000000000v": "0000000000000010",
		"0ivvvvvvvvvvvvvv": "0j00000000000000",
	}
	for last, want := range tests {
		if got := after(last); got != want {
			t.Errorf("after(%q) = %q, want %q", last, got, want)
		}
	}
}

func TestValid(t *testing.T) {
	good := Next(time.Now(), "")
	tests := map[string]bool{
		good:                  true,
		"0000000000000000":    true,
		"vvvvvvvvvvvvvvvv":    true,
		"":                    false,
		good[1:]:              false,
		good + "0":            false,
		good[1:] + "w":        false,
		good[1:] + "\n":       false,
		good[1:] + "\xff":     false,
		good[:15] + "\x00":    false,
		good[:14] + "é":       false,
		"000000000000000A":    false,
		"../../../../etc/pas": false,
		"00000000-0000000":    false,
	}
	for s, want := range tests {
		if got := Valid(s); got != want {
			t.Errorf("Valid(%q) = %v", s, got)
		}
	}
}

func FuzzValid(f *testing.F) {
	f.Add("0000000000000000")
	f.Add("000000000000000\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		want := len(s) == Length
		for i := range len(s) {
			want = want && ('0' <= s[i] && s[i] <= '9' || 'a' <= s[i] && s[i] <= 'v')
		}
		if got := Valid(s); got != want {
			t.Errorf("Valid(%q) = %v", s, got)
		}
		if !want {
			return
		}
		if raw, err := encoding.DecodeString(s); err != nil || encoding.EncodeToString(raw) != s {
			t.Errorf("%q has a second spelling: %v", s, err)
		}
		if s != strings.Repeat("v", Length) && after(s) <= s {
			t.Errorf("after(%q) = %q", s, after(s))
		}
	})
}
