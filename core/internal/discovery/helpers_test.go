package discovery

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

func testID(n int) mesh.DeviceID { return mesh.KeyHash{byte(n), byte(n >> 8), 1}.DeviceID() }

// testInfo is what gateway n announces.
func testInfo(n int) Info {
	id := testID(n)
	return Info{ID: id, Host: "salita-" + string(id[:8]) + ".local", Port: uint16(7000 + n), Name: fmt.Sprintf("Device %d", n)}
}

// start is when time begins in tests of pure functions.
var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func never(int) int { return 0 } // no jitter

// sent is a packet with the time since start at which it was sent.
type sent struct {
	after time.Duration
	outgoing
}

// machine is a responder, or a browser.
type machine interface {
	due() time.Time
	tick(now time.Time) []outgoing
}

// play lets time pass and returns what was sent meanwhile.
func play(t *testing.T, m machine, from, until time.Duration) []sent {
	t.Helper()
	var all []sent
	now := start.Add(from)
	for range 10_000 {
		due := m.due()
		if due.IsZero() || due.After(start.Add(until)) {
			return all
		}
		if due.After(now) {
			now = due
		}
		for _, o := range m.tick(now) {
			all = append(all, sent{now.Sub(start), o})
		}
	}
	t.Fatalf("there is no end to it: %v after the start it is still due", now.Sub(start))
	return nil
}

func times(list []sent) []time.Duration {
	var out []time.Duration
	for _, s := range list {
		out = append(out, s.after)
	}
	return out
}

// remote is the sender of a packet from another machine.
func remote(address string) sender {
	return sender{address: netip.MustParseAddrPort(address), ownAddress: func(netip.Addr) bool { return false }}
}

var someone = remote("10.7.0.9:5353")
