package mesh

import "github.com/salita-mesh/salita/sdk"

// The sentences of pairing. Both sides know them, so that the joining side
// shows only sentences it has itself and never what a stranger writes.
const (
	WordsWrongPIN = "That's not the number on the screen."
	WordsGone     = "This code has expired. Show a new one."
	WordsTooMany  = "For your safety, start again."
	WordsBusy     = "Another device is joining right now. Try again in a moment."
	WordsStopped  = "Pairing was stopped. Start again when you're ready."
	WordsSelf     = "That's this device. Choose another one."
	WordsOther    = "This code is for re-pairing another device."
	WordsUnsaved  = "The other device couldn't save the pairing."
	WordsVersion  = "The other device has a different version of Salita. Update both and try again."
)

// PairingWrongPIN means that the number was wrong and may be tried again.
func PairingWrongPIN() *sdk.Error { return words(sdk.Forbidden, WordsWrongPIN) }

// PairingGone means that there is no such window, or no longer; the two are
// not told apart.
func PairingGone() *sdk.Error { return words(sdk.Expired, WordsGone) }

// PairingTooMany means that the window ended because of wrong numbers. It has
// the kind of PairingGone: waiting does not help, only a new window does.
func PairingTooMany() *sdk.Error { return words(sdk.Expired, WordsTooMany) }

// PairingBusy means that another device has claimed the window, or that an
// attempt is still in flight.
func PairingBusy() *sdk.Error { return words(sdk.Conflict, WordsBusy) }

// PairingStopped means that the owner cancelled.
func PairingStopped() *sdk.Error { return words(sdk.Conflict, WordsStopped) }

// PairingSelf means that a device tried to pair with itself.
func PairingSelf() *sdk.Error { return words(sdk.Conflict, WordsSelf) }

// PairingOther means that the window is to repair a device that this one cannot
// be.
func PairingOther() *sdk.Error { return words(sdk.Conflict, WordsOther) }

// PairingUnsaved means that the showing side could not store the pairing, for a
// reason of this kind. Nothing of it is kept.
func PairingUnsaved(kind sdk.Kind) *sdk.Error { return words(kind, WordsUnsaved) }

// PairingUnsavedBy is PairingUnsaved for the people on the joining side: it names
// the device whose trouble it is.
func PairingUnsavedBy(name string, kind sdk.Kind) *sdk.Error {
	e := words(kind, name+" couldn't save the pairing.")
	e.Hint = "what " + name + " says about it, then pairing again."
	if kind == sdk.NoSpace {
		e.Message = name + " has no space left, so it couldn't save the pairing."
		e.Hint = "deleting something on " + name + ", then pairing again."
	}
	return e
}

// PairingVersion means that the two sides speak different protocols.
func PairingVersion() *sdk.Error { return words(sdk.Unsupported, WordsVersion) }

// pairingStoring asks to come back: the outcome is not known yet. Its kind is
// one that the joining side never takes for a final answer.
func pairingStoring() *sdk.Error { return &sdk.Error{Kind: sdk.RateLimited} }

func words(kind sdk.Kind, message string) *sdk.Error {
	return &sdk.Error{Kind: kind, Message: message}
}
