package mesh_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

var (
	opened  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	joiner  = mesh.KeyHash{1}
	another = mesh.KeyHash{2}
	browser = mesh.KeyHash{} // it has none
)

const (
	windowLength = 5 * time.Minute
	allAttempts  = 5
)

// step is one event at the window and everything it must lead to.
type step struct {
	event   mesh.PairingEvent
	by      mesh.KeyHash
	after   time.Duration // since the window opened
	state   mesh.PairingState
	left    int // attempts left afterwards
	effects []mesh.PairingEffect
	words   string // of the refusal; "" when accepted
}

func effects(e ...mesh.PairingEffect) []mesh.PairingEffect { return e }

// The pieces that most stories share.
var (
	claim = step{mesh.PairingClaim, joiner, 0, mesh.PairingClaimed, 5, effects(mesh.PairingMakePIN, mesh.PairingNewExchange), ""}
	share = step{mesh.PairingShare, joiner, 0, mesh.PairingClaimed, 4, effects(mesh.PairingAnswerShare), ""}
	right = step{mesh.PairingConfirmOK, joiner, 0, mesh.PairingProved, 4, effects(mesh.PairingStore), ""}
	store = step{mesh.PairingStored, mesh.KeyHash{}, 0, mesh.PairingPaired, 4, effects(mesh.PairingClose), ""}
)

// wrongAttempts is a hello, a share and a wrong confirm, from attempt number
// first to last; the claim must have been made already.
func wrongAttempts(first, last int) []step {
	var steps []step
	for n := first; n <= last; n++ {
		left := allAttempts - n
		if n > 1 {
			steps = append(steps, step{mesh.PairingClaim, joiner, 0, mesh.PairingClaimed, left + 1, effects(mesh.PairingNewExchange), ""})
		}
		steps = append(steps, step{mesh.PairingShare, joiner, 0, mesh.PairingClaimed, left, effects(mesh.PairingAnswerShare), ""})
		if n < allAttempts {
			steps = append(steps, step{mesh.PairingConfirmBad, joiner, 0, mesh.PairingClaimed, left, effects(mesh.PairingDropExchange), mesh.WordsWrongPIN})
		} else {
			steps = append(steps, step{mesh.PairingConfirmBad, joiner, 0, mesh.PairingFailed, 0, effects(mesh.PairingClose), mesh.WordsTooMany})
		}
	}
	return steps
}

// by tells the same story of another device.
func by(key mesh.KeyHash, steps ...step) []step {
	told := slices.Clone(steps)
	for i := range told {
		told[i].by = key
	}
	return told
}

// wrongTries are a browser's wrong numbers, from attempt first to last; the
// claim must have been made already.
func wrongTries(first, last int) []step {
	return slices.DeleteFunc(by(browser, wrongAttempts(first, last)...), func(s step) bool { return s.event == mesh.PairingClaim })
}

func story(parts ...any) []step {
	var all []step
	for _, part := range parts {
		switch part := part.(type) {
		case step:
			all = append(all, part)
		case []step:
			all = append(all, part...)
		}
	}
	return all
}

