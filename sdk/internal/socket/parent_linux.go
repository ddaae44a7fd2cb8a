package socket

import (
	"bytes"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// fromParent reports whether the connection comes from a process that this one
// descends from. One whose number the system does not show, because it is
// outside of this container, passes.
func fromParent(c *net.UnixConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	var peer *unix.Ucred
	failed := raw.Control(func(fd uintptr) { peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if failed != nil || err != nil {
		return false
	}
	return peer.Pid == 0 || ancestor(int(peer.Pid))
}

// ancestor reports whether this process descends from the other: a script may
// stand between the gateway and the plugin.
func ancestor(pid int) bool {
	for p := os.Getppid(); p > 0; p = parentOf(p) {
		if p == pid {
			return true
		}
	}
	return false
}

// parentOf is the process's parent; 0 when there is none, or nobody can tell.
func parentOf(pid int) int {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name, in brackets, may hold anything.
	rest := stat[bytes.LastIndexByte(stat, ')')+1:]
	var state string
	var parent int
	if _, err := fmt.Sscan(string(rest), &state, &parent); err != nil {
		return 0
	}
	return parent
}
