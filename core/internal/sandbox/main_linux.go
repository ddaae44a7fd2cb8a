//go:build !android

package sandbox

import (
	"encoding/json"
	"errors"
	"os"
	"runtime"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	// shimName marks, as argv[0], a process that is to restrict itself. Its
	// arguments are the path of the program and the program's own argv.
	shimName = "salita-sandbox"
	// policyVariable brings the Policy, and does not reach the program.
	policyVariable = "SALITA_SANDBOX"
	// outcomeDescriptor is where the shim says why it failed. It closes when the
	// program takes over.
	outcomeDescriptor = 3
	// shimFailed is the exit status then.
	shimFailed = 125
)

// wired remembers that Main was called: only then may this executable be run
// once more. Without it, a program that forgot Main would start itself over and
// over.
var wired atomic.Bool

// Main belongs first into the main function of every program that uses
// Policy.Start, and into TestMain of its tests. It returns at once, unless the
// process was started by Policy.Start: then it restricts itself, becomes the
// program and does not return.
func Main() {
	wired.Store(true)
	if len(os.Args) < 3 || os.Args[0] != shimName {
		return
	}
	// Restrictions are a thread's own; the thread that calls execve is the one
	// that goes on.
	runtime.LockOSThread()
	failed := become(os.Args[1], os.Args[2:], os.Environ())
	out := os.NewFile(outcomeDescriptor, "outcome")
	_ = json.NewEncoder(out).Encode(failed)
	os.Exit(shimFailed)
}

// failure is what the shim could not do.
type failure struct {
	Step  string     `json:"step"`
	Errno unix.Errno `json:"errno,omitempty"`
	Text  string     `json:"text"`
}

// execStep is the step at which the program itself is at fault.
const execStep = "execute"

// become restricts the process and executes the program. It returns only when
// that failed.
func become(path string, argv, env []string) failure {
	env, policy, err := takePolicy(env)
	if err != nil {
		return failed("read policy", err)
	}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"close descriptors", closeInherited},
		{"set limits", policy.limit},
		{"mark process", mark},
		{"drop capabilities", dropCapabilities},
		{"forbid new privileges", forbidNewPrivileges},
		{"restrict files", policy.restrictFiles},
		{"filter system calls", filterCalls},
	} {
		if err := step.do(); err != nil {
			return failed(step.name, err)
		}
	}
	return failed(execStep, unix.Exec(path, argv, env))
}

func failed(step string, err error) failure {
	f := failure{Step: step, Text: err.Error()}
	errors.As(err, &f.Errno)
	return f
}

// takePolicy takes the policy out of the environment.
func takePolicy(env []string) (rest []string, p Policy, err error) {
	err = errors.New("no policy")
	for _, variable := range env {
		text, ok := strings.CutPrefix(variable, policyVariable+"=")
		if !ok {
			rest = append(rest, variable)
			continue
		}
		p = Policy{}
		err = json.Unmarshal([]byte(text), &p)
	}
	return rest, p, err
}
