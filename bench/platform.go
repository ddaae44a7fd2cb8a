package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// platform is what the plugin host costs and how fast it acts, seen from outside
// a built gateway with the media plugin.
type platform struct {
	launched []time.Duration // from the start of the process to its first healthy answer
	noticed  []time.Duration // from kill -9 to the change of state on the owner's event stream
	back     []time.Duration // from kill -9 to the next answer of the plugin
	health   []time.Duration // answers of /health while the plugin is stopped (SIGSTOP)
	replaced int             // how often the program was replaced under load
	served   int64           // requests answered in that time
	failed   int64           // of them not as they should
	private  int64           // memory of the idle plugin that is its own, in bytes
	resident int64           // memory of the idle plugin with its program's pages, in bytes
	small    []figure        // BenchmarkSmallCall
}

// How often each thing is done for each repetition that was asked for.
const (
	kills        = 2
	replacements = 2
	healthChecks = 100
	smallCalls   = 4000
)

// measurePlatform starts a gateway of its own.
func measurePlatform(ctx context.Context, s *site) (*platform, error) {
	s.progress("plugin platform")
	dir, err := s.folder("platform")
	if err != nil {
		return nil, err
	}
	s = &site{options: s.options, dir: dir, progress: s.progress}
	t, err := startSalita(ctx, s)
	if err != nil {
		return nil, err
	}
	defer t.stop()
	m := &measuring{target: t, owner: newOwner(filepath.Join(s.dir, "salita")), site: s}
	p := &platform{}
	for _, step := range []func(context.Context, *platform) error{m.memory, m.crashes, m.stopped, m.replace} {
		if err := step(ctx, p); err != nil {
			return nil, fmt.Errorf("%w\n%s", err, s.logOf("salita"))
		}
	}
	s.progress("small calls through a plugin")
	p.small, err = goBench(ctx, s.root, "SmallCall", "./core/internal/httpapi", "-benchtime", fmt.Sprintf("%dx", smallCalls*s.reps))
	return p, err
}

type measuring struct {
	*target
	owner owner
	site  *site
}

// memory looks at the plugin before anybody has asked it for anything.
func (m *measuring) memory(_ context.Context, p *platform) error {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", m.processes["plugin"].Pid))
	if err != nil {
		return err
	}
	p.private = smapsField(string(text), "Anonymous")
	p.resident = smapsField(string(text), "Rss")
	return nil
}

func smapsField(text, name string) int64 {
	_, after, _ := strings.Cut(text, "\n"+name+":")
	line, _, _ := strings.Cut(after, "\n")
	kib, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(line), "kB")), 10, 64)
	return kib << 10
}

// change is one "plugin.changed" on the event stream.
type change struct {
	State string `json:"state"`
	Name  string `json:"name"`
	at    time.Time
}

// changes follows the owner's event stream until ctx ends.
func (m *measuring) changes(ctx context.Context) (<-chan change, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", "http://salita/api/events", nil)
	if err != nil {
		return nil, err
	}
	resp, err := m.owner.http.Do(req)
	if err != nil {
		return nil, err
	}
	out := make(chan change, 100)
	go func() {
		defer resp.Body.Close()
		defer close(out)
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
			c := change{at: time.Now()}
			if ok && json.Unmarshal(data, &c) == nil && c.Name == "media" {
				out <- c
			}
		}
	}()
	return out, nil
}

// crashes kills the plugin again and again. Asking for a restart in between makes
// the gateway forget the crash, so that it does not give the plugin up.
func (m *measuring) crashes(ctx context.Context, p *platform) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes, err := m.changes(ctx)
	if err != nil {
		return err
	}
	for range kills * m.site.reps {
		if err := m.crash(ctx, p, changes); err != nil {
			return err
		}
		if err := m.owner.call(ctx, "POST", "/api/plugins/media/restart", nil); err != nil {
			return err
		}
		if err := m.settle(ctx); err != nil {
			return err
		}
		for len(changes) > 0 {
			<-changes
		}
	}
	return nil
}

func (m *measuring) crash(ctx context.Context, p *platform, changes <-chan change) error {
	killed := time.Now()
	if err := m.processes["plugin"].Kill(); err != nil {
		return err
	}
	answered := make(chan time.Time, 1)
	go func() {
		_ = until(ctx, func() error { return m.owner.call(ctx, "GET", "/media?limit=1", nil) })
		answered <- time.Now()
	}()
	var starting time.Time
	for first := true; ; first = false {
		c, ok := <-changes
		if !ok {
			return errors.New("the event stream ended")
		}
		if first {
			p.noticed = append(p.noticed, c.at.Sub(killed))
		}
		switch c.State {
		case "starting":
			starting = c.at
		case "running":
			p.launched = append(p.launched, c.at.Sub(starting))
			p.back = append(p.back, (<-answered).Sub(killed))
			return nil
		}
	}
}

