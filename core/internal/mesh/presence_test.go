package mesh

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPresenceNext(t *testing.T) {
	seen := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	now := seen.Add(time.Hour)
	at := func(o Outcome) Sample { return Sample{Outcome: o, Began: now.Add(-time.Second), At: now} }
	answer := at(Reached)
	answer.Response = 7 * time.Millisecond
	is := func(s Status, at time.Time) Presence { return Presence{Status: s, LastSeen: at} }
	timed := func(p Presence, d time.Duration) Presence { p.Response = d; return p }
	left := func(p Presence, at time.Time) Presence { p.LeftAt = at; return p }
	tests := []struct {
		name   string
		before Presence
		sample Sample
		want   Presence
	}{
		{"offline, answers", is(StatusOffline, seen), at(Reached), is(StatusAvailable, now)},
		{"offline, silent", is(StatusOffline, seen), at(Unreached), is(StatusOffline, seen)},
		{"offline, refuses us", is(StatusOffline, seen), at(Refused), is(StatusNeedsRepair, now)},
		{"offline, goes", is(StatusOffline, seen), at(Left), left(is(StatusOffline, now), now)},
		{"available, silent", is(StatusAvailable, seen), at(Unreached), is(StatusOffline, seen)},
		{"available, refuses us", is(StatusAvailable, seen), at(Refused), is(StatusNeedsRepair, now)},
		{"available, goes", is(StatusAvailable, seen), at(Left), left(is(StatusOffline, now), now)},
		{"needs repair, silent", is(StatusNeedsRepair, seen), at(Unreached), is(StatusNeedsRepair, seen)},
		{"needs repair, goes", is(StatusNeedsRepair, seen), at(Left), left(is(StatusNeedsRepair, now), now)},
		{"needs repair, accepts us again", is(StatusNeedsRepair, seen), at(Reached), is(StatusAvailable, now)},
		{"went while it was asked", left(is(StatusOffline, now), now), at(Reached), left(is(StatusOffline, now), now)},
		{"is back", left(is(StatusOffline, seen), seen), at(Reached), is(StatusAvailable, now)},
		{"went, and is silent", left(is(StatusOffline, seen), seen), at(Unreached), left(is(StatusOffline, seen), seen)},
		{"response time", is(StatusOffline, seen), answer, timed(is(StatusAvailable, now), 7*time.Millisecond)},
		{"a sign without one", timed(is(StatusAvailable, seen), time.Second), at(Reached), timed(is(StatusAvailable, now), time.Second)},
		{"silent keeps it", timed(is(StatusAvailable, seen), time.Second), at(Unreached), timed(is(StatusOffline, seen), time.Second)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.before.Next(tt.sample)); diff != "" {
				t.Errorf("presence (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOnlyItsOwnWord tries every sequence of four outcomes: a device needs
// re-pairing if and only if it said so, and was not reached since.
func TestOnlyItsOwnWord(t *testing.T) {
	outcomes := []Outcome{Unreached, Refused, Reached, Left}
	var walk func(p Presence, said bool, at time.Time, depth int)
	walk = func(p Presence, said bool, at time.Time, depth int) {
		if got := p.Status == StatusNeedsRepair; got != said {
			t.Fatalf("needs re-pairing is %v, but it said so: %v (%+v)", got, said, p)
		}
		if depth == 0 {
			return
		}
		for _, o := range outcomes {
			now := at.Add(time.Second)
			next := p.Next(Sample{Outcome: o, Began: now, At: now})
			walk(next, o == Refused || said && o != Reached, now, depth-1)
		}
	}
	walk(Presence{Status: StatusOffline}, false, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), 4)
}

func TestPresenceOf(t *testing.T) {
	key := KeyHash{1}
	tests := []struct {
		name   string
		device Device
		want   Status
	}{
		{"paired gateway", Device{Kind: KindGateway, Key: key}, StatusOffline},
		{"gateway that refused us", Device{Kind: KindGateway, Key: key, NeedsRepair: true}, StatusNeedsRepair},
		{"gateway without a key", Device{Kind: KindGateway}, StatusNeedsRepair},
		{"browser", Device{Kind: KindBrowser}, StatusOffline},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := PresenceOf(tt.device).Status; got != tt.want {
				t.Errorf("status = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestPresenceAges(t *testing.T) {
	seen := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		name   string
		status Status
		age    time.Duration
		want   Status
	}{
		{"fresh", StatusAvailable, time.Minute - 1, StatusAvailable},
		{"stale", StatusAvailable, time.Minute, StatusOffline},
		{"a clock set back", StatusAvailable, -24 * time.Hour, StatusAvailable},
		{"offline stays", StatusOffline, 0, StatusOffline},
		{"needs repair does not age", StatusNeedsRepair, time.Hour, StatusNeedsRepair},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := Presence{Status: tt.status, LastSeen: seen}
			if got := p.At(seen.Add(tt.age), time.Minute).Status; got != tt.want {
				t.Errorf("status = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestPresenceUsed(t *testing.T) {
	seen := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		name   string
		before Presence
		used   time.Time
		want   Presence
	}{
		{"never", Presence{Status: StatusOffline, LastSeen: seen}, time.Time{}, Presence{Status: StatusOffline, LastSeen: seen}},
		{"since", Presence{Status: StatusOffline, LastSeen: seen}, seen.Add(1), Presence{Status: StatusAvailable, LastSeen: seen.Add(1)}},
		{"before it was seen", Presence{Status: StatusOffline, LastSeen: seen}, seen.Add(-1), Presence{Status: StatusAvailable, LastSeen: seen}},
		{"needs repair", Presence{Status: StatusNeedsRepair}, seen, Presence{Status: StatusNeedsRepair}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.before.Used(tt.used)); diff != "" {
				t.Errorf("presence (-want +got):\n%s", diff)
			}
		})
	}
}

func TestForgotten(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	long, recent := now.Add(-ArchiveAfter), now.Add(-ArchiveAfter+1)
	key := KeyHash{1}
	tests := []struct {
		name   string
		device Device
		seen   time.Time
		want   bool
	}{
		{"a gateway out of sight", Device{Kind: KindGateway, Key: key, PairedAt: long}, long, true},
		{"one seen recently", Device{Kind: KindGateway, Key: key, PairedAt: long}, recent, false},
		{"one paired recently and never seen", Device{Kind: KindGateway, Key: key, PairedAt: recent}, time.Time{}, false},
		{"one that was never seen", Device{Kind: KindGateway, Key: key, PairedAt: long}, time.Time{}, true},
		{"one that refused us long ago", Device{Kind: KindGateway, Key: key, NeedsRepair: true, PairedAt: long}, long, true},
		{"a phone", Device{Kind: KindBrowser, PairedAt: long}, long, true},
		{"archived already", Device{Kind: KindBrowser, PairedAt: long, ArchivedAt: recent}, long, false},
		{"put back recently", Device{Kind: KindBrowser, PairedAt: long, RestoredAt: recent}, long, false},
		{"taken over, a gateway", Device{Kind: KindGateway, PairedAt: long}, long, false},
		{"taken over, a phone", Device{Kind: KindBrowser, NeedsRepair: true, PairedAt: long}, long, false},
		{"seen in the future", Device{Kind: KindBrowser, PairedAt: long}, now.Add(time.Hour), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.device.Forgotten(tt.seen, now); got != tt.want {
				t.Errorf("forgotten = %v, want %v", got, tt.want)
			}
		})
	}
}
