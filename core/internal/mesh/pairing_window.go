package mesh

import "time"

// PairingState is how far a pairing window has come, on the side that shows
// the number.
type PairingState string

// The states of a window. The last three are final.
const (
	PairingOpen    PairingState = "open"    // waiting for somebody to join
	PairingClaimed PairingState = "claimed" // somebody joins; the number is shown
	PairingProved  PairingState = "proved"  // the number was right; being stored
	PairingPaired  PairingState = "paired"  // stored for good
	PairingFailed  PairingState = "failed"  // too many attempts, or cancelled
	PairingExpired PairingState = "expired" // nobody finished in time
)

// Over reports whether nothing can happen to the window any more.
func (s PairingState) Over() bool {
	return s == PairingPaired || s == PairingFailed || s == PairingExpired
}

// PairingEvent is something that happens to a window.
type PairingEvent string

// The events of a window. The first four come from the joining side and carry
// its key; the rest are our own.
const (
	PairingClaim      PairingEvent = "claim"       // hello: wants to join
	PairingShare      PairingEvent = "share"       // makes an attempt at the number
	PairingConfirmOK  PairingEvent = "confirm_ok"  // proved that it knows the number
	PairingConfirmBad PairingEvent = "confirm_bad" // proved that it does not
	PairingStored     PairingEvent = "stored"      // both tokens are on disk
	PairingNotStored  PairingEvent = "not_stored"  // the disk refused; nothing is kept
	PairingTick       PairingEvent = "tick"        // time passed
	PairingCancel     PairingEvent = "cancel"      // the owner stops it
)

// PairingEffect is what the owner of a window must do after an event, in the
// order given.
type PairingEffect string

// The effects of an event.
const (
	PairingMakePIN      PairingEffect = "make_pin"      // make the number and show it
	PairingNewExchange  PairingEffect = "new_exchange"  // fresh nonces; forget any exchange before
	PairingAnswerShare  PairingEffect = "answer_share"  // run the exchange with this share
	PairingDropExchange PairingEffect = "drop_exchange" // forget the exchange and its keys
	PairingStore        PairingEffect = "store"         // store the pairing and its record, in one transaction
	PairingClose        PairingEffect = "close"         // forget the number and every secret
)

// PairingInput is one event with its circumstances.
type PairingInput struct {
	Event PairingEvent
	Key   KeyHash   // who sent it; for claim, share and the two confirms; zero: a browser
	At    time.Time // now
}

// PairingWindow is the time in which one device may join, as a pure state
// machine. The zero value is not a window; use NewPairingWindow. It is a
// value: Next returns the changed copy.
//
// A gateway joins with its key and may say hello again. A browser or script has
// no key, and whoever saw the link could be the next one to claim, so it claims
// once; each of its attempts is a share and its confirm in one.
type PairingWindow struct {
	State    PairingState
	Claimant KeyHash // the key that claimed it; zero while open and for a browser
	Attempts int     // attempts at the number so far, right and wrong
	Limit    int     // attempts allowed in all
	Expires  time.Time

	// awaits is the message that the claimant may send next besides another
	// hello: a share after a hello, a confirm after a share, nothing after a
	// wrong one. Each hello is good for one attempt, so that never two are in
	// flight. A browser, which says no hello again, may try again at once.
	awaits PairingEvent
}

// NewPairingWindow returns an open window that allows limit attempts until
// expires.
func NewPairingWindow(limit int, expires time.Time) PairingWindow {
	return PairingWindow{State: PairingOpen, Limit: limit, Expires: expires}
}

// AttemptsLeft is how many attempts at the number remain.
func (w PairingWindow) AttemptsLeft() int { return max(0, w.Limit-w.Attempts) }

// Next applies an event. On an error the event was refused with a sentence for
// people; the window and the effects count all the same, because a refusal can
// end a window.
func (w PairingWindow) Next(in PairingInput) (PairingWindow, []PairingEffect, error) {
	if w.due(in.At) {
		w, effects := w.end(PairingExpired)
		_, _, err := w.refuse(in)
		return w, effects, err
	}
	switch w.State {
	case PairingOpen:
		return w.nextOpen(in)
	case PairingClaimed:
		return w.nextClaimed(in)
	case PairingProved:
		return w.nextProved(in)
	default:
		return w.refuse(in)
	}
}

// due reports whether time ends the window now. One that is being stored is
// let finish: the number was right in time.
func (w PairingWindow) due(now time.Time) bool {
	return !w.State.Over() && w.State != PairingProved && !now.Before(w.Expires)
}

func (w PairingWindow) nextOpen(in PairingInput) (PairingWindow, []PairingEffect, error) {
	switch in.Event {
	case PairingClaim:
		w.State, w.Claimant, w.awaits = PairingClaimed, in.Key, PairingShare
		return w, []PairingEffect{PairingMakePIN, PairingNewExchange}, nil
	case PairingCancel:
		w, effects := w.end(PairingFailed)
		return w, effects, nil
	}
	return w.refuse(in)
}

