//go:build !unix

package plugins

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// errExecFormat stands for an error that this system does not have.
var errExecFormat = errors.New("exec format error")

// leadGroup does nothing: this system has no process groups.
func leadGroup(*exec.Cmd) {}

// signalGroup can only end the process itself, at once.
func signalGroup(p *os.Process, _ syscall.Signal) { _ = p.Kill() }

// endedBy cannot be told on this system.
func endedBy(state *os.ProcessState, _ syscall.Signal) bool { return !state.Success() }
