package discovery

import (
	"errors"
	"os"
	"sync"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// watchInterfaces tells when an interface or an address comes or goes, by the
// kernel's own word (rtnetlink). Stop ends it. Where it does not work, nothing
// is told and the regular look finds out.
func watchInterfaces(log hclog.Logger) (changed <-chan struct{}, stop func()) {
	notices := make(chan struct{}, 1)
	file, err := openNetlink()
	if err != nil {
		log.Debug("changes of the network are noticed late", "error", err)
		return notices, func() {}
	}
	var reader sync.WaitGroup
	reader.Go(func() {
		buffer := make([]byte, 8<<10)
		for {
			// What it says does not matter, nor that some of it was lost.
			if _, err := file.Read(buffer); err != nil && !isOverrun(err) {
				return
			}
			select {
			case notices <- struct{}{}:
			default:
			}
		}
	})
	return notices, func() {
		file.Close()
		reader.Wait()
	}
}

func openNetlink() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{
		Family: unix.AF_NETLINK,
		Groups: unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR,
	}); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("bind", err)
	}
	return os.NewFile(uintptr(fd), "rtnetlink"), nil
}

// isOverrun reports whether notices came faster than they were read.
func isOverrun(err error) bool { return errors.Is(err, unix.ENOBUFS) }
