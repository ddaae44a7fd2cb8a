package plugins

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
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// testLogger logs everything into the buffer.
func testLogger(b *logBuffer) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: b, Name: "plugins"})
}

func discard() hclog.Logger { return hclog.NewNullLogger() }

// patience bounds every wait of a test; nothing is decided by it.
const patience = time.Minute

// bench is a gateway's surroundings in a temporary folder: a plugin folder, a
// data folder, a log.
type bench struct {
	t    *testing.T
	root string
	dir  string // plugin folder
	data string
	log  *logBuffer
	host *Host
}

// newBench makes a plugin folder with the test plugin under each name.
func newBench(t *testing.T, names ...string) *bench {
	t.Helper()
	root := shortTempDir(t)
	b := &bench{t: t, root: root, dir: filepath.Join(root, "plugins"), data: filepath.Join(root, "home"), log: &logBuffer{}}
	must(t, os.Mkdir(b.dir, 0o755))
	must(t, os.Chmod(b.dir, 0o755))
	for _, name := range names {
		b.install(name)
	}
	return b
}

// shortTempDir is like t.TempDir, whose paths are too long for sockets.
func shortTempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sp")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// install puts the test plugin into the folder.
func (b *bench) install(name string) string {
	b.t.Helper()
	path := filepath.Join(b.dir, filePrefix+name)
	b.link(path)
	return path
}

// link makes the path the test plugin.
func (b *bench) link(path string) {
	b.t.Helper()
	self, err := os.Executable()
	must(b.t, err)
	if err := os.Link(self, path); err != nil {
		copyFile(b.t, self, path)
	}
	must(b.t, os.Chmod(path, 0o755))
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, data, 0o755))
}

// installVersion puts a program of its own content into the folder, in one step.
// It is a script that runs the test plugin, which lies beside it: a new version
// costs nothing.
func (b *bench) installVersion(name string, version int) string {
	b.t.Helper()
	beside := filepath.Join(b.dir, "lib")
	if err := os.Mkdir(beside, 0o755); err == nil {
		must(b.t, os.Chmod(beside, 0o755))
	}
	if _, err := os.Stat(filepath.Join(beside, filePrefix+name)); err != nil {
		b.link(filepath.Join(beside, filePrefix+name))
	}
	script := fmt.Sprintf("#!/bin/sh\n# version %d\nexec \"$(dirname \"$0\")/lib/%s%s\"\n", version, filePrefix, name)
	return b.replace(name, []byte(script))
}

// replace puts another program in the place of one, in one step.
func (b *bench) replace(name string, program []byte) string {
	b.t.Helper()
	path := filepath.Join(b.dir, filePrefix+name)
	must(b.t, os.WriteFile(path+".new", program, 0o755))
	must(b.t, os.Chmod(path+".new", 0o755))
	must(b.t, os.Rename(path+".new", path))
	return path
}

// versionOf is the test plugin with some bytes behind it that nobody reads.
func versionOf(t *testing.T, version int) []byte {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	program, err := os.ReadFile(self)
	must(t, err)
	return fmt.Appendf(program, "version %d", version)
}

// put writes a file into a plugin's data folder.
func (b *bench) put(name, file, text string) {
	b.t.Helper()
	must(b.t, os.MkdirAll(dataFolder(b.data, name), 0o700))
	must(b.t, os.WriteFile(filepath.Join(dataFolder(b.data, name), file), []byte(text), 0o600))
}

// configured lists the libraries that a plugin was configured with, since ever.
func (b *bench) configured(name string) []string {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(dataFolder(b.data, name), "configured"))
	must(b.t, err)
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// quick are durations for tests with real processes: long enough that a loaded
// machine meets them, short enough that nobody waits.
func quick() Timing {
	return Timing{
		Start:          patience,
		Connect:        patience,
		HealthInterval: time.Hour,
		HealthTimeout:  5 * time.Second,
		BackoffMin:     5 * time.Millisecond,
		BackoffMax:     50 * time.Millisecond,
		Grace:          patience,
		ExitWait:       patience,
		TermWait:       100 * time.Millisecond,
		KillWait:       5 * time.Second,
		Debounce:       time.Millisecond,
		Settle:         30 * time.Millisecond,
		Rescan:         50 * time.Millisecond,
	}
}

// enabled are specs without a configuration. GORACE lets plugins of a test
// binary with the race detector exit without its pause of a second.
func enabled(names ...string) []Spec {
	var specs []Spec
	for _, n := range names {
		specs = append(specs, Spec{Name: n, Enabled: true, Env: []string{"GORACE"}})
	}
	return specs
}

