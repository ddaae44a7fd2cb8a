package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of CPU times in /proc: 1/100 s on every Linux that Go
// runs on.
const clockTick = 10 * time.Millisecond

// procStat is what /proc/<pid>/stat says that matters here.
type procStat struct {
	parent int
	cpu    time.Duration // user and system
}

func readStat(pid int) (procStat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return procStat{}, err
	}
	return parseStat(text)
}

// parseStat reads proc(5)'s stat line. The name in its second field may hold
// anything, so the fields are counted from its end.
func parseStat(text []byte) (procStat, error) {
	end := bytes.LastIndexByte(text, ')')
	fields := strings.Fields(string(text[end+1:]))
	if end < 0 || len(fields) < 13 {
		return procStat{}, fmt.Errorf("stat line %.80q", text)
	}
	var n [3]int
	for i, at := range []int{1, 11, 12} { // ppid, utime, stime
		var err error
		if n[i], err = strconv.Atoi(fields[at]); err != nil {
			return procStat{}, fmt.Errorf("stat line: %w", err)
		}
	}
	return procStat{parent: n[0], cpu: time.Duration(n[1]+n[2]) * clockTick}, nil
}

// childOf finds the one child of a process.
func childOf(parent int) (*os.Process, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	for _, path := range stats {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		if s, err := readStat(pid); err == nil && s.parent == parent {
			return os.FindProcess(pid)
		}
	}
	return nil, fmt.Errorf("process %d has no child", parent)
}

// cpuTime is the CPU time of each process of a target so far.
func (t *target) cpuTime() (map[string]time.Duration, error) {
	used := map[string]time.Duration{}
	for name, p := range t.processes {
		s, err := readStat(p.Pid)
		if err != nil {
			return nil, fmt.Errorf("%s of %s: %w", name, t.name, err)
		}
		used[name] = s.cpu
	}
	return used, nil
}

// peakMemory is the largest resident size that each process ever had, in bytes.
func (t *target) peakMemory() (map[string]int64, error) {
	peak := map[string]int64{}
	for name, p := range t.processes {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid))
		if err != nil {
			return nil, err
		}
		if peak[name], err = parsePeak(string(text)); err != nil {
			return nil, err
		}
	}
	return peak, nil
}

func parsePeak(status string) (int64, error) {
	_, after, _ := strings.Cut(status, "\nVmHWM:")
	line, _, _ := strings.Cut(after, "\n")
	kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(line, "kB")), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("VmHWM: %w", err)
	}
	return kib << 10, nil
}

// machine is what the figures were measured on.
type machine struct {
	goVersion, system, cpu string
	cpus                   int
}

func thisMachine() machine {
	m := machine{goVersion: runtime.Version(), system: runtime.GOOS + "/" + runtime.GOARCH, cpu: "unknown CPU", cpus: runtime.NumCPU()}
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return m
	}
	if _, after, ok := strings.Cut(string(info), "model name"); ok {
		line, _, _ := strings.Cut(after, "\n")
		m.cpu = strings.TrimLeft(line, " \t:")
	}
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.system += ", kernel " + strings.TrimSpace(string(kernel))
	}
	return m
}
