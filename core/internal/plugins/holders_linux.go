package plugins

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// endHolders kills the processes that can still write into one of the pipes and
// are no older than the plugin's process was: children of it that have left its
// group. The gateway itself, and what it is just forking, only read there.
func endHolders(born uint64, pipes ...*os.File) {
	held := make(map[string]bool)
	for _, p := range pipes {
		if info, err := p.Stat(); err == nil {
			held[fmt.Sprintf("pipe:[%d]", info.Sys().(*syscall.Stat_t).Ino)] = true
		}
	}
	const rounds = 3 // for those that were just being forked
	for range rounds {
		if born == 0 || !killWhere(func(pid int) bool { return writesTo(pid, held) && birth(pid) >= born }) {
			return
		}
	}
}

// killWhere kills every process that is meant, and reports whether there was one.
func killWhere(meant func(pid int) bool) (found bool) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		// Held before it is looked at: the number may be another's a moment later.
		process, err := os.FindProcess(pid)
		if err != nil {
			continue
		}
		if meant(pid) {
			found = process.Kill() == nil || found
		}
		_ = process.Release()
	}
	return found
}

// writesTo reports whether the process has one of the pipes open for writing.
// Processes of other users cannot be asked.
func writesTo(pid int, pipes map[string]bool) bool {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	entries, _ := os.ReadDir(filepath.Join(proc, "fd"))
	for _, e := range entries {
		to, err := os.Readlink(filepath.Join(proc, "fd", e.Name()))
		if err == nil && pipes[to] && opensForWriting(filepath.Join(proc, "fdinfo", e.Name())) {
			return true
		}
	}
	return false
}

// opensForWriting reads the flags of a descriptor: "flags:	0100001", in octal.
func opensForWriting(fdinfo string) bool {
	text, err := os.ReadFile(fdinfo)
	if err != nil {
		return false
	}
	for line := range bytes.Lines(text) {
		value, ok := bytes.CutPrefix(line, []byte("flags:"))
		if !ok {
			continue
		}
		flags, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 8, 64)
		return err == nil && flags&syscall.O_ACCMODE != syscall.O_RDONLY
	}
	return false
}

// birth is when the process started, in the system's ticks since its own start;
// 0 when that is not known.
func birth(pid int) uint64 {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0
	}
	// The second field is a name in parentheses, in which anything may stand. The
	// twenty-second is the time.
	const afterName = 22 - 3
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) <= afterName {
		return 0
	}
	ticks, _ := strconv.ParseUint(fields[afterName], 10, 64)
	return ticks
}
