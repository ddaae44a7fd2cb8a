package mesh

import "time"

// Pairing is everything that one successful pairing leaves behind on one side.
// It is stored whole or not at all.
type Pairing struct {
	Device   Device
	Issued   IssuedToken // what the other side may use with us
	Peer     *PeerToken  // what we may use with the other side; nil for browsers
	Session  *Session    // the browser that is signed in by it; nil for gateways
	Replaces DeviceID    // the device that this pairing repairs; "" for a new one
	Repeated bool        // stored once before; nothing is stored when the device was removed since
}

// PairingRecord is the durable note of a pairing that one side has begun to
// commit, so that a crash between the two commits leaves no half pairing: the
// joining side repeats its last message until it hears the outcome, and the
// showing side keeps its last answer for that.
type PairingRecord struct {
	Code    string // the window's code
	Role    PairingRole
	Secret  []byte // role-specific, encoded by the pairing room; sealed at rest
	Expires time.Time
}

// PairingRole is which side of a pairing this is.
type PairingRole string

// The two sides: S shows the number, J types it.
const (
	RoleShowing PairingRole = "showing"
	RoleJoining PairingRole = "joining"
)
