package sdk

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Kind says what sort of failure an error is. Its text is the "code" of every
// error answer.
type Kind string

// The kinds of failure, each with one HTTP status and one exit code.
const (
	Invalid           Kind = "invalid"            // the request itself is wrong
	SignIn            Kind = "sign_in"            // nobody is signed in
	NeedsRepair       Kind = "needs_repair"       // the device's access has ended
	Forbidden         Kind = "forbidden"          // known, but not permitted
	NotFound          Kind = "not_found"          // no such thing
	Conflict          Kind = "conflict"           // already so, or taken
	Expired           Kind = "expired"            // was valid once
	TooLarge          Kind = "too_large"          // over a limit
	RateLimited       Kind = "rate_limited"       // too often
	Offline           Kind = "offline"            // the device cannot be reached
	Unsupported       Kind = "unsupported"        // understood, but not done here
	PluginUnavailable Kind = "plugin_unavailable" // the plugin is not running now
	NoSpace           Kind = "no_space"           // the disk is full
	Internal          Kind = "internal"           // anything unforeseen
)

type kindRow struct {
	status  int
	exit    int
	message string
}

// kinds is total: a test walks every Kind through it.
var kinds = map[Kind]kindRow{
	Invalid:           {http.StatusBadRequest, 1, "That request can't be understood."},
	SignIn:            {http.StatusUnauthorized, 6, "Couldn't connect to device"},
	NeedsRepair:       {http.StatusUnauthorized, 5, "Device needs re-pairing"},
	Forbidden:         {http.StatusForbidden, 6, "This device can't do that."},
	NotFound:          {http.StatusNotFound, 1, "That isn't here."},
	Conflict:          {http.StatusConflict, 6, "That can't be done right now."},
	Expired:           {http.StatusGone, 6, "This code has expired. Show a new one."},
	TooLarge:          {http.StatusRequestEntityTooLarge, 1, "That is too large."},
	RateLimited:       {http.StatusTooManyRequests, 6, "Too many tries. Wait a moment."},
	Offline:           {http.StatusServiceUnavailable, 4, "The device is offline. Make sure it's on and on the same network."},
	Unsupported:       {http.StatusUnsupportedMediaType, 1, "This device doesn't understand that."},
	PluginUnavailable: {http.StatusServiceUnavailable, 1, "That part of Salita is restarting. Try again in a moment."},
	NoSpace:           {http.StatusInsufficientStorage, 1, "There isn't enough space."},
	Internal:          {http.StatusInternalServerError, 1, "Something went wrong"},
}

// Kinds lists every kind.
func Kinds() []Kind {
	return []Kind{
		Invalid, SignIn, NeedsRepair, Forbidden, NotFound, Conflict, Expired,
		TooLarge, RateLimited, Offline, Unsupported, PluginUnavailable, NoSpace, Internal,
	}
}

// HTTPStatus is the status of an answer of this kind; 500 for an unknown kind.
func (k Kind) HTTPStatus() int { return k.row().status }

// ExitCode is what a command ends with on such a failure.
func (k Kind) ExitCode() int { return k.row().exit }

// Message is the plain sentence used when an error brings none of its own.
func (k Kind) Message() string { return k.row().message }

// known reports whether the kind is one of Kinds.
func (k Kind) known() bool {
	_, ok := kinds[k]
	return ok
}

func (k Kind) row() kindRow {
	if row, ok := kinds[k]; ok {
		return row
	}
	return kinds[Internal]
}

// Error is a failure with two audiences: Message and Hint are for people and
// may be shown to anyone; Cause is technical and goes to the log alone.
type Error struct {
	Kind    Kind   // decides the status and the code
	Message string // one plain sentence; empty: the kind's own
	Hint    string // what to do next; may be empty
	Status  int    // HTTP status when it differs from the kind's; 0: the kind's
	Cause   error  // never serialised

	RetryAfter time.Duration // when trying again may help; 0: not known
}

// Errorf returns an error of the kind with a sentence for people. The sentence
// must hold nothing technical or secret.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Because returns a copy of the error with its technical cause.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.Cause = cause
	return &c
}

// Error is the technical text, for logs.
func (e *Error) Error() string {
	if e.Cause == nil {
		return fmt.Sprintf("%s: %s", e.Kind, e.Friendly())
	}
	return fmt.Sprintf("%s: %s: %v", e.Kind, e.Friendly(), e.Cause)
}

// Friendly is the sentence for people.
func (e *Error) Friendly() string {
	if e.Message != "" {
		return e.Message
	}
	return e.Kind.Message()
}

// HTTPStatus is the status to answer with.
func (e *Error) HTTPStatus() int {
	if e.Status != 0 {
		return e.Status
	}
	return e.Kind.HTTPStatus()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// AsError finds the Error in err's chain. Anything else is Internal, with err
// as its cause, so that an unforeseen text never reaches a person. It returns
// nil for nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: Internal, Cause: err}
}

// KindOf is the kind of the error; "" for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	return AsError(err).Kind
}
