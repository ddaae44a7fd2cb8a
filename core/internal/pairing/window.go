package pairing

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"time"

	"github.com/salita-mesh/salita/core/internal/cpace"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

const (
	// maxStarts is how many windows may be opened in one hour, whoever asks: it
	// bounds the guesses at a number to 100 an hour.
	maxStarts = 20
	// maxStrangers is how many browsers without the right link are told so in a
	// minute, wherever they come from; the rest are told to wait. What keeps
	// guessers out is the size of the link's secret; whoever has it is let in all
	// the same, or a stranger could keep the owner's phone out.
	maxStrangers = 60
	// rememberFor is how long a window or join that is over can still be asked
	// about.
	rememberFor = time.Hour
)

// Window is a freshly opened window, for its owner's eyes.
type Window struct {
	Code        string
	LinkingCode string
	Link        string
	Address     string // the best of the link's addresses
	ExpiresAt   time.Time
}

// View is how far a window has come, for its owner's eyes.
type View struct {
	Code      string
	Link      string            // only while open: a claimed code is of no more use
	State     mesh.PairingState // open, claimed, paired, expired or failed
	PIN       string            // six digits, only while claimed
	Device    *Device           // who claimed it
	ExpiresAt time.Time
	Error     *Problem // why it failed or expired, or could not be stored yet
}

// Device is the other side as people see it.
type Device struct {
	ID   mesh.DeviceID
	Name string
	Kind mesh.Kind
}

// Problem is an error to show to people.
type Problem struct {
	Code      sdk.Kind
	Message   string
	Hint      string // what to do; may be empty
	Reference string // finds the log line; "" where there is none
}

func problem(err error) *Problem {
	if err == nil {
		return nil
	}
	e := sdk.AsError(err)
	return &Problem{Code: e.Kind, Message: e.Friendly(), Hint: e.Hint}
}

// windows are the windows of this device: at most one that runs, and those
// that were over a short while ago.
type windows struct {
	current   *window
	byCode    map[string]*window
	starts    mesh.RateLimit
	strangers mesh.RateLimit
}

func newWindows() windows {
	return windows{
		byCode:    make(map[string]*window),
		starts:    mesh.RateLimit{Most: maxStarts, Per: time.Hour},
		strangers: mesh.RateLimit{Most: maxStrangers, Per: time.Minute},
	}
}

// window is one window with its secrets.
type window struct {
	link     Link
	opened   time.Time
	state    mesh.PairingWindow
	repairs  mesh.Device // the device to be paired again; zero: a new one
	pin      string
	device   *Device
	exchange *exchange // nil for a browser
	trouble  *Problem  // why it could not be stored
}

// exchange is one attempt at the number: from hello to confirm.
type exchange struct {
	session session
	share   []byte // Ya, once it came
	reply   ShareReply
	keys    *cpace.Keys
}

func (x *exchange) close() {
	if x != nil && x.keys != nil {
		x.keys.Close()
	}
}

// next applies an event and does what needs only the window itself: making and
// forgetting secrets.
func (w *window) next(event mesh.PairingEvent, key mesh.KeyHash, now time.Time) ([]mesh.PairingEffect, error) {
	state, effects, err := w.state.Next(mesh.PairingInput{Event: event, Key: key, At: now})
	w.state = state
	for _, effect := range effects {
		switch effect {
		case mesh.PairingMakePIN:
			w.pin = newPIN()
		case mesh.PairingNewExchange, mesh.PairingDropExchange:
			w.forgetExchange()
		case mesh.PairingClose:
			w.forgetExchange()
			w.pin, w.link.LinkingCode = "", ""
		}
	}
	return effects, err
}

func (w *window) forgetExchange() {
	w.exchange.close()
	w.exchange = nil
}

func (w *window) view() View {
	v := View{Code: w.link.Code, State: w.state.State, Device: w.device, ExpiresAt: w.state.Expires, Error: problem(w.state.Failure())}
	switch w.state.State {
	case mesh.PairingOpen:
		v.Link = w.link.String()
	case mesh.PairingClaimed:
		v.PIN = w.pin
	case mesh.PairingProved:
		v.State = mesh.PairingClaimed // to people it is the same
	}
	if w.trouble != nil && (v.State == mesh.PairingClaimed || v.State == mesh.PairingFailed) {
		v.Error = w.trouble
	}
	return v
}

// Start opens a window. The window before it ends, also when it was claimed:
// the owner stands at the screen, and nobody who joins uninvited may hold the
// door. More than 20 windows an hour are sdk.RateLimited.
func (s *Service) Start(_ context.Context) (Window, error) { return s.start(mesh.Device{}) }

