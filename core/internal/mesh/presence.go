package mesh

import "time"

// Outcome is what one attempt to reach a device showed.
type Outcome int

// The outcomes of an attempt.
const (
	Unreached Outcome = iota // timeout, refusal, no route, or an unknown key at its address
	Refused                  // the pinned device itself says that our access has ended
	Reached                  // the pinned device answered
)

// Sample is one attempt to reach a device.
type Sample struct {
	Outcome Outcome
	At      time.Time
	Health  Health // set when Reached and the attempt was a health check
	Address string // where it answered; may be empty
}

// Presence is what we know of a device's whereabouts.
type Presence struct {
	Status   Status
	LastSeen time.Time
}

// PresenceOf is the presence of a device that has not been tried yet.
func PresenceOf(d Device) Presence {
	p := Presence{Status: StatusOffline, LastSeen: d.LastSeen}
	if d.NeedsRepair || (d.Kind == KindGateway && d.Key.IsZero()) {
		p.Status = StatusNeedsRepair
	}
	return p
}

// Next is the presence after a sample. Only the device's own word makes it
// "needs re-pairing", and only an accepted call or a new pairing ends that: a
// device that then cannot be reached still needs re-pairing.
func (p Presence) Next(s Sample) Presence {
	switch s.Outcome {
	case Reached:
		return Presence{Status: StatusAvailable, LastSeen: s.At}
	case Refused:
		return Presence{Status: StatusNeedsRepair, LastSeen: s.At}
	}
	if p.Status == StatusAvailable {
		p.Status = StatusOffline
	}
	return p
}
