package mesh

import (
	"crypto/rand"
	"time"
)

// DeviceID names a device for good. A gateway's is derived from its key; a
// browser's is random; a device of the earlier Salita keeps the UUID it had.
type DeviceID string

// NewDeviceID returns a random id for a device without a key.
func NewDeviceID() DeviceID { return DeviceID(newID()) }

func newID() string {
	var b [deviceIDBytes]byte
	rand.Read(b[:])
	return base32Lower.EncodeToString(b[:])
}

// Kind says what sort of device it is; it chooses the icon, never a right.
type Kind string

// The kinds of device.
const (
	KindGateway Kind = "gateway" // runs Salita and can do things for others
	KindBrowser Kind = "browser" // a phone or computer that joined by its browser
	KindScript  Kind = "script"  // a program of the owner's that holds a token
)

// Status is how a device is right now, as shown to people.
type Status string

// The three states of a device.
const (
	StatusAvailable   Status = "available"
	StatusOffline     Status = "offline"
	StatusNeedsRepair Status = "needs_repair"
)

// Device is another member of My Devices.
type Device struct {
	ID           DeviceID
	Name         string
	Kind         Kind
	Hostname     string
	Key          KeyHash  // zero for devices without one
	Addresses    []string // host:port, the last good one first; gateways only
	Capabilities []string // capability ids it last said it had
	Metadata     map[string]string
	NeedsRepair  bool // the pinned device itself refused our token
	PairedAt     time.Time
	LastSeen     time.Time // zero when never
	ArchivedAt   time.Time // when it was put out of the list; zero when it is in it
	RestoredAt   time.Time // when it was last put back; zero when never
}

// Reachable reports whether the device is one we can call: a gateway whose key
// we know.
func (d Device) Reachable() bool { return d.Kind == KindGateway && !d.Key.IsZero() }

// Archived reports whether the device is kept out of the list.
func (d Device) Archived() bool { return !d.ArchivedAt.IsZero() }

// Can reports whether the device last said it has the capability.
func (d Device) Can(capability string) bool {
	for _, c := range d.Capabilities {
		if c == capability {
			return true
		}
	}
	return false
}

// Health is what a gateway answers about itself.
type Health struct {
	DeviceID     DeviceID
	Name         string
	Version      string
	Capabilities []string
	Metadata     map[string]string
}
