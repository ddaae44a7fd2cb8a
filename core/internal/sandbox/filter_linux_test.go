//go:build !android

package sandbox

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// call is what the kernel shows to a filter.
type call struct {
	number, arch uint32
	arguments    [6]uint64
}

func (c call) bytes() []byte {
	b := binary.LittleEndian.AppendUint32(nil, c.number)
	b = binary.LittleEndian.AppendUint32(b, c.arch)
	b = binary.LittleEndian.AppendUint64(b, 0) // the place in the program
	for _, a := range c.arguments {
		b = binary.LittleEndian.AppendUint64(b, a)
	}
	return b
}

// decide runs a filter as the kernel does.
func decide(t *testing.T, filter []unix.SockFilter, c call) uint32 {
	t.Helper()
	data := c.bytes()
	var accumulator uint32
	for at := 0; at < len(filter); at++ {
		f := filter[at]
		jump := func(condition bool) {
			if condition {
				at += int(f.Jt)
			} else {
				at += int(f.Jf)
			}
		}
		switch f.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			accumulator = binary.LittleEndian.Uint32(data[f.K:])
		case unix.BPF_JMP | unix.BPF_K | unix.BPF_JEQ:
			jump(accumulator == f.K)
		case unix.BPF_JMP | unix.BPF_K | unix.BPF_JGE:
			jump(accumulator >= f.K)
		case unix.BPF_RET | unix.BPF_K:
			return f.K
		default:
			t.Fatalf("instruction %d has the unknown code %#x", at, f.Code)
		}
	}
	t.Fatal("the filter ends without an answer")
	return 0
}

func TestFilter(t *testing.T) {
	const (
		x86, arm = unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_ARM
		own      = 4711
		allow    = unix.SECCOMP_RET_ALLOW
		eperm    = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
		enosys   = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	)
	limits := func(of uint64) call {
		return call{number: unix.SYS_PRLIMIT64, arch: x86, arguments: [6]uint64{of, unix.RLIMIT_CPU, 1}}
	}
	for _, tt := range []struct {
		name     string
		arch     uint32
		landlock int
		call     call
		want     uint32
	}{
		{"anything", x86, 7, call{number: unix.SYS_READ, arch: x86}, allow},
		{"the highest number", x86, 7, call{number: 0x3fffffff, arch: x86}, allow},
		{"x32", x86, 7, call{number: 0x40000000 + unix.SYS_READ, arch: x86}, enosys},
		{"another architecture", x86, 7, call{number: unix.SYS_READ, arch: unix.AUDIT_ARCH_I386}, enosys},
		{"high numbers of other machines", arm, 7, call{number: 0x400000f0, arch: arm}, allow},
		{"own limits", x86, 7, limits(0), allow},
		{"own limits by number", x86, 7, limits(own), allow},
		{"limits of another", x86, 7, limits(own + 1), eperm},
		{"limits of another, with dirt above the number", x86, 7, limits(1<<32 | 1), eperm},
		{"key ring", x86, 7, call{number: unix.SYS_KEYCTL, arch: x86}, eperm},
		{"empty a file by name", x86, 3, call{number: unix.SYS_TRUNCATE, arch: x86}, allow},
		{"empty a file by name, before Landlock 3", x86, 2, call{number: unix.SYS_TRUNCATE, arch: x86}, eperm},
		{"the same without Landlock", x86, 0, call{number: unix.SYS_TRUNCATE, arch: x86}, eperm},
		{"the same on 32 bits", arm, 2, call{number: truncate64, arch: arm}, eperm},
		{"the same number on 64 bits", x86, 2, call{number: truncate64, arch: x86}, allow},
		{"empty an open file", x86, 2, call{number: unix.SYS_FTRUNCATE, arch: x86}, allow},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := decide(t, filter(tt.arch, own, tt.landlock), tt.call); got != tt.want {
				t.Errorf("answer %#x, want %#x", got, tt.want)
			}
		})
	}
}

func TestHandledRights(t *testing.T) {
	for _, tt := range []struct {
		abi           int
		files, scopes uint64
	}{
		// The masks of the kernel's header, by version.
		{1, 0x1fff, 0},
		{2, 0x3fff, 0},
		{3, 0x7fff, 0},
		{4, 0x7fff, 0},
		{5, 0xffff, 0},
		{6, 0xffff, 3},
		{7, 0xffff, 3},
		{8, 0xffff, 3},
		{9, 0x1ffff, 3},
		{12, 0x1ffff, 3},
	} {
		if files, scopes := handled(tt.abi); files != tt.files || scopes != tt.scopes {
			t.Errorf("version %d: %#x and %#x, want %#x and %#x", tt.abi, files, scopes, tt.files, tt.scopes)
		}
	}
}
