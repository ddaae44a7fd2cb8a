package plugins

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// assignment is what a supervisor is to do, as a whole: of two, the later one
// counts.
type assignment struct {
	wanted  bool
	spec    Spec
	program program
	device  string // this device's name, told to the plugin
}

// change says what the step from one assignment to another asks for.
type change int

const (
	noChange   change = iota
	newDevice         // only the device is called otherwise
	newConfig         // the settings are others
	newProgram        // the file is another, or may be run now, or may not any more
	newProcess        // what a process is started with is other than before
)

// changeFrom compares two assignments that are wanted. Where the text of the
// configuration stands in its file is no change.
func (a assignment) changeFrom(before assignment) change {
	switch {
	case !slices.Equal(a.spec.Env, before.spec.Env), !strings.EqualFold(a.spec.SHA256, before.spec.SHA256),
		a.spec.Unconfined != before.spec.Unconfined:
		return newProcess
	case !a.program.same(before.program):
		return newProgram
	case string(a.spec.Config.Source) != string(before.spec.Config.Source):
		return newConfig
	case a.device != before.device:
		return newDevice
	}
	return noChange
}

// revision stands for everything that Configure tells a plugin and that may
// change: two assignments with the same one need no call.
func (a assignment) revision() string {
	sum := sha256.New()
	sum.Write(a.spec.Config.Source)
	sum.Write([]byte{0})
	sum.Write([]byte(a.device))
	return hex.EncodeToString(sum.Sum(nil))
}
