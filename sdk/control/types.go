package control

import (
	"fmt"

	"github.com/salita-mesh/salita/sdk"
)

// Config is the text between the braces of a user's config block.
type Config struct {
	Filename string   // the file it stands in, for error messages
	Source   []byte   // HCL, byte for byte
	Start    Position // where in the file the source begins
	Revision string   // changes with the configuration; "": always apply
}

// Position is a place in a file.
type Position struct {
	Line   int // from 1
	Column int // from 1, in grapheme clusters
	Byte   int // from 0
}

// Range is a piece of a file; End is exclusive.
type Range struct {
	Filename   string   // the user's file
	Start, End Position // from the first place to the first after it
}

// Severity is how bad a Diagnostic is.
type Severity int

// The severities. An unknown one from the wire counts as Error.
const (
	Error Severity = iota
	Warning
)

// Diagnostic is one remark on a configuration. Its texts come from the plugin
// and are to be escaped before they are shown.
type Diagnostic struct {
	Severity Severity // how bad it is
	Summary  string   // a few words
	Detail   string   // a sentence or more; may be empty
	Subject  *Range   // nil when no place can be named
}

// Environment is what a plugin gets to work with.
type Environment struct {
	DataDir        string // the only folder that the plugin owns; exists
	DeviceName     string // this device's name, for sentences to people
	HomeDir        string // the owner's home folder
	SocketDir      string // where it makes its HTTP socket
	GatewayVersion string // for the log
	LogLevel       string // "debug", "info", "warn" or "error"
	// HostSocket is where the gateway serves HTTP for this plugin alone, the path
	// of a unix socket; "" offers nothing.
	HostSocket string
	// Features are what the gateway knows beyond the first calls: FeatureWatch.
	Features []string
}

// Endpoint is where a plugin says it serves HTTP. It is a claim to be checked.
type Endpoint struct {
	Network string // "unix", if it is right
	Address string // the path of a socket
}

// ConfigError is a refused configuration; at least one diagnostic is an Error.
type ConfigError struct {
	Diagnostics []Diagnostic // remarks among them
}

// Error names the first mistake and how many there are.
func (e *ConfigError) Error() string {
	var first Diagnostic
	errors := 0
	for _, d := range e.Diagnostics {
		if d.Severity != Error {
			continue
		}
		if errors == 0 {
			first = d
		}
		errors++
	}
	text := first.Summary
	if first.Detail != "" {
		text += ": " + first.Detail
	}
	if first.Subject != nil {
		text = fmt.Sprintf("%s:%d,%d: %s", first.Subject.Filename, first.Subject.Start.Line, first.Subject.Start.Column, text)
	}
	if errors > 1 {
		text += fmt.Sprintf(" (and %d more)", errors-1)
	}
	return text
}

// StartError is a plugin that understood its configuration but could not start
// with it.
type StartError struct {
	Cause *sdk.Error // what the plugin said
}

// Error is the technical text.
func (e *StartError) Error() string { return "plugin cannot start: " + e.Cause.Error() }

// Unwrap returns the plugin's own error.
func (e *StartError) Unwrap() error { return e.Cause }

// NotServingError is a plugin that answered its health check with no.
type NotServingError struct {
	Cause *sdk.Error // what the plugin said
}

// Error is the technical text.
func (e *NotServingError) Error() string { return "plugin is not serving: " + e.Cause.Error() }

// Unwrap returns the plugin's own error.
func (e *NotServingError) Unwrap() error { return e.Cause }
