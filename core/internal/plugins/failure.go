package plugins

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/control"
)

// permanentError marks a failure that would repeat itself until the program or
// its configuration changes.
type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

func permanent(err error) error { return permanentError{err} }

func isPermanent(err error) bool {
	var p permanentError
	return errors.As(err, &p)
}

// exitError is a process that ended by itself.
type exitError struct {
	state string   // "exit status 1", "signal: killed"
	last  []string // the last lines it wrote
}

// Error gives the state and the last lines.
func (e *exitError) Error() string {
	if len(e.last) == 0 {
		return "process ended: " + e.state
	}
	return fmt.Sprintf("process ended: %s; its last lines: %s", e.state, strings.Join(e.last, " / "))
}

func isCrash(err error) bool {
	var e *exitError
	return errors.As(err, &e)
}

// errSocketGone means that nobody listens any more where the plugin served HTTP.
var errSocketGone = errors.New("the plugin's http socket is gone")

// errNoAnswer is a health check without an answer in time.
var errNoAnswer = errors.New("no answer in time")

// errStartTimeout is the cause of a launch that took too long.
var errStartTimeout = errors.New("not ready in time")

// callFailure sorts the failure of a call during a launch: a plugin that does
// not know the call, or whose answer cannot be read, will not know it next time.
func callFailure(err error) error {
	switch status.Code(err) {
	case codes.Unimplemented, codes.ResourceExhausted, codes.Internal:
		return permanent(err)
	}
	var start *control.StartError
	if errors.As(err, &start) && start.Cause.Kind == sdk.Invalid {
		return permanent(err)
	}
	var config *control.ConfigError
	if errors.As(err, &config) {
		return permanent(err)
	}
	return err
}

// lastError is what the owner reads about a plugin right now. That it does not
// work comes before that it is not what it should be.
func lastError(r report, title string) string {
	switch {
	case r.failure != nil:
		return friendly(r.failure, title)
	case r.replacement != nil:
		return friendly(r.replacement, title) + " Until that is mended, " + title + " runs on as before."
	case r.config != nil:
		return friendly(r.config, title) + " Until that is mended, the earlier settings stay in force."
	}
	return ""
}

// friendly is the sentence that the owner reads about a failure; title is the
// plugin's name in plain words.
func friendly(err error, title string) string {
	var (
		config  *control.ConfigError
		known   *sdk.Error
		exit    *exitError
		proto   permanentError
		message string
	)
	switch {
	case err == nil:
		return ""
	case errors.As(err, &config):
		return configSentence(config)
	case errors.As(err, &known) && known.Message != "":
		message = printable(known.Message, maxFriendly)
		if known.Hint != "" {
			message += " " + printable(known.Hint, maxFriendly)
		}
	case errors.As(err, &exit):
		message = title + " stopped unexpectedly."
	case errors.Is(err, errNoAnswer):
		message = title + " takes too long to answer."
	case isFull(err):
		message = "There isn't enough space for " + title + " to start."
	case isShort(err):
		message = "This computer is too busy to start " + title + " right now."
	case errors.Is(err, errConfigTimeout):
		message = title + " took too long to take over its new settings."
	case errors.Is(err, errStartTimeout), errors.Is(err, context.DeadlineExceeded):
		message = title + " took too long to start."
	case errors.As(err, &proto):
		message = fmt.Sprintf("%s doesn't work with this version of Salita: %s", title, printable(err.Error(), maxFriendly))
	default:
		message = title + " could not start."
	}
	return message
}

// isShort reports whether the system was out of processes, memory or open files.
func isShort(err error) bool {
	for _, short := range []error{syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE} {
		if errors.Is(err, short) {
			return true
		}
	}
	return false
}

// maxFriendly bounds a foreign text inside a sentence, in bytes.
const maxFriendly = 400
