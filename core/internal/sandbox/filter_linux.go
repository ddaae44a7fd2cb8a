//go:build !android

package sandbox

import (
	"errors"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel shows a filter each system call as struct seccomp_data; these are
// the places in it, on little-endian machines.
const (
	callNumber = 0
	callArch   = 4
	firstWord  = 16 // the lower half of the first argument; each takes two words
)

// truncate64 is the number of that call on 32-bit x86 and ARM; others have none.
const truncate64 = 193

// architectures are the values of AUDIT_ARCH by GOARCH, for the machines that
// the filter is written for.
func architectures() map[string]uint32 {
	return map[string]uint32{
		"386": unix.AUDIT_ARCH_I386, "amd64": unix.AUDIT_ARCH_X86_64,
		"arm": unix.AUDIT_ARCH_ARM, "arm64": unix.AUDIT_ARCH_AARCH64,
		"riscv64": unix.AUDIT_ARCH_RISCV64, "loong64": unix.AUDIT_ARCH_LOONGARCH64,
	}
}

// filterCalls takes away the few system calls by which a program reaches beyond
// its sandbox and which Landlock does not know: setting the limits of another
// process, the user's key rings, and, before Landlock 3, emptying a file by its
// name. Calls in the manner of another architecture, which have other numbers,
// do not exist at all.
func filterCalls() error {
	arch, known := architectures()[runtime.GOARCH]
	if !known {
		return nil
	}
	program := filter(arch, uint32(os.Getpid()), landlockVersion())
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW,
		uintptr(unsafe.Pointer(&prog)))
	if errors.Is(errno, unix.ENOSYS) || errors.Is(errno, unix.EINVAL) {
		return nil // a kernel without filters
	}
	if errno != 0 {
		return errno
	}
	return nil
}

// filter is the program that the kernel runs at each system call of a process
// with the number own.
func filter(arch, own uint32, landlock int) []unix.SockFilter {
	f := []unix.SockFilter{
		load(callArch),
		skipIf(unix.BPF_JEQ, arch, 1), answer(unix.ENOSYS),
		load(callNumber),
	}
	if arch == unix.AUDIT_ARCH_X86_64 {
		const x32 = 0x40000000
		f = append(f, skipUnless(unix.BPF_JGE, x32, 1), answer(unix.ENOSYS))
	}
	forbidden := []uint32{unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY}
	if landlock < 3 {
		forbidden = append(forbidden, unix.SYS_TRUNCATE)
		if arch == unix.AUDIT_ARCH_I386 || arch == unix.AUDIT_ARCH_ARM {
			forbidden = append(forbidden, truncate64)
		}
	}
	for _, number := range forbidden {
		f = append(f, skipUnless(unix.BPF_JEQ, number, 1), answer(unix.EPERM))
	}
	return append(f,
		skipUnless(unix.BPF_JEQ, unix.SYS_PRLIMIT64, 4),
		load(firstWord), // whose limits
		skipIf(unix.BPF_JEQ, 0, 2),
		skipIf(unix.BPF_JEQ, own, 1),
		answer(unix.EPERM),
		ret(unix.SECCOMP_RET_ALLOW),
	)
}

func load(place uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: place}
}

// skipIf leaves out the next n instructions when the comparison holds.
func skipIf(comparison uint16, with uint32, n uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | comparison, K: with, Jt: n}
}

// skipUnless leaves out the next n instructions when it does not.
func skipUnless(comparison uint16, with uint32, n uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | comparison, K: with, Jf: n}
}

// answer ends the call with an error.
func answer(errno unix.Errno) unix.SockFilter { return ret(unix.SECCOMP_RET_ERRNO | uint32(errno)) }

func ret(value uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: value}
}
