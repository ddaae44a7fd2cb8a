package mesh

import "time"

// Outcome is what one attempt to reach a device showed.
type Outcome int

// The outcomes of an attempt.
const (
	Unreached Outcome = iota // timeout, refusal, no route, or an unknown key at its address
	Refused                  // the pinned device itself says that our access has ended
	Reached                  // the pinned device answered
	Left                     // the pinned device itself says that it is going
)

// Sample is one attempt to reach a device, or a word from it.
type Sample struct {
	Outcome  Outcome
	Began    time.Time // when the attempt began; zero when it is no attempt of ours
	At       time.Time // when it ended
	Response time.Duration
	Health   Health // set when Reached and the attempt was a health check
	Address  string // where it answered; may be empty
}

// Presence is what we know of a device's whereabouts.
type Presence struct {
	Status   Status
	LastSeen time.Time     // zero when never
	Response time.Duration // how long its last answer took; zero when not known
	LeftAt   time.Time     // when it said that it goes, unless it was seen since
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
// device that then cannot be reached, or goes, still needs re-pairing. An answer
// to what was asked before the device said that it goes says nothing new.
func (p Presence) Next(s Sample) Presence {
	switch s.Outcome {
	case Reached:
		if !p.LeftAt.IsZero() && !s.Began.After(p.LeftAt) {
			return p
		}
		response := p.Response
		if s.Response > 0 {
			response = s.Response
		}
		return Presence{Status: StatusAvailable, LastSeen: s.At, Response: response}
	case Refused:
		return Presence{Status: StatusNeedsRepair, LastSeen: s.At, Response: p.Response}
	case Left:
		p.LastSeen, p.LeftAt = s.At, s.At
	}
	if p.Status == StatusAvailable {
		p.Status = StatusOffline
	}
	return p
}

// At is the presence as it is to be shown at a time: an answer counts for so
// long as fresh, so that a list that nobody keeps up to date, as on a machine
// that slept, does not go on calling devices Available. A time before the last
// sign of the device, by a clock that was set back, ages nothing.
func (p Presence) At(now time.Time, fresh time.Duration) Presence {
	if p.Status == StatusAvailable && now.Sub(p.LastSeen) >= fresh {
		p.Status = StatusOffline
	}
	return p
}

// Used is the presence of a device that nobody can call, by when it last used
// its access.
func (p Presence) Used(at time.Time) Presence {
	if p.Status == StatusNeedsRepair {
		return p
	}
	if at.IsZero() {
		p.Status = StatusOffline
		return p
	}
	p.Status = StatusAvailable
	if at.After(p.LastSeen) {
		p.LastSeen = at
	}
	return p
}

// ArchiveAfter is for how long a device may be out of sight before it is put out
// of the list.
const ArchiveAfter = 90 * 24 * time.Hour

// Forgotten reports whether a device that was last seen then is to be archived.
// A device that was never paired with this Salita, as one taken over from the
// earlier, stays in sight until somebody decides about it.
func (d Device) Forgotten(seen, now time.Time) bool {
	if d.Archived() || d.Key.IsZero() && (d.NeedsRepair || d.Kind == KindGateway) {
		return false
	}
	for _, at := range [...]time.Time{d.PairedAt, d.RestoredAt} {
		if at.After(seen) {
			seen = at
		}
	}
	return now.Sub(seen) >= ArchiveAfter
}
