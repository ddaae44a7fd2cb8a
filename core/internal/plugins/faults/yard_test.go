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
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/plugins"
)

// patience bounds every wait; a machine that is busy with other things does not
// fail a row.
const patience = 30 * time.Second

// yard is a gateway's surroundings for one row: a plugin folder, a data folder,
// a log, a host, and a healthy plugin that must not notice anything.
type yard struct {
	*testing.T
	root    string
	dir     string // plugin folder
	data    string // the gateway's data folder
	log     *logBook
	options plugins.Options
	timing  *plugins.Timing // of the options

	host      *plugins.Host
	specs     []plugins.Spec // beside the bystander
	supervise map[string]bool
	bystander *bystander
	journal   *journal
	before    possessions
	figures   []figure
	closed    bool
}

// figure is something that was measured, with what it should be at most.
type figure struct {
	what     string
	bound    time.Duration
	measured time.Duration
}

// newYard makes the folders. A plugin that fails is not started again by itself
// unless the row changes the timing.
func newYard(t *testing.T) *yard {
	t.Helper()
	root, err := os.MkdirTemp("", "sf") // the paths of t.TempDir are too long for sockets
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	y := &yard{
		T:         t,
		root:      root,
		dir:       filepath.Join(root, "plugins"),
		data:      filepath.Join(root, "home"),
		log:       &logBook{},
		supervise: make(map[string]bool),
	}
	must(t, os.Mkdir(y.dir, 0o755))
	must(t, os.Chmod(y.dir, 0o755))
	y.options = plugins.Options{
		Dirs:       []string{y.dir},
		DataDir:    y.data,
		HomeDir:    filepath.Join(root, "nobody"),
		DeviceName: func() string { return "Study" },
		Version:    "9.9",
		Log:        hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: y.log, Name: "plugins"}),
		RunDir:     root,
		Timing:     patient(),
	}
	y.timing = &y.options.Timing
	return y
}

