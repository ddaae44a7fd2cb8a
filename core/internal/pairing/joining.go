package pairing

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// maxJoins bounds the joins under way at once; a person makes one at a time.
const maxJoins = 16

// JoinState is how far this device has come with joining another.
type JoinState string

// The states of a join. The last two are final, but for a join whose outcome
// the other side could not tell in time: it fails for the person who waits, and
// becomes paired when the other side comes back.
const (
	JoinConnecting JoinState = "connecting" // looking for the other device
	JoinPINNeeded  JoinState = "pin_needed" // waiting for the number
	JoinProving    JoinState = "proving"    // the number is being tried
	JoinPaired     JoinState = "paired"
	JoinFailed     JoinState = "failed"
)

// JoinView is how far a join has come, for its owner's eyes.
type JoinView struct {
	ID      string
	State   JoinState
	Gateway Gateway  // once it has answered
	Device  *Device  // once paired
	Error   *Problem // why it failed, or why another number is needed
}

// Gateway is the device to be joined, as it calls itself. Nothing is proved
// about it until the join is paired.
type Gateway struct {
	Name string `json:"name"`
}

// joins are the joins under way and those over a short while ago.
type joins struct {
	mu    sync.Mutex
	byID  map[string]*joining
	start chan *joining
}

// joining is one join. Its view belongs to joins.mu, target and met to the
// goroutine that carries it out; the rest never changes.
type joining struct {
	target  target
	met     bool // the other side has answered
	started time.Time
	pins    chan string // at most one
	view    JoinView
}

// target is where to join.
type target struct {
	mode        Mode
	code        string // link mode only, as is linkingCode
	linkingCode string
	key         *mesh.KeyHash // what the link says, else what the first hello met
	addresses   []string
}

// Join begins to join the gateway that a link or an address names; the port is
// 6969 unless the address has one. It returns an id for Joining and EnterPIN at
// once. Text that is neither is sdk.Invalid, this device itself sdk.Conflict,
// too many joins sdk.RateLimited.
func (s *Service) Join(_ context.Context, where string) (string, error) {
	t, err := parseTarget(where)
	if err != nil {
		return "", sdk.Errorf(sdk.Invalid, "That's not a link or an address of a device.").Because(err)
	}
	if t.key != nil && *t.key == s.cfg.Self().Key {
		return "", mesh.PairingSelf()
	}
	j := &joining{target: t, started: s.cfg.Now(), pins: make(chan string, 1)}
	j.view = JoinView{ID: newCode(), State: JoinConnecting}

	s.joins.mu.Lock()
	defer s.joins.mu.Unlock()
	if s.joins.live() >= maxJoins {
		return "", &sdk.Error{Kind: sdk.RateLimited}
	}
	select {
	case s.joins.start <- j:
	default:
		return "", &sdk.Error{Kind: sdk.RateLimited}
	}
	s.joins.byID[j.view.ID] = j
	return j.view.ID, nil
}

// parseTarget takes a link, else an address.
func parseTarget(where string) (target, error) {
	where = strings.TrimSpace(where)
	if !strings.Contains(where, "#") {
		address, err := parseAddress(where)
		return target{mode: ModeNearby, addresses: []string{address}}, err
	}
	l, err := ParseLink(where)
	if err != nil {
		return target{}, err
	}
	return target{mode: ModeLink, code: l.Code, linkingCode: l.LinkingCode, key: &l.Key, addresses: l.Addresses}, nil
}

func (js *joins) live() int {
	n := 0
	for _, j := range js.byID {
		if !j.view.State.over() {
			n++
		}
	}
	return n
}

func (s JoinState) over() bool { return s == JoinPaired || s == JoinFailed }

// Joining says how far a join has come; one that is unknown, or was over an
// hour ago, is sdk.NotFound.
func (s *Service) Joining(id string) (JoinView, error) {
	s.joins.mu.Lock()
	defer s.joins.mu.Unlock()
	j, ok := s.joins.byID[id]
	if !ok {
		return JoinView{}, unknownJoin()
	}
	return j.view, nil
}

func unknownJoin() error { return sdk.Errorf(sdk.NotFound, mesh.WordsGone) }

// EnterPIN gives a join the number that the other device shows: six digits,
// which spaces may part. Anything else is sdk.Invalid; a join that does not wait
// for a number is sdk.Conflict.
func (s *Service) EnterPIN(id, text string) error {
	pin, err := parsePIN(text)
	if err != nil {
		return sdk.Errorf(sdk.Invalid, "Enter the six digits that the other device shows.").Because(err)
	}
	s.joins.mu.Lock()
	j, ok := s.joins.byID[id]
	waits := ok && j.view.State == JoinPINNeeded
	if waits {
		j.view.State, j.view.Error = JoinProving, nil
		j.pins <- pin // it has room: the state lets one in at a time
	}
	s.joins.mu.Unlock()
	switch {
	case !ok:
		return unknownJoin()
	case !waits:
		return &sdk.Error{Kind: sdk.Conflict}
	}
	s.cfg.Changed(id)
	return nil
}

// parsePIN never puts the number into its error.
func parsePIN(text string) (string, error) {
	pin := strings.ReplaceAll(text, " ", "")
	if len(pin) != 6 {
		return "", fmt.Errorf("number of %d characters", len(pin))
	}
	for _, c := range []byte(pin) {
		if c < '0' || c > '9' {
			return "", errors.New("number holds something other than digits")
		}
	}
	return pin, nil
}

// show changes the view of a join.
func (s *Service) show(j *joining, change func(*JoinView)) {
	s.joins.mu.Lock()
	change(&j.view)
	s.joins.mu.Unlock()
	s.cfg.Changed(j.view.ID)
}

// sweepJoins forgets joins that began over an hour ago and are over.
func (s *Service) sweepJoins() {
	now := s.cfg.Now()
	s.joins.mu.Lock()
	defer s.joins.mu.Unlock()
	for id, j := range s.joins.byID {
		if j.view.State.over() && now.Sub(j.started) >= rememberFor {
			delete(s.joins.byID, id)
		}
	}
}