// Repair opens a window, by the rules of Start, in which a device that is known
// is paired again: whoever joins takes its place and keeps its id, name and
// history, also with another key. A device that is not known is sdk.NotFound.
func (s *Service) Repair(ctx context.Context, id mesh.DeviceID) (Window, error) {
	devices, err := s.cfg.Store.Devices(ctx)
	if err != nil {
		return Window{}, fmt.Errorf("find device to repair: %w", err)
	}
	i := slices.IndexFunc(devices, func(d mesh.Device) bool { return d.ID == id })
	if i < 0 {
		return Window{}, sdk.Errorf(sdk.NotFound, "Device not recognized").Because(fmt.Errorf("no device %q", id))
	}
	return s.start(devices[i])
}

func (s *Service) start(repairs mesh.Device) (Window, error) {
	self := s.cfg.Self()
	link := Link{Code: newCode(), LinkingCode: newCode(), Key: self.Key, Addresses: linkAddresses(self)}
	if len(link.Addresses) == 0 {
		return Window{}, sdk.Errorf(sdk.Offline, "This device isn't connected to a network.")
	}
	expires, ok := s.open(link, repairs)
	if !ok {
		return Window{}, sdk.Errorf(sdk.RateLimited, "Too many codes were shown in the last hour. Wait a little, then try again.")
	}
	s.cfg.Log.Info("pairing window opened", "expires", expires, "repairs", repairs.ID)
	return Window{
		Code: link.Code, LinkingCode: link.LinkingCode, Link: link.String(),
		Address: link.Addresses[0], ExpiresAt: expires,
	}, nil
}

// open replaces the current window and returns when the new one expires.
func (s *Service) open(link Link, repairs mesh.Device) (time.Time, bool) {
	s.mu.Lock()
	now := s.cfg.Now()
	if !s.windows.starts.Allow(now) {
		s.mu.Unlock()
		return time.Time{}, false
	}
	before := s.windows.current
	expires := now.Add(s.policy.Window).UTC()
	w := &window{link: link, opened: now, repairs: repairs, state: mesh.NewPairingWindow(s.policy.Attempts, expires)}
	s.windows.current = w
	s.windows.byCode[link.Code] = w
	s.mu.Unlock()
	if before != nil {
		s.cancel(before)
	}
	return expires, true
}

func (s *Service) cancel(w *window) {
	s.with(w, func(now time.Time) error {
		_, err := w.next(mesh.PairingCancel, mesh.KeyHash{}, now)
		return err
	})
}

// with runs fn on a window under the lock, and tells of it when that changed
// its state.
func (s *Service) with(w *window, fn func(now time.Time) error) error {
	s.mu.Lock()
	before := w.state.State
	err := fn(s.cfg.Now())
	changed := w.state.State != before
	s.mu.Unlock()
	if changed {
		s.cfg.Changed(w.link.Code)
	}
	return err
}

// find returns the window, or nil.
func (s *Service) find(code string) *window {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.windows.byCode[code]
}

// Window says how far a window has come; one that is unknown, or was over an
// hour ago, is sdk.NotFound.
func (s *Service) Window(code string) (View, error) {
	w := s.find(code)
	if w == nil {
		return View{}, unknownWindow()
	}
	var v View
	s.with(w, func(now time.Time) error {
		w.next(mesh.PairingTick, mesh.KeyHash{}, now)
		v = w.view()
		return nil
	})
	return v, nil
}

// Cancel ends a window; one that is over already stays as it is, an unknown one
// is sdk.NotFound.
func (s *Service) Cancel(code string) error {
	w := s.find(code)
	if w == nil {
		return unknownWindow()
	}
	s.cancel(w)
	return nil
}

func unknownWindow() error { return sdk.Errorf(sdk.NotFound, mesh.WordsGone) }

// sweepWindows ends and forgets what time has ended.
func (s *Service) sweepWindows() {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.windows.byCode))
	s.mu.Unlock()
	for _, w := range all {
		s.with(w, func(now time.Time) error {
			w.next(mesh.PairingTick, mesh.KeyHash{}, now)
			if w.state.State.Over() && now.Sub(w.opened) >= rememberFor {
				delete(s.windows.byCode, w.link.Code)
			}
			return nil
		})
	}
}

// linkAddresses are the addresses that go into a link.
func linkAddresses(self Self) []string {
	addresses := keep(self.Addresses, maxLinkAddresses, checkAddress)
	if len(addresses) == 0 {
		addresses = keep([]string{fmt.Sprintf("%s:%d", self.Hostname, self.Port)}, 1, checkAddress)
	}
	return addresses
}

// sameCode compares in constant time, so that a code cannot be found byte by
// byte.
func sameCode(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// newCode returns 16 random bytes in base32.
func newCode() string {
	var b [codeBytes]byte
	rand.Read(b[:])
	return codes.EncodeToString(b[:])
}

// newPIN returns a number from 000000 to 999999, each as likely.
func newPIN() string {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		panic("pairing: " + err.Error()) // crypto/rand never fails; a guessable number must not be shown
	}
	return fmt.Sprintf("%06d", n.Int64())
}
