package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// report is everything that goes into docs/BENCHMARKS.md.
type report struct {
	at      time.Time
	machine machine
	options options
	tokens  []figure
	plugins *platform
	planes  []*contest
}

func (r report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmarks\n\nWritten by `make bench` on %s with %s (%s) on %s, %d CPUs, shared by client and servers.\n",
		r.at.UTC().Format("2006-01-02 15:04 UTC"), r.machine.goVersion, r.machine.system, r.machine.cpu, r.machine.cpus)
	r.tokenTable(&b)
	if r.plugins != nil {
		r.plugins.table(&b)
	}
	if len(r.planes) == 0 {
		return b.String()
	}
	base := r.planes[0]
	fmt.Fprintf(&b, "\n## Planes\n\nAll run at once and take turns, in an order that is reversed every second time. Each figure is the median of %d\n"+
		"turns; \"against %s\" is the median of the ratios within a turn, more than 1 is better. CPU is user and system time of the\n"+
		"server's processes. The client speaks TLS 1.3 over loopback, writes 1 MiB at a time and keeps its connections. Every\n"+
		"upload's hash, where the server names it, and every download's blocks are checked.\n\n", r.options.reps, base.name)
	for _, c := range r.planes {
		fmt.Fprintf(&b, "- **%s**: %s\n", c.name, c.about)
	}
	for _, task := range tasks {
		if task.calls {
			r.callTable(&b, task)
		} else {
			r.bulkTable(&b, task)
		}
	}
	r.memoryTable(&b)
	return b.String()
}

func (r report) tokenTable(b *strings.Builder) {
	if len(r.tokens) == 0 {
		return
	}
	b.WriteString("\n## Checking a token\n\nWhat a request pays for its token, in memory; a use is noted and written later, many at a time.\n\n" +
		"| | ns | allocations | database writes per request |\n|---|---|---|---|\n")
	for _, f := range r.tokens {
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", f.name, f.value("ns/op"), f.value("allocs/op"), f.value("dbwrites/op"))
	}
}

func (r report) callTable(b *strings.Builder, task task) {
	fmt.Fprintf(b, "\n## %s\n\n| | calls/s | against %s | p50 µs | p99 µs | CPU µs per call |\n|---|---|---|---|---|---|\n", task.name, r.planes[0].name)
	for _, c := range r.planes {
		turns := c.turns[task.name]
		fmt.Fprintf(b, "| %s | %.0f | %.2f | %.0f | %.0f | %s |\n", c.name,
			median(turns, func(t turn) float64 { return float64(len(t.calls)) / t.wall.Seconds() }),
			r.against(c, task),
			median(turns, func(t turn) float64 { return micros(quantile(t.calls, 0.5)) }),
			median(turns, func(t turn) float64 { return micros(quantile(t.calls, 0.99)) }),
			c.processor(turns, "%.0f", func(t turn, d time.Duration) float64 { return micros(d) / float64(len(t.calls)) }))
	}
}

func (r report) bulkTable(b *strings.Builder, task task) {
	gib := float64(r.options.size) / (1 << 30)
	fmt.Fprintf(b, "\n## %s of %s\n\n| | MB/s | against %s | CPU s per GiB |\n|---|---|---|---|\n", task.name, formatSize(r.options.size), r.planes[0].name)
	for _, c := range r.planes {
		turns := c.turns[task.name]
		fmt.Fprintf(b, "| %s | %.0f | %.2f | %s |\n", c.name,
			median(turns, func(t turn) float64 { return float64(r.options.size) / 1e6 / t.wall.Seconds() }),
			r.against(c, task),
			c.processor(turns, "%.2f", func(_ turn, d time.Duration) float64 { return d.Seconds() / gib }))
	}
}

func (r report) memoryTable(b *strings.Builder) {
	b.WriteString("\n## Peak memory\n\nThe largest resident size of each process in the whole run, in MiB.\n\n| | |\n|---|---|\n")
	for _, c := range r.planes {
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(c.peak)) {
			parts = append(parts, fmt.Sprintf("%s %d", name, c.peak[name]>>20))
		}
		fmt.Fprintf(b, "| %s | %s |\n", c.name, strings.Join(parts, ", "))
	}
}

// processor spells the CPU time of a task: of all processes, and of each when
// there are several.
func (c *contest) processor(turns []turn, format string, of func(turn, time.Duration) float64) string {
	all := fmt.Sprintf(format, median(turns, func(t turn) float64 {
		var sum time.Duration
		for _, d := range t.cpu {
			sum += d
		}
		return of(t, sum)
	}))
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(c.processes)) {
		parts = append(parts, fmt.Sprintf("%s "+format, name, median(turns, func(t turn) float64 { return of(t, t.cpu[name]) })))
	}
	if len(parts) < 2 {
		return all
	}
	return fmt.Sprintf("%s (%s)", all, strings.Join(parts, ", "))
}

// against is how much faster the plane was than the first one, turn by turn.
func (r report) against(c *contest, task task) float64 {
	base, turns := r.planes[0].turns[task.name], c.turns[task.name]
	ratios := make([]float64, len(turns))
	for i := range turns {
		ratios[i] = base[i].wall.Seconds() / turns[i].wall.Seconds()
	}
	return middle(ratios)
}

func median(turns []turn, of func(turn) float64) float64 {
	values := make([]float64, len(turns))
	for i, t := range turns {
		values[i] = of(t)
	}
	return middle(values)
}

// middle is the median; 0 of nothing.
func middle(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	half := len(values) / 2
	if len(values)%2 == 1 {
		return values[half]
	}
	return (values[half-1] + values[half]) / 2
}

// quantile is the value below which the share q of the sorted values lies.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

var units = []struct {
	name string
	size int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// parseSize reads a size such as 64MiB.
func parseSize(text string) (int64, error) {
	for _, u := range units {
		number, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 32)
		if err != nil || n < 0 {
			break
		}
		return n * u.size, nil
	}
	return 0, fmt.Errorf("size %q: want a number and B, KiB, MiB or GiB", text)
}

func formatSize(n int64) string {
	for _, u := range units {
		if n%u.size == 0 {
			return fmt.Sprintf("%d %s", n/u.size, u.name)
		}
	}
	return "0 B"
}
