//go:build !android

package sandbox

import (
	"bytes"
	"errors"
	"net"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Confined reports whether the process at the other end of a unix socket was
// started under a Policy, by whichever gateway, or descends from such a process.
// In doubt it is true: a program that connects and is gone at once may have left
// the connection to a child. It is for sockets that only this user can reach.
//
// Before Linux 7.1 nothing keeps a restricted program from connecting to a
// socket of its own user, which is why the one who accepts has to ask.
func Confined(conn net.Conn) bool {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return true
	}
	confined := true
	if err := raw.Control(func(fd uintptr) { confined = confinedPeer(int(fd)) }); err != nil {
		return true
	}
	return confined
}

func confinedPeer(socket int) bool {
	peer, err := unix.GetsockoptUcred(socket, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return true
	}
	// Restricted programs cannot change their user. A process number of 0 belongs
	// to another container, where nothing of ours runs.
	if int(peer.Uid) != os.Geteuid() || peer.Pid == 0 {
		return false
	}
	handle, err := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_PEERPIDFD)
	if errors.Is(err, unix.ENOPROTOOPT) { // before Linux 6.5
		return marked(int(peer.Pid))
	}
	if err != nil {
		return true
	}
	defer unix.Close(handle)
	// While the process lives, its number is nobody else's.
	return marked(int(peer.Pid)) || ended(handle)
}

// ended reports whether the process of a handle has ended.
func ended(handle int) bool {
	fds := []unix.PollFd{{Fd: int32(handle), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err != nil || n > 0
}

// marked reports whether a process bears the mark of the shim, or cannot be
// looked at. A gateway whose own score is higher than the mark could not set it;
// there the ban on new privileges tells, unless the gateway is under one too.
func marked(pid int) bool {
	own, err := score(os.Getpid())
	if err != nil {
		return false // without /proc nothing can have been restricted
	}
	peer, err := score(pid)
	if err != nil || peer == markScore {
		return true
	}
	return own > markScore && barred(pid) && !barred(os.Getpid())
}

func score(pid int) (int, error) {
	text, err := os.ReadFile(procFile(pid, "oom_score_adj"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(bytes.TrimSpace(text)))
}

// barred reports whether the process can gain no privileges.
func barred(pid int) bool {
	status, err := os.ReadFile(procFile(pid, "status"))
	return err != nil || bytes.Contains(status, []byte("\nNoNewPrivs:\t1\n"))
}

func procFile(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }
