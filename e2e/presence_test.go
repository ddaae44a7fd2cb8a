package e2e

import (
	"testing"
	"time"
)

// seldom keeps the regular checks out of these tests: what is noticed is noticed
// for another reason.
const seldom = "discovery {\n  interval = \"24h\"\n}\n"

// sees waits until the device shows so; the test's own deadline is far beyond
// what is promised, and the log says how long it took.
func (g *gateway) sees(other *gateway, status string) {
	g.t.Helper()
	begin := time.Now()
	for time.Since(begin) < 20*time.Second {
		if list := g.deviceList(); len(list) == 1 && list[0].Status == status {
			g.t.Logf("%s shows %s as %s after %v", g.name, other.name, status, time.Since(begin).Round(time.Millisecond))
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	g.t.Fatalf("%s shows %+v, want %s %s", g.name, g.deviceList(), other.name, status)
}

// TestDevicesComeAndGo: a device that stops says so, and one that starts is
// noticed because it asks.
func TestDevicesComeAndGo(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	for _, g := range []*gateway{desktop, laptop} {
		g.stop()
		g.configure(seldom)
		g.start()
	}
	pairUp(t, desktop, laptop)
	desktop.sees(laptop, "available")
	for range 3 {
		laptop.stop()
		desktop.sees(laptop, "offline")
		laptop.start()
		desktop.sees(laptop, "available")
		laptop.sees(desktop, "available")
	}
}