// patient are durations that a busy machine meets.
func patient() plugins.Timing {
	return plugins.Timing{
		Start:          patience,
		Connect:        patience,
		Configure:      patience,
		HealthInterval: time.Hour,
		HealthTimeout:  patience,
		BackoffMin:     time.Hour,
		BackoffMax:     time.Hour,
		Grace:          patience,
		ExitWait:       patience,
		TermWait:       100 * time.Millisecond,
		KillWait:       patience,
		Debounce:       time.Millisecond,
		Settle:         30 * time.Millisecond,
		Rescan:         50 * time.Millisecond,
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start starts the host with the bystander, sees that it serves, counts what the
// process owns, and then enables the faulty plugins. It does not wait for those.
func (y *yard) start(modes ...string) {
	y.Helper()
	y.install("bystander")
	for _, mode := range modes {
		y.install(mode)
	}
	y.host = plugins.New(y.options)
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	must(y, y.host.Start(ctx, specsFor("bystander")))
	y.journal = keepJournal(y.host)
	y.bystander = watchBystander(y)
	y.before = takeStock()
	y.enable(specsFor(modes...)...)
}

// enable adds to what the configuration enables; a plugin that is there already
// is changed.
func (y *yard) enable(specs ...plugins.Spec) {
	for _, s := range specs {
		y.supervise[s.Name] = true
		y.specs = slices.DeleteFunc(y.specs, func(old plugins.Spec) bool { return old.Name == s.Name })
		y.specs = append(y.specs, s)
	}
	y.apply()
}

// disable takes plugins out of the configuration.
func (y *yard) disable(names ...string) {
	y.specs = slices.DeleteFunc(y.specs, func(s plugins.Spec) bool { return slices.Contains(names, s.Name) })
	y.apply()
}

func (y *yard) apply() {
	y.host.Apply(append(specsFor("bystander"), y.specs...), y.options.Dirs)
}

func specsFor(names ...string) []plugins.Spec {
	var specs []plugins.Spec
	for _, n := range names {
		specs = append(specs, plugins.Spec{Name: n, Enabled: true})
	}
	return specs
}

// configured is a spec with a configuration on line 7 of a file.
func configured(name, source string) plugins.Spec {
	return plugins.Spec{Name: name, Enabled: true, Config: plugins.Block{Filename: "/etc/config.hcl", Source: []byte(source), Line: 7, Column: 1}}
}

// install puts the fault plugin into the plugin folder under a name.
func (y *yard) install(name string) string {
	y.Helper()
	path := y.program(name)
	must(y, os.WriteFile(path, read(y, faultProgram), 0o755))
	must(y, os.Chmod(path, 0o755))
	return path
}

// program is where a plugin's program is.
func (y *yard) program(name string) string { return filepath.Join(y.dir, "salita-plugin-"+name) }

// installVersion puts a program of its own content in the place of the plugin's,
// in one step, and has it say that version.
func (y *yard) installVersion(name string, version int) {
	y.Helper()
	y.put(name, "version", fmt.Sprintf("%d.0.0", version))
	fresh := y.program(name) + ".new"
	must(y, os.WriteFile(fresh, versionOf(y, version), 0o755))
	must(y, os.Chmod(fresh, 0o755))
	must(y, os.Rename(fresh, y.program(name)))
}

// versionOf is the fault plugin with some bytes behind it that nobody reads.
func versionOf(t testing.TB, version int) []byte {
	return fmt.Appendf(read(t, faultProgram), "version %d", version)
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return data
}

// folder is a plugin's data folder.
func (y *yard) folder(name string) string { return filepath.Join(y.data, "data", name) }

// put writes a file into a plugin's data folder.
func (y *yard) put(name, file, text string) {
	y.Helper()
	must(y, os.MkdirAll(y.folder(name), 0o700))
	must(y, os.WriteFile(filepath.Join(y.folder(name), file), []byte(text), 0o600))
}

// remove removes a file from a plugin's data folder.
func (y *yard) remove(name, file string) {
	y.Helper()
	must(y, os.Remove(filepath.Join(y.folder(name), file)))
}

// notes are the lines that a plugin left in a file.
func (y *yard) notes(name, file string) []string {
	text, err := os.ReadFile(filepath.Join(y.folder(name), file))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// times are the moments in the notes of a file.
func (y *yard) times(name, file string) []time.Time {
	y.Helper()
	var moments []time.Time
	for _, line := range y.notes(name, file) {
		first, _, _ := strings.Cut(line, " ")
		n, err := strconv.ParseInt(first, 10, 64)
		must(y, err)
		moments = append(moments, time.Unix(0, n))
	}
	return moments
}

// measure notes a figure. A row fails by it only when no load of the machine
// explains it.
func (y *yard) measure(what string, bound, measured time.Duration) {
	y.Helper()
	y.figures = append(y.figures, figure{what, bound, measured})
	if measured > 20*bound+patience {
		y.Errorf("%s took %s, should be %s", what, measured, bound)
	}
}

// until waits, and fails only when patience is over.
func (y *yard) until(what string, ok func() bool) {
	y.Helper()
	deadline := time.Now().Add(patience)
	for pause := time.Millisecond; !ok(); pause = min(2*pause, 20*time.Millisecond) {
		if time.Now().After(deadline) {
			y.Fatalf("not so within %s: %s; the board: %+v", patience, what, y.host.Plugins())
		}
		time.Sleep(pause)
	}
}

// find looks a plugin up on the board.
func (y *yard) find(name string) (plugins.Status, bool) {
	all := y.host.Plugins()
	i := slices.IndexFunc(all, func(s plugins.Status) bool { return s.Name == name })
	if i < 0 {
		return plugins.Status{}, false
	}
	return all[i], true
}

// await waits until the plugin is in the state.
func (y *yard) await(name string, state plugins.State) plugins.Status {
	y.Helper()
	return y.awaitStatus(name, "state "+string(state), func(s plugins.Status) bool { return s.State == state })
}

// awaitStatus waits, without polling, until a plugin's status is as wanted.
func (y *yard) awaitStatus(name, what string, ok func(plugins.Status) bool) plugins.Status {
	y.Helper()
	timeout := time.After(patience)
	for {
		changed := y.host.Changed()
		s, known := y.find(name)
		if known && ok(s) {
			return s
		}
		select {
		case <-changed:
		case <-timeout:
			y.Fatalf("%s is %+v, want: %s", name, s, what)
		}
	}
}

// wants waits for a state, the owner's sentence with these words and a log line
// with those.
func (y *yard) wants(name string, state plugins.State, friendly, logged string) {
	y.Helper()
	s := y.awaitStatus(name, fmt.Sprintf("%s, with %q", state, friendly), func(s plugins.Status) bool {
		return s.State == state && strings.Contains(s.LastError, friendly)
	})
	if friendly == "" && s.LastError != "" {
		y.Errorf("%s: the owner reads %q", name, s.LastError)
	}
	y.awaitLog(logged)
}

// awaitLog waits until the log holds the text.
func (y *yard) awaitLog(text string) {
	y.Helper()
	y.until(fmt.Sprintf("log holds %q", text), func() bool { return strings.Contains(y.log.String(), text) })
}

// try makes one request.
func (y *yard) try(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	y.Helper()
	r, err := http.NewRequestWithContext(ctx, method, "http://gateway"+path, body)
	must(y, err)
	return y.send(r)
}

// send sends a request of the row's own making.
func (y *yard) send(r *http.Request) (*http.Response, error) {
	y.Helper()
	match, ok := y.host.Route(r.Method, r.URL.EscapedPath())
	if !ok {
		y.Fatalf("no route for %s %s; the board: %+v", r.Method, r.URL, y.host.Plugins())
	}
	return match.RoundTrip(r)
}

// get makes a request and reads the answer.
func (y *yard) get(path string) (*http.Response, string) {
	y.Helper()
	resp, err := y.try(context.Background(), "GET", path, nil)
	must(y, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(y, err)
	return resp, string(text)
}

// serves fails the row unless the plugin answers.
func (y *yard) serves(name string) {
	y.Helper()
	if _, text := y.get("/" + name + "/hello"); !strings.HasPrefix(text, "hello") {
		y.Errorf("%s answers %q", name, text)
	}
}

// pid is the process that serves for a plugin.
func (y *yard) pid(name string) int {
	y.Helper()
	_, text := y.get("/" + name + "/pid")
	pid, err := strconv.Atoi(text)
	must(y, err)
	return pid
}

// logBook collects a log for several goroutines.
type logBook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write takes in a piece.
func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String is the log so far.
func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
