package mesh

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPresenceNext(t *testing.T) {
	seen := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	now := seen.Add(time.Hour)
	at := func(o Outcome) Sample { return Sample{Outcome: o, At: now} }
	tests := []struct {
		name   string
		before Presence
		sample Sample
		want   Presence
	}{
		{"offline, answers", Presence{StatusOffline, seen}, at(Reached), Presence{StatusAvailable, now}},
		{"offline, silent", Presence{StatusOffline, seen}, at(Unreached), Presence{StatusOffline, seen}},
		{"offline, refuses us", Presence{StatusOffline, seen}, at(Refused), Presence{StatusNeedsRepair, now}},
		{"available, silent", Presence{StatusAvailable, seen}, at(Unreached), Presence{StatusOffline, seen}},
		{"available, refuses us", Presence{StatusAvailable, seen}, at(Refused), Presence{StatusNeedsRepair, now}},
		{"needs repair, silent", Presence{StatusNeedsRepair, seen}, at(Unreached), Presence{StatusNeedsRepair, seen}},
		{"needs repair, accepts us again", Presence{StatusNeedsRepair, seen}, at(Reached), Presence{StatusAvailable, now}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.before.Next(tt.sample)); diff != "" {
				t.Errorf("presence (-want +got):\n%s", diff)
			}
		})
	}
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
