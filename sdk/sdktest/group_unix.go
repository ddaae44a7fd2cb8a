//go:build unix

package sdktest

import (
	"os"
	"os/exec"
	"syscall"
)

// leadGroup makes the process the leader of its own group, so that it can be
// ended together with its children.
func leadGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup ends whatever is left of the group.
func killGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }

// terminate asks the process to end.
func terminate(p *os.Process) error { return p.Signal(syscall.SIGTERM) }

// canTerminate reports whether the system has a polite signal.
const canTerminate = true
