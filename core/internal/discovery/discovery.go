package discovery

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// retryGap is how long to wait when the sockets cannot be opened.
const retryGap = 30 * time.Second

// Options are what a Service needs. Self, Now and Log must be set.
type Options struct {
	// Self returns what to announce. It is called often and must be quick.
	Self func() Info
	// Known reports whether a device is paired with this one. Sightings of those
	// find a place whatever strangers announce. It must be quick; nil: none is.
	Known func(mesh.DeviceID) bool
	// Seen is told of a gateway that is new, changed, heard again or gone, of each
	// at most once a second. One that lost its power and is back is heard again,
	// and every one is about each 100 s. The calls come one after the other and
	// must not block; nil: nobody is told.
	Seen func(Sighting)
	// Interfaces returns the network interfaces to use; SystemInterfaces when nil.
	Interfaces func() ([]Interface, error)
	Now        func() time.Time
	Log        hclog.Logger
}

// Service announces and browses. It is safe for concurrent use.
type Service struct {
	Options

	open   func() (conn, error)                          // the sockets
	watch  func() (changed <-chan struct{}, stop func()) // the interfaces
	random func(n int) int
	nudge  chan struct{} // holds one wish to look and speak anew

	mu   sync.Mutex
	list []Sighting
}

// New returns a service that is silent, without a single socket, until Run.
func New(o Options) *Service {
	if o.Known == nil {
		o.Known = func(mesh.DeviceID) bool { return false }
	}
	if o.Seen == nil {
		o.Seen = func(Sighting) {}
	}
	if o.Interfaces == nil {
		o.Interfaces = SystemInterfaces
	}
	s := &Service{Options: o, random: rand.IntN, nudge: make(chan struct{}, 1)}
	s.open = func() (conn, error) { return openSockets(o.Log) }
	s.watch = func() (<-chan struct{}, func()) { return watchInterfaces(o.Log) }
	return s
}

// Run announces and browses until ctx ends, then says goodbye. A network that
// cannot be used is logged and tried again; Run never fails because of it.
func (s *Service) Run(ctx context.Context) error {
	for failed := false; ctx.Err() == nil; failed = true {
		c, err := s.open()
		if err == nil {
			newRound(s, c).run(ctx)
			return nil
		}
		if !failed {
			s.Log.Warn("cannot look for devices on the local network", "error", err, "retry", retryGap)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryGap):
		}
	}
	return nil
}

// Refresh looks at Self and the interfaces at once, asks who is there and
// announces this gateway anew. It is for a pairing window that was opened or
// closed, a new name, and waking from sleep; Run notices all of that by itself
// within seconds.
func (s *Service) Refresh() {
	select {
	case s.nudge <- struct{}{}:
	default:
	}
}

// Sightings returns the gateways that announce themselves right now, by id, this
// one left out.
func (s *Service) Sightings() []Sighting {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Sighting(nil), s.list...)
}

func (s *Service) show(list []Sighting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = list
}
