//go:build unix

package plugins

import (
	"os"
	"os/exec"
	"syscall"
)

// errExecFormat is how the system says that a program is not for this machine.
var errExecFormat = syscall.ENOEXEC

// leadGroup makes the process the leader of its own group, so that it can be
// ended together with its children and gets no signals from the terminal.
func leadGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// signalGroup signals the group that the process leads. When the leader has
// been reaped, its children may still be there under the same number.
func signalGroup(p *os.Process, sig syscall.Signal) {
	_ = syscall.Kill(-p.Pid, sig)
}

// endedBy reports whether the signal ended the process.
func endedBy(state *os.ProcessState, sig syscall.Signal) bool {
	status, ok := state.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == sig
}
