package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// TestLargeTransferUsesLittleMemory sends a file that is much larger than what
// any process may grow by.
func TestLargeTransferUsesLittleMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("peak memory is read from /proc")
	}
	size := int64(512 << 20)
	if os.Getenv("SALITA_LONG") != "" {
		size = 4 << 30
	}
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	pairUp(t, desktop, laptop)
	small, _ := randomFile(t, "warm.bin", 1<<20)
	laptop.must("send", small, "--to", "Desktop")

	film := filepath.Join(t.TempDir(), "film.mp4")
	f, err := os.Create(film)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(size); err != nil { // a sparse file: only its length matters here
		t.Fatal(err)
	}
	f.Close()

	processes := append(family(t, desktop), family(t, laptop)...)
	before := map[int]int64{}
	for _, pid := range processes {
		before[pid] = peakMemory(t, pid)
	}
	laptop.must("send", film, "--to", "Desktop")
	for _, pid := range processes {
		grown := peakMemory(t, pid) - before[pid]
		t.Logf("process %d: peak %d KiB, grown by %d KiB", pid, before[pid]+grown, grown)
		if grown > 20<<10 {
			t.Errorf("process %d grew by %d KiB during %d MiB", pid, grown, size>>20)
		}
	}
}

// family is the gateway's process and its plugins'.
func family(t *testing.T, g *gateway) []int {
	t.Helper()
	parent := g.cmd.Process.Pid
	out := []int{parent}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range stats {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // it ended meanwhile
		}
		// pid (name) state parent ...; the name may hold anything
		_, rest, _ := strings.Cut(string(data), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == fmt.Sprint(parent) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, pid)
		}
	}
	if len(out) < 2 {
		t.Fatalf("%s has no plugin process", g.name)
	}
	return out
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peakMemory is the most that the process ever had in memory, in KiB.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := highWater.FindSubmatch(data)
	if m == nil {
		t.Fatalf("process %d has no VmHWM", pid)
	}
	kib, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib
}
