package mesh

import (
	"errors"
	"time"
)

// Sighting is where a device was last looked for, and how that went.
type Sighting struct {
	DeviceID  DeviceID
	Address   string        // host:port where it answered, or the first one tried; may be empty
	Response  time.Duration // kept to the millisecond; zero when it did not answer
	Reachable bool
	CheckedAt time.Time
}

// ErrImplausible means that the pinned device answered, with something that
// cannot be true.
var ErrImplausible = errors.New("the device's health answer can't be true")