// TestPairingWindow is the specification of the showing side.
func TestPairingWindow(t *testing.T) {
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"the number is right the first time", story(claim, share, right, store)},
		{"the number is wrong, then right", story(claim, wrongAttempts(1, 1),
			step{mesh.PairingClaim, joiner, 0, mesh.PairingClaimed, 4, effects(mesh.PairingNewExchange), ""},
			step{mesh.PairingShare, joiner, 0, mesh.PairingClaimed, 3, effects(mesh.PairingAnswerShare), ""},
			step{mesh.PairingConfirmOK, joiner, 0, mesh.PairingProved, 3, effects(mesh.PairingStore), ""},
			step{mesh.PairingStored, joiner, 0, mesh.PairingPaired, 3, effects(mesh.PairingClose), ""},
		)},
		{"the fifth attempt may be the right one", story(claim, wrongAttempts(1, 4),
			step{mesh.PairingClaim, joiner, 0, mesh.PairingClaimed, 1, effects(mesh.PairingNewExchange), ""},
			step{mesh.PairingShare, joiner, 0, mesh.PairingClaimed, 0, effects(mesh.PairingAnswerShare), ""},
			step{mesh.PairingConfirmOK, joiner, 0, mesh.PairingProved, 0, effects(mesh.PairingStore), ""},
			step{mesh.PairingStored, joiner, 0, mesh.PairingPaired, 0, effects(mesh.PairingClose), ""},
		)},
		{"five wrong numbers end it, and a sixth attempt is refused", story(claim, wrongAttempts(1, 5),
			step{mesh.PairingClaim, joiner, 0, mesh.PairingFailed, 0, nil, mesh.WordsTooMany},
			step{mesh.PairingShare, joiner, 0, mesh.PairingFailed, 0, nil, mesh.WordsTooMany},
			step{mesh.PairingConfirmOK, joiner, 0, mesh.PairingFailed, 0, nil, mesh.WordsTooMany},
			step{mesh.PairingClaim, another, 0, mesh.PairingFailed, 0, nil, mesh.WordsGone},
		)},
		{"five shares without a confirm count just the same", story(claim,
			share,
			step{mesh.PairingClaim, joiner, 0, mesh.PairingClaimed, 4, effects(mesh.PairingNewExchange), ""},
			step{mesh.PairingShare, joiner, 0, mesh.PairingClaimed, 3, effects(mesh.PairingAnswerShare), ""},
			step{mesh.PairingClaim, joiner, 0, mesh.PairingClaimed, 3, effects(mesh.PairingNewExchange), ""},
			step{mesh.PairingShare, joiner, 0, mesh.PairingClaimed, 2, effects(mesh.PairingAnswerShare), ""},
			step{mesh.PairingClaim, joiner, 0, mesh.PairingClaimed, 2, effects(mesh.PairingNewExchange), ""},
			step{mesh.PairingShare, joiner, 0, mesh.PairingClaimed, 1, effects(mesh.PairingAnswerShare), ""},
			step{mesh.PairingClaim, joiner, 0, mesh.PairingClaimed, 1, effects(mesh.PairingNewExchange), ""},
			step{mesh.PairingShare, joiner, 0, mesh.PairingClaimed, 0, effects(mesh.PairingAnswerShare), ""},
			step{mesh.PairingClaim, joiner, 0, mesh.PairingFailed, 0, effects(mesh.PairingClose), mesh.WordsTooMany},
			step{mesh.PairingShare, joiner, 0, mesh.PairingFailed, 0, nil, mesh.WordsTooMany},
		)},
		{"only one attempt is in flight", story(claim, share,
			step{mesh.PairingShare, joiner, 0, mesh.PairingClaimed, 4, nil, mesh.WordsBusy},
			right, store,
		)},
		{"a second device is refused and changes nothing", story(claim,
			step{mesh.PairingClaim, another, 0, mesh.PairingClaimed, 5, nil, mesh.WordsBusy},
			step{mesh.PairingShare, another, 0, mesh.PairingClaimed, 5, nil, mesh.WordsBusy},
			share,
			step{mesh.PairingConfirmOK, another, 0, mesh.PairingClaimed, 4, nil, mesh.WordsBusy},
			step{mesh.PairingConfirmBad, another, 0, mesh.PairingClaimed, 4, nil, mesh.WordsBusy},
			right, store,
		)},
		{"a repeated hello keeps the number and the count", story(claim,
			step{mesh.PairingClaim, joiner, 0, mesh.PairingClaimed, 5, effects(mesh.PairingNewExchange), ""},
			share,
			step{mesh.PairingClaim, joiner, 0, mesh.PairingClaimed, 4, effects(mesh.PairingNewExchange), ""},
			step{mesh.PairingConfirmOK, joiner, 0, mesh.PairingClaimed, 4, nil, mesh.WordsWrongPIN},
		)},
		{"a wrong confirm may be repeated and costs nothing more", story(claim, wrongAttempts(1, 1),
			step{mesh.PairingConfirmBad, joiner, 0, mesh.PairingClaimed, 4, nil, mesh.WordsWrongPIN},
			step{mesh.PairingConfirmOK, joiner, 0, mesh.PairingClaimed, 4, nil, mesh.WordsWrongPIN},
		)},
		{"nothing works before a hello", story(
			step{mesh.PairingShare, joiner, 0, mesh.PairingOpen, 5, nil, mesh.WordsGone},
			step{mesh.PairingConfirmOK, joiner, 0, mesh.PairingOpen, 5, nil, mesh.WordsGone},
			step{mesh.PairingStored, joiner, 0, mesh.PairingOpen, 5, nil, ""},
			claim, share, right, store,
		)},
		{"a confirm needs a share first", story(claim,
			step{mesh.PairingConfirmOK, joiner, 0, mesh.PairingClaimed, 5, nil, mesh.WordsWrongPIN},
			share, right, store,
		)},
		{"an open window expires", story(
			step{mesh.PairingTick, mesh.KeyHash{}, windowLength - 1, mesh.PairingOpen, 5, nil, ""},
			step{mesh.PairingTick, mesh.KeyHash{}, windowLength, mesh.PairingExpired, 5, effects(mesh.PairingClose), ""},
			step{mesh.PairingClaim, joiner, windowLength, mesh.PairingExpired, 5, nil, mesh.WordsGone},
		)},
		{"a late hello finds nothing, even before the tick", story(
			step{mesh.PairingClaim, joiner, windowLength, mesh.PairingExpired, 5, effects(mesh.PairingClose), mesh.WordsGone},
		)},
		{"a claimed window expires between share and confirm", story(claim, share,
			step{mesh.PairingConfirmOK, joiner, windowLength, mesh.PairingExpired, 4, effects(mesh.PairingClose), mesh.WordsGone},
		)},
		{"time does not end what is being stored", story(claim, share, right,
			step{mesh.PairingTick, mesh.KeyHash{}, windowLength, mesh.PairingProved, 4, nil, ""},
			step{mesh.PairingStored, mesh.KeyHash{}, 2 * windowLength, mesh.PairingPaired, 4, effects(mesh.PairingClose), ""},
		)},
		{"what cannot be stored ends the window", story(claim, share, right,
			step{mesh.PairingNotStored, mesh.KeyHash{}, 0, mesh.PairingFailed, 4, effects(mesh.PairingClose), ""},
			step{mesh.PairingConfirmOK, joiner, 0, mesh.PairingFailed, 4, nil, mesh.WordsGone},
		)},
		{"nobody is heard while storing, and nobody is told it failed", story(claim, share, right,
			step{mesh.PairingConfirmOK, joiner, 0, mesh.PairingProved, 4, nil, sdk.RateLimited.Message()},
			step{mesh.PairingClaim, joiner, 0, mesh.PairingProved, 4, nil, sdk.RateLimited.Message()},
			step{mesh.PairingClaim, another, 0, mesh.PairingProved, 4, nil, sdk.RateLimited.Message()},
			step{mesh.PairingCancel, mesh.KeyHash{}, 0, mesh.PairingProved, 4, nil, ""},
			store,
		)},
		{"the owner cancels an open window", story(
			step{mesh.PairingCancel, mesh.KeyHash{}, 0, mesh.PairingFailed, 5, effects(mesh.PairingClose), ""},
			step{mesh.PairingClaim, joiner, 0, mesh.PairingFailed, 5, nil, mesh.WordsGone},
		)},
		{"the owner cancels a claimed window", story(claim, share,
			step{mesh.PairingCancel, mesh.KeyHash{}, 0, mesh.PairingFailed, 4, effects(mesh.PairingClose), ""},
			step{mesh.PairingConfirmOK, joiner, 0, mesh.PairingFailed, 4, nil, mesh.WordsGone},
		)},
		{"a finished pairing hears nothing more", story(claim, share, right, store,
			step{mesh.PairingTick, mesh.KeyHash{}, 2 * windowLength, mesh.PairingPaired, 4, nil, ""},
			step{mesh.PairingCancel, mesh.KeyHash{}, 0, mesh.PairingPaired, 4, nil, ""},
			step{mesh.PairingClaim, joiner, 0, mesh.PairingPaired, 4, nil, mesh.WordsGone},
			step{mesh.PairingShare, joiner, 0, mesh.PairingPaired, 4, nil, mesh.WordsGone},
			step{mesh.PairingConfirmOK, joiner, 0, mesh.PairingPaired, 4, nil, mesh.WordsGone},
		)},
		{"a browser's number is right the first time", by(browser, claim, share, right, store)},
		{"a browser needs no second hello after a wrong number", story(by(browser, claim), wrongTries(1, 4),
			step{mesh.PairingShare, browser, 0, mesh.PairingClaimed, 0, effects(mesh.PairingAnswerShare), ""},
			step{mesh.PairingConfirmOK, browser, 0, mesh.PairingProved, 0, effects(mesh.PairingStore), ""},
			step{mesh.PairingStored, browser, 0, mesh.PairingPaired, 0, effects(mesh.PairingClose), ""},
		)},
		{"a browser's five wrong numbers end it", story(by(browser, claim), wrongTries(1, 5),
			step{mesh.PairingShare, browser, 0, mesh.PairingFailed, 0, nil, mesh.WordsTooMany},
			step{mesh.PairingClaim, joiner, 0, mesh.PairingFailed, 0, nil, mesh.WordsGone},
		)},
		{"a browser claims once", story(by(browser, claim),
			step{mesh.PairingClaim, browser, 0, mesh.PairingClaimed, 5, nil, mesh.WordsBusy},
			by(browser, share),
			step{mesh.PairingClaim, browser, 0, mesh.PairingClaimed, 4, nil, mesh.WordsBusy},
			by(browser, right, store),
			step{mesh.PairingClaim, browser, 0, mesh.PairingPaired, 4, nil, mesh.WordsGone},
		)},
		{"a gateway cannot take a browser's window", story(by(browser, claim),
			step{mesh.PairingClaim, joiner, 0, mesh.PairingClaimed, 5, nil, mesh.WordsBusy},
			step{mesh.PairingShare, joiner, 0, mesh.PairingClaimed, 5, nil, mesh.WordsBusy},
			by(browser, share),
			step{mesh.PairingConfirmOK, joiner, 0, mesh.PairingClaimed, 4, nil, mesh.WordsBusy},
			by(browser, right, store),
		)},
		{"a browser cannot take a gateway's window", story(claim,
			step{mesh.PairingClaim, browser, 0, mesh.PairingClaimed, 5, nil, mesh.WordsBusy},
			step{mesh.PairingShare, browser, 0, mesh.PairingClaimed, 5, nil, mesh.WordsBusy},
			share,
			step{mesh.PairingConfirmOK, browser, 0, mesh.PairingClaimed, 4, nil, mesh.WordsBusy},
			right, store,
		)},
		{"a browser's number means nothing before its claim", story(
			step{mesh.PairingShare, browser, 0, mesh.PairingOpen, 5, nil, mesh.WordsGone},
			step{mesh.PairingConfirmOK, browser, 0, mesh.PairingOpen, 5, nil, mesh.WordsGone},
			claim, share, right, store,
		)},
		{"a browser repeats what could not be stored, at no cost", story(by(browser, claim), wrongTries(1, 4),
			step{mesh.PairingShare, browser, 0, mesh.PairingClaimed, 0, effects(mesh.PairingAnswerShare), ""},
			step{mesh.PairingConfirmOK, browser, 0, mesh.PairingProved, 0, effects(mesh.PairingStore), ""},
			step{mesh.PairingNotStored, browser, 0, mesh.PairingClaimed, 1, nil, ""},
			step{mesh.PairingShare, browser, 0, mesh.PairingClaimed, 0, effects(mesh.PairingAnswerShare), ""},
			step{mesh.PairingConfirmOK, browser, 0, mesh.PairingProved, 0, effects(mesh.PairingStore), ""},
			step{mesh.PairingStored, browser, 0, mesh.PairingPaired, 0, effects(mesh.PairingClose), ""},
		)},
		{"a browser's window expires", story(by(browser, claim),
			step{mesh.PairingShare, browser, windowLength, mesh.PairingExpired, 5, effects(mesh.PairingClose), mesh.WordsGone},
		)},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := mesh.NewPairingWindow(allAttempts, opened.Add(windowLength))
			for i, s := range c.steps {
				var got []mesh.PairingEffect
				var err error
				w, got, err = w.Next(mesh.PairingInput{Event: s.event, Key: s.by, At: opened.Add(s.after)})
				if w.State != s.state || w.AttemptsLeft() != s.left {
					t.Errorf("step %d, %s: %s with %d attempts left, want %s with %d", i+1, s.event, w.State, w.AttemptsLeft(), s.state, s.left)
				}
				if diff := cmp.Diff(s.effects, got); diff != "" {
					t.Errorf("step %d, %s: effects differ (-want +got):\n%s", i+1, s.event, diff)
				}
				if words := said(err); words != s.words {
					t.Errorf("step %d, %s: said %q, want %q", i+1, s.event, words, s.words)
				}
			}
		})
	}
}

