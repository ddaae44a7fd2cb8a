package pairing

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// Defaults of a Policy.
const (
	DefaultWindow   = 5 * time.Minute
	DefaultAttempts = 5
)

// Policy is what the owner may configure.
type Policy struct {
	Window   time.Duration // how long a window stays open; 0: DefaultWindow
	Attempts int           // attempts at the number in all; 0: DefaultAttempts
	Grant    mesh.Grant    // what a device may do here once paired
}

// Self is what others learn of this device by pairing with it.
type Self struct {
	ID           mesh.DeviceID
	Name         string
	Hostname     string
	Port         int
	Addresses    []string // host:port, the best one first
	Capabilities []string
	Key          mesh.KeyHash
}

// Store keeps pairings, and the notes of those under way, whose secrets it
// seals.
type Store interface {
	// CompletePairing stores the pairing, in place of an earlier one with the
	// same device and all its tokens, and the note if there is one, which
	// replaces one of the same code and role: all in one transaction. It returns
	// the device as stored, which keeps the id and name it had before. A repeated
	// pairing of a device that is no longer there is sdk.NotFound.
	CompletePairing(ctx context.Context, p mesh.Pairing, record *mesh.PairingRecord) (mesh.Device, error)
	// SavePairingRecord stores or replaces a note, durably.
	SavePairingRecord(ctx context.Context, record mesh.PairingRecord) error
	// PairingRecords returns all notes of the role.
	PairingRecords(ctx context.Context, role mesh.PairingRole) ([]mesh.PairingRecord, error)
	// DeletePairingRecord forgets a note; sdk.NotFound is no failure.
	DeletePairingRecord(ctx context.Context, code string, role mesh.PairingRole) error
	// Devices returns every device.
	Devices(ctx context.Context) ([]mesh.Device, error)
}

// Tokens makes tokens for others.
type Tokens interface {
	// Issue makes a token; nothing honours it yet.
	Issue(device mesh.DeviceID, key mesh.KeyHash, grant mesh.Grant) (string, mesh.IssuedToken)
	// Publish makes a stored token valid, and every earlier one of its device
	// invalid.
	Publish(token mesh.IssuedToken)
	// Forget makes every token of a device invalid that is stored no longer.
	Forget(device mesh.DeviceID)
}

// Sessions makes sessions for browsers.
type Sessions interface {
	// Issue makes a session; nothing honours it yet. The description is what the
	// browser calls itself.
	Issue(device mesh.DeviceID, grant mesh.Grant, description string) (string, mesh.Session)
	// Publish makes a stored session valid, and every earlier one of its device
	// invalid.
	Publish(session mesh.Session)
}

// Caller calls gateways that we are not paired with.
type Caller interface {
	// Call posts in as JSON over mutual TLS with ALPN salita-peer/1 to the first
	// address that answers, and decodes the answer into out. With a pin it talks
	// to no other key. It returns the key that the other side proved, also
	// beside an error answer, which comes as an sdk.Error with the kind and
	// message that the other side sent; the key is zero when nobody was reached.
	Call(ctx context.Context, addresses []string, pin *mesh.KeyHash, path string, in, out any) (mesh.KeyHash, error)
}

// Config is what a Service needs. Self, Store, Tokens, Sessions and Caller are
// required.
type Config struct {
	Policy   Policy
	Self     func() Self // this device as it is now
	Store    Store
	Tokens   Tokens
	Sessions Sessions
	Caller   Caller
	Log      hclog.Logger     // nil: nothing is logged
	Now      func() time.Time // nil: time.Now

	// Paired hears of every device that was paired, after it was stored. It must
	// not wait for another pairing. Nil: nobody hears.
	Paired func(mesh.Device)
	// Absorbed hears the id of a device that is there no longer, because the one
	// that was repaired turned out to be it. Nil: nobody hears.
	Absorbed func(mesh.DeviceID)
	// Changed hears the code of a window or the id of a join that looks different
	// now. Nil: nobody hears.
	Changed func(id string)
}

// Service is both sides of pairing. It is safe for concurrent use. Run must run
// for joins to proceed and for those that a crash interrupted to be finished.
type Service struct {
	cfg Config

	mu      sync.Mutex // guards policy and windows, never held while storing or calling
	policy  Policy
	windows windows

	// confirming lets one pairing at a time be stored, on whichever side, so that
	// a repeated confirm or verify waits for the outcome of the first. It is taken
	// before the others.
	confirming sync.Mutex
	answers    answers
	turns      turns

	joins   joins
	pending pendings
}

// New returns a Service.
func New(cfg Config) *Service {
	if cfg.Log == nil {
		cfg.Log = hclog.NewNullLogger()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Paired == nil {
		cfg.Paired = func(mesh.Device) {}
	}
	if cfg.Absorbed == nil {
		cfg.Absorbed = func(mesh.DeviceID) {}
	}
	if cfg.Changed == nil {
		cfg.Changed = func(string) {}
	}
	s := &Service{cfg: cfg}
	s.SetPolicy(cfg.Policy)
	s.windows = newWindows()
	s.answers.byCode = make(map[string]answer)
	s.turns = make(turns)
	s.joins.byID = make(map[string]*joining)
	s.joins.start = make(chan *joining, maxJoins)
	s.pending.byCode = make(map[string]*pending)
	return s
}

// SetPolicy changes what the next window and the next token are made with; it
// may be called while the service runs. A window that is open keeps its length
// and attempts.
func (s *Service) SetPolicy(p Policy) {
	if p.Window <= 0 {
		p.Window = DefaultWindow
	}
	if p.Attempts <= 0 {
		p.Attempts = DefaultAttempts
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.policy = p
}

func (s *Service) grant() mesh.Grant {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.policy.Grant
}

// sweepEvery is how often Run ends what time has ended.
const sweepEvery = 5 * time.Second

// Run carries joins out, first those that a crash interrupted, until the
// context ends; then it waits for them to stop and returns nil. What is not
// finished by then is finished by the next Run on the same store. It fails only
// when the store cannot be read.
func (s *Service) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	if err := s.resume(ctx, &running); err != nil {
		return err
	}
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case j := <-s.joins.start:
			running.Go(func() { s.join(ctx, j) })
		case <-ticker.C:
			s.sweepWindows()
			s.sweepAnswers(ctx)
			s.sweepJoins()
		}
	}
}