// settle waits until one plugin process answers, and remembers it.
func (m *measuring) settle(ctx context.Context) error {
	time.Sleep(300 * time.Millisecond) // a replaced process drains
	if err := until(ctx, func() error { return m.owner.call(ctx, "GET", "/media?limit=1", nil) }); err != nil {
		return err
	}
	plugin, err := childOf(m.processes["gateway"].Pid)
	m.processes["plugin"] = plugin
	return err
}

// stopped asks for /health while the plugin does not run and requests to it hang.
func (m *measuring) stopped(ctx context.Context, p *platform) error {
	plugin := m.processes["plugin"]
	if err := plugin.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	defer func() { _ = plugin.Signal(syscall.SIGCONT) }()
	hanging, cancel := context.WithCancel(ctx)
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer cancel()
	for range 8 {
		waiting.Go(func() { _ = m.owner.call(hanging, "GET", "/media?limit=1", nil) })
	}
	for range healthChecks * m.site.reps {
		start := time.Now()
		if err := m.owner.call(ctx, "GET", "/health", nil); err != nil {
			return err
		}
		p.health = append(p.health, time.Since(start))
	}
	return nil
}

// replace copies new versions over the program while eight callers go on.
func (m *measuring) replace(ctx context.Context, p *platform) error {
	if err := m.settle(ctx); err != nil {
		return err
	}
	program, err := os.ReadFile(filepath.Join(m.site.bin, "plugins", "salita-plugin-media"))
	if err != nil {
		return err
	}
	folder := filepath.Join(m.site.dir, "salita", "plugins")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	load, cancel := context.WithCancel(ctx)
	var callers sync.WaitGroup
	var served, failed atomic.Int64
	for range 8 {
		callers.Go(func() {
			for load.Err() == nil {
				err := m.owner.call(load, "GET", "/media?limit=1", nil)
				if load.Err() != nil {
					return
				}
				served.Add(1)
				if err != nil {
					failed.Add(1)
					m.site.progress("while replacing: %v", err)
				}
			}
		})
	}
	for n := range replacements * m.site.reps {
		old, _ := childOf(m.processes["gateway"].Pid)
		path := filepath.Join(folder, "salita-plugin-media")
		if err = os.WriteFile(path+".new", fmt.Appendf(slices.Clone(program), "version %d", n), 0o755); err == nil {
			err = os.Rename(path+".new", path)
		}
		if err == nil {
			err = m.replacedBy(ctx, old.Pid)
		}
		if err != nil {
			break
		}
		p.replaced++
	}
	cancel()
	callers.Wait()
	p.served, p.failed = served.Load(), failed.Load()
	return err
}

// replacedBy waits until a process with another number is the only plugin.
func (m *measuring) replacedBy(ctx context.Context, old int) error {
	return until(ctx, func() error {
		if now, err := childOf(m.processes["gateway"].Pid); err != nil || now.Pid == old {
			return errors.New("the old version still runs")
		}
		if err := syscall.Kill(old, 0); err == nil {
			return errors.New("the old version still drains")
		}
		return nil
	})
}

// table writes what was measured.
func (p *platform) table(b *strings.Builder) {
	millis := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	row := func(what string, all []time.Duration) {
		slices.Sort(all)
		fmt.Fprintf(b, "| %s | %.1f | %.1f |\n", what, millis(quantile(all, 0.5)), millis(all[len(all)-1]))
	}
	fmt.Fprintf(b, "\n## The plugin platform\n\nThe media plugin under a gateway of its own; times as its owner sees them, in ms.\n\n| | median | worst |\n|---|---|---|\n")
	row(fmt.Sprintf("kill -9 until the change of state is on the event stream (%d times)", len(p.noticed)), p.noticed)
	row("kill -9 until the plugin answers again, the wait before the restart included", p.back)
	row("start of the process until its first healthy answer", p.launched)
	row(fmt.Sprintf("/health while the plugin is stopped and requests to it hang (%d times)", len(p.health)), p.health)
	fmt.Fprintf(b, "\nReplacing the program %d times under the load of eight callers: %d requests, %d failed. An idle plugin's own memory: %.1f MiB;\nwith the pages of its program file, which the system may drop at any time, %.1f MiB resident.\n",
		p.replaced, p.served, p.failed, float64(p.private)/(1<<20), float64(p.resident)/(1<<20))
	fmt.Fprintf(b, "\n### A small call through a plugin\n\n200 bytes of JSON decoded and encoded: in a plugin, and by the same code inside Fiber after the same checks of the caller. Both\ntake turns in one run (`BenchmarkSmallCall`); CPU is the time that gateway and plugin were on a processor.\n\n| door, connections | inside, calls/s | plugin, calls/s | ratio | inside, CPU µs | plugin, CPU µs |\n|---|---|---|---|---|---|\n")
	for _, f := range p.small {
		_, name, _ := strings.Cut(f.name, "/")
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", name, f.value("inside-calls/s"), f.value("plugin-calls/s"), f.value("plugin/inside"), f.value("inside-cpu-µs/call"), f.value("plugin-cpu-µs/call"))
	}
}
