//go:build !android

package sandbox

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// softFiles is how many descriptors a program gets before it asks for more: the
// usual number, which programs that still use select(2) can cope with.
const softFiles = 1024

// closeInherited makes every descriptor but the standard streams close when the
// program takes over.
func closeInherited() error {
	err := unix.CloseRange(outcomeDescriptor, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EINVAL) {
		return err
	}
	return closeEach() // before Linux 5.11
}

func closeEach() error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd >= outcomeDescriptor {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// limit sets the resource limits. None of them can be lifted again.
func (p Policy) limit() error {
	// A core file would carry the owner's files to wherever cores go.
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return err
	}
	if err := lower(unix.RLIMIT_NOFILE, p.MaxFiles, softFiles); err != nil {
		return err
	}
	return lower(unix.RLIMIT_DATA, p.MaxMemory, math.MaxUint64)
}

// lower lowers a limit, never raises it; 0 changes nothing.
func lower(resource int, most, soft uint64) error {
	if most == 0 {
		return nil
	}
	var now unix.Rlimit
	if err := unix.Getrlimit(resource, &now); err != nil {
		return err
	}
	most = min(most, now.Max)
	return unix.Setrlimit(resource, &unix.Rlimit{Cur: min(soft, most), Max: most})
}

// markScore is what the kernel adds to the process's score when memory runs out,
// in thousandths of the machine's memory: the program goes before the gateway
// and what people work with, but not in place of something far larger. It also
// marks the process and all its children, for Confined: only a write to /proc
// changes it, and that is out of their reach. Nothing else uses this number.
const markScore = 213

// mark sets the score. Where the gateway itself has a higher one already, it
// stays.
func mark() error {
	err := os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(markScore)), 0)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EROFS) {
		return nil
	}
	return err
}

// keptCapabilities are what is left of the powers of a gateway that runs as
// root: those over files, which the sandbox bounds, and over low ports.
func keptCapabilities() []int {
	return []int{unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER, unix.CAP_FSETID, unix.CAP_NET_BIND_SERVICE}
}

// dropCapabilities takes all others away, and out of what execve can give back.
func dropCapabilities() error {
	var kept [2]uint32
	for _, c := range keptCapabilities() {
		kept[c/32] |= 1 << (c % 32)
	}
	for c := 0; ; c++ {
		if c < 64 && kept[c/32]&(1<<(c%32)) != 0 {
			continue
		}
		err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) {
			break // the kernel knows no more, or the gateway has no such powers
		}
		if err != nil {
			return fmt.Errorf("bound: %w", err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clear ambient: %w", err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("get: %w", err)
	}
	for i := range data {
		data[i].Permitted &= kept[i]
		data[i].Effective &= kept[i]
		data[i].Inheritable = 0
	}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return fmt.Errorf("set: %w", err)
	}
	return nil
}

// forbidNewPrivileges makes set-user-id programs powerless.
func forbidNewPrivileges() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }

// physicalMemory is the machine's memory in bytes; 0 when it is not known.
func physicalMemory() uint64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	return uint64(info.Totalram) * uint64(info.Unit)
}