// start starts a host over the bench; the end of the test stops it and checks
// that no process is left.
func (b *bench) start(timing Timing, specs []Spec, options ...func(*Options)) *Host {
	b.t.Helper()
	opts := Options{
		Dirs:       []string{b.dir},
		DataDir:    b.data,
		HomeDir:    "/home/owner",
		DeviceName: func() string { return "Study" },
		Version:    "9.9",
		Log:        testLogger(b.log),
		RunDir:     b.root,
		Timing:     timing,
	}
	for _, o := range options {
		o(&opts)
	}
	b.host = New(opts)
	b.t.Cleanup(func() {
		if err := b.host.Close(); err != nil {
			b.t.Errorf("close: %v", err)
		}
		b.checkNothingLeft()
		if b.t.Failed() {
			b.t.Logf("log:\n%s", b.log)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	must(b.t, b.host.Start(ctx, specs))
	return b.host
}

// checkNothingLeft looks for processes of this bench and for its sockets.
func (b *bench) checkNothingLeft() {
	b.t.Helper()
	if runtime.GOOS == "linux" {
		b.eventually("plugin processes are gone", func() bool { return len(b.processes()) == 0 })
	}
	if left, _ := filepath.Glob(filepath.Join(b.root, runPrefix+"*")); len(left) > 0 {
		b.t.Errorf("left behind: %v", left)
	}
}

// processes lists the ids of processes that run from this bench's folders.
func (b *bench) processes() []int {
	var pids []int
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		cmdline, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err == nil && bytes.HasPrefix(cmdline, []byte(b.root)) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// eventually waits until ok; it fails the test only when patience is over.
func (b *bench) eventually(what string, ok func() bool) {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			b.t.Fatalf("not so within %s: %s\nlog:\n%s", patience, what, b.log)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// find looks a plugin up on the board.
func (b *bench) find(name string) (Status, bool) {
	all := b.host.Plugins()
	i := slices.IndexFunc(all, func(s Status) bool { return s.Name == name })
	if i < 0 {
		return Status{}, false
	}
	return all[i], true
}

// status is the state of one plugin on the board.
func (b *bench) status(name string) Status {
	b.t.Helper()
	s, known := b.find(name)
	if !known {
		b.t.Fatalf("no plugin %q on the board", name)
	}
	return s
}

// await waits, without polling, until the plugin is in the state.
func (b *bench) await(name string, state State) Status {
	b.t.Helper()
	return b.awaitStatus(name, "state "+string(state), func(s Status) bool { return s.State == state })
}

// awaitStatus waits, without polling, until the plugin's status is as wanted.
func (b *bench) awaitStatus(name, what string, ok func(Status) bool) Status {
	b.t.Helper()
	timeout := time.After(patience)
	for {
		changed := b.host.Changed()
		s, known := b.find(name)
		if known && ok(s) {
			return s
		}
		select {
		case <-changed:
		case <-timeout:
			b.t.Fatalf("%s is %+v, want: %s\nlog:\n%s", name, s, what, b.log)
		}
	}
}

// awaitGone waits until the plugin is off the board.
func (b *bench) awaitGone(name string) {
	b.t.Helper()
	b.eventually(name+" is off the board", func() bool { _, known := b.find(name); return !known })
}

// restart lets a new process of a running plugin take over and waits for it.
func (b *bench) restart(name string) {
	b.t.Helper()
	pid := b.pid(name)
	must(b.t, b.host.Restart(name))
	b.awaitOther(name, pid)
}

// awaitOther waits until another process than pid serves, alone.
func (b *bench) awaitOther(name string, pid int) {
	b.t.Helper()
	b.eventually("another process of "+name+" serves", func() bool {
		resp, err := b.try(context.Background(), "GET", "/"+name+"/pid", nil)
		if err != nil {
			return false // some do not serve for a moment
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return err == nil && string(text) != strconv.Itoa(pid)
	})
	b.eventually("the earlier process of "+name+" is gone", func() bool { return !slices.Contains(b.processes(), pid) })
}

// call makes one request and reads the answer.
func (b *bench) call(method, path string, body io.Reader) (*http.Response, string) {
	b.t.Helper()
	resp, err := b.try(context.Background(), method, path, body)
	must(b.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(b.t, err)
	return resp, string(text)
}

// try makes one request.
func (b *bench) try(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, "http://gateway"+path, body)
	must(b.t, err)
	return b.match(method, r.URL.EscapedPath()).RoundTrip(r)
}

func (b *bench) match(method, path string) Match {
	b.t.Helper()
	match, ok := b.host.Route(method, path)
	if !ok {
		b.t.Fatalf("no route for %s %s; the board: %+v", method, path, b.host.Plugins())
	}
	return match
}

// pid is the process id of a plugin that is running.
func (b *bench) pid(name string) int {
	b.t.Helper()
	_, text := b.call("GET", "/"+name+"/pid", nil)
	pid, err := strconv.Atoi(text)
	must(b.t, err)
	return pid
}

// touch makes a file in a plugin's data folder.
func (b *bench) touch(name, file string) {
	b.t.Helper()
	b.put(name, file, "")
}

// logBuffer collects a log for several goroutines.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// awaitLog waits until the log holds the text.
func (b *bench) awaitLog(text string) {
	b.t.Helper()
	b.eventually(fmt.Sprintf("log holds %q", text), func() bool { return strings.Contains(b.log.String(), text) })
}

// callAndForget makes a request whose outcome does not matter.
func callAndForget(ctx context.Context, m Match) {
	r, err := http.NewRequestWithContext(ctx, "GET", "http://x/"+m.Plugin+"/hello", nil)
	if err != nil {
		return
	}
	if resp, err := m.RoundTrip(r); err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
}
