//go:build unix

package faults

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/salita-mesh/salita/core/internal/plugins"
	"github.com/salita-mesh/salita/sdk"
)

// end takes the faulty plugins out of the configuration and sees that nothing is
// left of them; then it does the same with the whole host.
func (y *yard) end() {
	y.Helper()
	if y.host == nil {
		return
	}
	if !y.closed && !y.Failed() {
		y.specs = nil
		y.apply()
		y.until("nothing of the faulty plugins is left on the board", func() bool {
			return !slices.ContainsFunc(y.host.Plugins(), func(s plugins.Status) bool { return s.Name != "bystander" && s.State != plugins.Found })
		})
		y.checkStock()
	}
	y.bystander.end(y)
	y.close()
	y.journal.end()
	if n := y.journal.count("bystander", plugins.Running); n != 1 {
		y.Errorf("the bystander came up %d times", n)
	}
	if y.Failed() {
		y.Logf("log:\n%s", tail(y.log.String(), 20_000))
	}
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// close closes the host, once, and checks that nothing of it is left.
func (y *yard) close() {
	y.Helper()
	if y.closed {
		return
	}
	y.closed = true
	y.bystander.end(y)
	if err := y.host.Close(); err != nil {
		y.Errorf("close: %v", err)
	}
	y.until("all processes are gone", func() bool { return len(y.processes()) == 0 })
	for _, pattern := range []string{"salita-run-*", "home/cache/plugins/*", "home/data/*/.tmp/*"} {
		if left, _ := filepath.Glob(filepath.Join(y.root, pattern)); len(left) > 0 {
			y.Errorf("left behind: %v", left)
		}
	}
}

// possessions are what a process can leak.
type possessions struct{ descriptors, goroutines int }

// takeStock counts them: open descriptors, and goroutines of the host and of
// what it uses.
func takeStock() possessions {
	fds, _ := os.ReadDir("/proc/self/fd") // nothing where there is no /proc
	buf := make([]byte, 8<<20)
	buf = buf[:runtime.Stack(buf, true)]
	p := possessions{descriptors: len(fds)}
	for g := range bytes.SplitSeq(buf, []byte("\n\n")) {
		if bytes.Contains(g, []byte("internal/plugins/faults")) {
			continue // our own
		}
		for _, owner := range []string{"internal/plugins.", "internal/dataplane.", "go-plugin", "google.golang.org/grpc"} {
			if bytes.Contains(g, []byte(owner)) {
				p.goroutines++
				break
			}
		}
	}
	return p
}

// checkStock waits until everything is as it was before the faulty plugins: one
// process, its sockets, no more descriptors and goroutines. Of a plugin that was
// enabled once, its idle supervisor stays.
func (y *yard) checkStock() {
	y.Helper()
	y.until("only the bystander's process is left", func() bool { return len(y.processes()) == 1 })
	y.until("only the bystander's sockets are left", func() bool { return len(y.socketFolders()) == 1 })
	now := takeStock()
	allowed := y.before
	allowed.goroutines += len(y.supervise)
	deadline := time.Now().Add(patience)
	for now.descriptors > allowed.descriptors || now.goroutines > allowed.goroutines {
		if time.Now().After(deadline) {
			y.Errorf("leaked: %+v now, %+v before, and %d supervisors since", now, y.before, len(y.supervise))
			return
		}
		time.Sleep(10 * time.Millisecond)
		now = takeStock()
	}
}

// processes lists the ids of processes that run from this yard's folders.
func (y *yard) processes() []int {
	var pids []int
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		cmdline, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err == nil && bytes.HasPrefix(cmdline, []byte(y.root)) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// socketFolders lists the folders of launches.
func (y *yard) socketFolders() []string {
	found, _ := filepath.Glob(filepath.Join(y.root, "salita-run-*", "plugin-dir*"))
	return found
}

// bystander is the healthy plugin with a steady stream of small calls to it.
type bystander struct {
	stop    context.CancelFunc
	ended   sync.WaitGroup
	mu      sync.Mutex
	calls   int
	slowest time.Duration // of the calls
	look    time.Duration // the slowest of the looks at the capabilities
	failure error
}

func watchBystander(y *yard) *bystander {
	ctx, cancel := context.WithCancel(context.Background())
	b := &bystander{stop: cancel}
	b.ended.Go(func() {
		for ctx.Err() == nil {
			b.once(y.host)
			time.Sleep(2 * time.Millisecond)
		}
	})
	y.until("the bystander answers", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.calls > 20
	})
	return b
}

// once makes one call and one look.
func (b *bystander) once(host *plugins.Host) {
	began := time.Now()
	capabilities := host.Capabilities()
	look := time.Since(began)
	err := callBystander(host)
	took := time.Since(began)
	if err == nil && !slices.ContainsFunc(capabilities, func(c sdk.Capability) bool { return c.ID == "bystander.storage" }) {
		err = fmt.Errorf("its capability is missing among %v", capabilities)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls++
	b.slowest, b.look = max(b.slowest, took), max(b.look, look)
	if b.failure == nil {
		b.failure = err
	}
}

func callBystander(host *plugins.Host) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", "http://x/bystander/hello", nil)
	if err != nil {
		return err
	}
	match, ok := host.Route("GET", "/bystander/hello")
	if !ok {
		return fmt.Errorf("no route")
	}
	resp, err := match.RoundTrip(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && !strings.HasPrefix(string(text), "hello") {
		err = fmt.Errorf("got %q", text)
	}
	return err
}

// end ends the stream and says what it saw.
func (b *bystander) end(y *yard) {
	y.Helper()
	if b.stop == nil {
		return
	}
	b.stop()
	b.ended.Wait()
	b.stop = nil
	if b.failure != nil {
		y.Errorf("the bystander noticed, in one of %d calls: %v", b.calls, b.failure)
	}
	y.measure(fmt.Sprintf("bystander, slowest of %d calls", b.calls), 0, b.slowest)
	y.measure("capabilities, slowest look", 50*time.Millisecond, b.look)
}

// journal is what the board showed, with the time.
type journal struct {
	stop  context.CancelFunc
	ended sync.WaitGroup
	mu    sync.Mutex
	seen  []sight
}

type sight struct {
	name  string
	state plugins.State
	at    time.Time
}

func keepJournal(host *plugins.Host) *journal {
	ctx, cancel := context.WithCancel(context.Background())
	j := &journal{stop: cancel}
	last := make(map[string]plugins.State)
	look := func() <-chan struct{} {
		changed := host.Changed()
		now := time.Now()
		j.mu.Lock()
		defer j.mu.Unlock()
		for _, s := range host.Plugins() {
			if last[s.Name] != s.State {
				last[s.Name] = s.State
				j.seen = append(j.seen, sight{s.Name, s.State, now})
			}
		}
		return changed
	}
	changed := look()
	j.ended.Go(func() {
		for {
			select {
			case <-changed:
				changed = look()
			case <-ctx.Done():
				return
			}
		}
	})
	return j
}

func (j *journal) end() {
	j.stop()
	j.ended.Wait()
}

// times are the moments at which a plugin came into a state.
func (j *journal) times(name string, state plugins.State) []time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	var moments []time.Time
	for _, s := range j.seen {
		if s.name == name && s.state == state {
			moments = append(moments, s.at)
		}
	}
	return moments
}

func (j *journal) count(name string, state plugins.State) int { return len(j.times(name, state)) }

// reached is the first moment at which a plugin was in a state.
func (y *yard) reached(name string, state plugins.State) time.Time {
	y.Helper()
	y.until(name+" was "+string(state), func() bool { return y.journal.count(name, state) > 0 })
	return y.journal.times(name, state)[0]
}

// heap is how many bytes the gateway's process has taken from the system for its
// heap and stacks.
func heap() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}

// flat fails the row when the gateway's memory grew since then by more than the
// allowed.
func (y *yard) flat(since, allowed int64) {
	y.Helper()
	grown := heap() - since
	y.Logf("memory grew by %d KiB", grown>>10)
	if grown > allowed {
		y.Errorf("memory grew by %d bytes, %d are allowed", grown, allowed)
	}
}
