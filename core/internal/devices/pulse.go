package devices

import (
	"net"
	"slices"
	"strings"
	"time"
)

// jump is by how much the two clocks may drift apart between two beats. A
// machine that sleeps stops the one and not the other.
const jump = 5 * time.Second

// reading is what is known of this machine at one beat.
type reading struct {
	wall    time.Time     // what the clock shows
	mono    time.Duration // how long it ran
	network string
}

// compare says why devices should be looked for anew, or "".
func (r reading) compare(now reading) string {
	switch drift := now.wall.Sub(r.wall) - (now.mono - r.mono); {
	case drift >= jump:
		return "this machine slept or its clock was set"
	case now.mono-r.mono >= beat+2*jump: // where the running clock counts sleep
		return "this machine slept"
	case now.network != r.network && now.network != "":
		return "the network changed"
	}
	return ""
}

// interfaceAddresses names the network by this machine's own addresses; "" when
// it has none that others can reach, or they cannot be read.
func interfaceAddresses() string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	var own []string
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() {
			own = append(own, ip.String())
		}
	}
	slices.Sort(own)
	return strings.Join(own, " ")
}