func TestNoAttemptsAllowed(t *testing.T) {
	w := mesh.NewPairingWindow(0, opened.Add(windowLength))
	w, _, _ = w.Next(mesh.PairingInput{Event: mesh.PairingClaim, Key: joiner, At: opened})
	w, _, err := w.Next(mesh.PairingInput{Event: mesh.PairingShare, Key: joiner, At: opened})
	if w.State != mesh.PairingFailed || said(err) != mesh.WordsTooMany {
		t.Errorf("state %s, %v; want failed", w.State, err)
	}
}

func said(err error) string {
	var e *sdk.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Friendly()
}

func TestPairingFailure(t *testing.T) {
	gone := mesh.NewPairingWindow(allAttempts, opened)
	expired, _, _ := gone.Next(mesh.PairingInput{Event: mesh.PairingTick, At: opened})
	open := mesh.NewPairingWindow(allAttempts, opened.Add(windowLength))
	cancelled, _, _ := open.Next(mesh.PairingInput{Event: mesh.PairingCancel, At: opened})
	failed := open
	for _, s := range story(claim, wrongAttempts(1, 5)) {
		failed, _, _ = failed.Next(mesh.PairingInput{Event: s.event, Key: s.by, At: opened})
	}
	paired := open
	for _, s := range story(claim, share, right, store) {
		paired, _, _ = paired.Next(mesh.PairingInput{Event: s.event, Key: s.by, At: opened})
	}
	for name, c := range map[string]struct {
		w    mesh.PairingWindow
		want string
	}{
		"open": {open, ""}, "paired": {paired, ""},
		"expired":   {expired, mesh.WordsGone},
		"cancelled": {cancelled, mesh.WordsStopped},
		"failed":    {failed, mesh.WordsTooMany},
	} {
		if got := said(c.w.Failure()); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// FuzzPairingWindow drives a window with any events in any order and checks
// what must hold whatever happens.
func FuzzPairingWindow(f *testing.F) {
	f.Add([]byte{0, 1, 2, 4})
	f.Add([]byte{0, 1, 3, 0, 1, 3, 0, 1, 3, 0, 1, 3, 0, 1, 3, 0, 1, 2})
	f.Add([]byte{0, 1, 2, 5, 2, 4, 0x20, 0x21})
	f.Add([]byte{0x40, 0x40, 0x41, 0x43, 0x41, 0x42, 5, 0x41, 0x42, 4})
	f.Add([]byte{0x40, 0x41, 0x42, 5, 0x41, 0x42, 5, 0x41, 0x42, 5, 0x41, 0x42, 5, 0x41, 0x42, 5, 0x41, 0x42, 5})
	events := []mesh.PairingEvent{
		mesh.PairingClaim, mesh.PairingShare, mesh.PairingConfirmOK, mesh.PairingConfirmBad,
		mesh.PairingStored, mesh.PairingNotStored, mesh.PairingTick, mesh.PairingCancel,
	}
	f.Fuzz(func(t *testing.T, moves []byte) {
		w := mesh.NewPairingWindow(allAttempts, opened.Add(windowLength))
		count := map[mesh.PairingEffect]int{}
		forgiven := 0 // attempts that were right, and could not be stored
		now := opened
		for _, move := range moves {
			key := [...]mesh.KeyHash{joiner, another, browser, browser}[move>>5&3]
			if move&0x80 != 0 {
				now = now.Add(time.Minute)
			}
			before := w
			var done []mesh.PairingEffect
			var err error
			w, done, err = w.Next(mesh.PairingInput{Event: events[int(move&0x1f)%len(events)], Key: key, At: now})
			for _, effect := range done {
				count[effect]++
				if effect == mesh.PairingStore && (err != nil || w.State != mesh.PairingProved) {
					t.Fatalf("stores in state %s with error %v", w.State, err)
				}
			}
			if before.State == mesh.PairingProved && w.Attempts < before.Attempts {
				forgiven++
			}
			if w.Attempts < 0 || w.Attempts < before.Attempts && before.State != mesh.PairingProved {
				t.Fatalf("%d attempts became %d in state %s", before.Attempts, w.Attempts, before.State)
			}
			if before.State.Over() && (w != before || len(done) > 0) {
				t.Fatalf("a window in state %s changed", before.State)
			}
			if before.State != mesh.PairingOpen && w.Claimant != before.Claimant {
				t.Fatal("the claimant changed")
			}
		}
		switch {
		case count[mesh.PairingMakePIN] > 1:
			t.Fatal("the number changed")
		case count[mesh.PairingAnswerShare]-forgiven > allAttempts:
			t.Fatalf("%d attempts were answered", count[mesh.PairingAnswerShare])
		case count[mesh.PairingStore] > 0 && count[mesh.PairingAnswerShare] == 0:
			t.Fatal("stored without an attempt")
		case w.State.Over() != (count[mesh.PairingClose] == 1):
			t.Fatalf("state %s after %d closings", w.State, count[mesh.PairingClose])
		}
	})
}