func (w PairingWindow) nextClaimed(in PairingInput) (PairingWindow, []PairingEffect, error) {
	switch in.Event {
	case PairingCancel:
		w, effects := w.end(PairingFailed)
		return w, effects, nil
	case PairingClaim, PairingShare, PairingConfirmOK, PairingConfirmBad:
		if in.Key != w.Claimant {
			return w, nil, PairingBusy()
		}
	}
	switch in.Event {
	case PairingClaim:
		if w.byBrowser() {
			return w, nil, PairingBusy()
		}
		return w.claimAgain()
	case PairingShare:
		return w.attempt()
	case PairingConfirmOK, PairingConfirmBad:
		return w.confirm(in.Event)
	}
	return w.refuse(in)
}

// byBrowser reports whether a device without a key claimed the window.
func (w PairingWindow) byBrowser() bool { return w.State != PairingOpen && w.Claimant.IsZero() }

// claimAgain serves a device that tries again, after a wrong number or a crash:
// number and count stay.
func (w PairingWindow) claimAgain() (PairingWindow, []PairingEffect, error) {
	if w.AttemptsLeft() == 0 {
		w, effects := w.end(PairingFailed)
		return w, effects, PairingTooMany()
	}
	w.awaits = PairingShare
	return w, []PairingEffect{PairingNewExchange}, nil
}

// attempt counts a share before anything is computed from it: whoever drops
// the connection once the answer is known has used the attempt up.
func (w PairingWindow) attempt() (PairingWindow, []PairingEffect, error) {
	if w.awaits != PairingShare {
		return w, nil, PairingBusy()
	}
	if w.Attempts >= w.Limit {
		w, effects := w.end(PairingFailed)
		return w, effects, PairingTooMany()
	}
	w.Attempts++
	w.awaits = PairingConfirmOK
	return w, []PairingEffect{PairingAnswerShare}, nil
}

func (w PairingWindow) confirm(event PairingEvent) (PairingWindow, []PairingEffect, error) {
	if w.awaits != PairingConfirmOK {
		// A wrong confirm may be repeated when its answer was lost; the answer
		// stays what it was and costs nothing.
		return w, nil, PairingWrongPIN()
	}
	if event == PairingConfirmOK {
		w.State = PairingProved
		return w, []PairingEffect{PairingStore}, nil
	}
	if w.Attempts >= w.Limit {
		w, effects := w.end(PairingFailed)
		return w, effects, PairingTooMany()
	}
	w.awaits = ""
	if w.byBrowser() {
		w.awaits = PairingShare
	}
	return w, []PairingEffect{PairingDropExchange}, PairingWrongPIN()
}

func (w PairingWindow) nextProved(in PairingInput) (PairingWindow, []PairingEffect, error) {
	switch in.Event {
	case PairingStored:
		w, effects := w.end(PairingPaired)
		return w, effects, nil
	case PairingNotStored:
		// A browser repeats its attempt, which was right and so costs nothing: its
		// owner hears at once why. A gateway would repeat its confirm until the
		// window expires; it hears that nothing was stored, and so do both owners.
		if !w.byBrowser() {
			w, effects := w.end(PairingFailed)
			return w, effects, nil
		}
		w.State, w.awaits = PairingClaimed, PairingShare
		w.Attempts--
		return w, nil, nil
	}
	return w.refuse(in)
}

func (w PairingWindow) end(state PairingState) (PairingWindow, []PairingEffect) {
	w.State, w.awaits = state, ""
	return w, []PairingEffect{PairingClose}
}

// refuse leaves the window as it is. Our own events are ignored where they
// mean nothing; the joining side gets the answer that any stranger would get.
func (w PairingWindow) refuse(in PairingInput) (PairingWindow, []PairingEffect, error) {
	switch in.Event {
	case PairingTick, PairingCancel, PairingStored, PairingNotStored:
		return w, nil, nil
	}
	if w.State == PairingProved {
		return w, nil, pairingStoring()
	}
	if w.State == PairingFailed && in.Key == w.Claimant && w.AttemptsLeft() == 0 {
		return w, nil, PairingTooMany()
	}
	return w, nil, PairingGone()
}

// Failure is why a window ended without a pairing, in words for the owner; nil
// while it runs and after it succeeded.
func (w PairingWindow) Failure() error {
	switch {
	case w.State == PairingExpired:
		return PairingGone()
	case w.State == PairingFailed && w.AttemptsLeft() == 0:
		return PairingTooMany()
	case w.State == PairingFailed:
		return PairingStopped()
	}
	return nil
}
