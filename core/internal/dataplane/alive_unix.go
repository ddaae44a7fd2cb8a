//go:build unix

package dataplane

import "golang.org/x/sys/unix"

// probe asks the kernel, without waiting, whether anything happened on an idle
// connection.
type probe struct {
	fds   [1]unix.PollFd
	quiet bool
	run   func(fd uintptr) // bound once: a new closure per call would allocate
}

func (p *probe) init() {
	p.run = func(fd uintptr) {
		p.fds[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
		n, err := unix.Poll(p.fds[:], 0)
		p.quiet = n == 0 && err == nil
	}
}

// alive reports whether an idle connection may be used: its peer has neither
// closed it nor sent anything that nobody asked for. What cannot be asked
// counts as alive.
func (c *conn) alive() bool {
	if c.raw == nil {
		return true
	}
	err := c.raw.Control(c.probe.run)
	return err == nil && c.probe.quiet
}
