//go:build !unix

package sdktest

import (
	"errors"
	"os"
	"os/exec"
)

// leadGroup does nothing: this system has no process groups.
func leadGroup(*exec.Cmd) {}

// killGroup can only end the process itself.
func killGroup(p *os.Process) { _ = p.Kill() }

// terminate has no meaning on this system.
func terminate(*os.Process) error { return errors.ErrUnsupported }

// canTerminate reports whether the system has a polite signal.
const canTerminate = false
