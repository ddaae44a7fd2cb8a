package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait of these tests. It is long because it only decides
// how late a failure is reported.
const patience = 30 * time.Second

// gateway is one data folder and the gateway that may be running on it.
type gateway struct {
	t       *testing.T
	name    string
	dir     string // data folder
	address string
	library string // where its media plugin keeps files
	log     *syncBuffer

	cmd *exec.Cmd
}

// newGateway prepares a gateway and starts it.
func newGateway(t *testing.T, name string) *gateway {
	t.Helper()
	g := &gateway{t: t, name: name, dir: filepath.Join(t.TempDir(), "data"), address: freeAddress(t), log: &syncBuffer{}}
	g.library = filepath.Join(filepath.Dir(g.dir), "library")
	g.configure(fmt.Sprintf("plugin \"media\" {\n  config {\n    library = %q\n  }\n}\n", g.library))
	g.start()
	t.Cleanup(func() {
		g.kill()
		if t.Failed() {
			t.Logf("log of %s:\n%s", name, g.log.tail(8000))
		}
	})
	return g
}

func (g *gateway) configure(plugins string) {
	g.t.Helper()
	if err := os.MkdirAll(g.dir, 0o700); err != nil {
		g.t.Fatal(err)
	}
	config := fmt.Sprintf("device {\n  name = %q\n}\nserver {\n  address = %q\n}\nlog {\n  level = \"debug\"\n}\n%s", g.name, g.address, plugins)
	if err := os.WriteFile(filepath.Join(g.dir, "config.hcl"), []byte(config), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// start runs the gateway and returns when it answers its owner.
func (g *gateway) start() {
	g.t.Helper()
	g.startIn(g.t.TempDir())
}

// startIn is start in a working folder, with more flags.
func (g *gateway) startIn(dir string, flags ...string) {
	g.t.Helper()
	if err := g.tryStartIn(dir, flags...); err != nil {
		g.t.Fatalf("%s did not start: %v\n%s", g.name, err, g.log.tail(4000))
	}
}

func (g *gateway) tryStart() error { return g.tryStartIn(g.t.TempDir()) }

func (g *gateway) tryStartIn(dir string, flags ...string) error {
	g.cmd = exec.Command(filepath.Join(bin, "salita"), append([]string{"serve", "--data-dir", g.dir}, flags...)...)
	g.cmd.Dir = dir
	g.cmd.Stdout, g.cmd.Stderr = g.log, g.log
	if err := g.cmd.Start(); err != nil {
		return err
	}
	exited := make(chan error, 1)
	go func(cmd *exec.Cmd) { exited <- cmd.Wait() }(g.cmd)
	deadline := time.After(patience)
	for {
		if resp, err := g.owner().Get("http://salita/livez"); err == nil {
			resp.Body.Close()
			return nil
		}
		select {
		case err := <-exited:
			return fmt.Errorf("exited: %v", err)
		case <-deadline:
			return errors.New("no answer")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// kill ends the gateway with SIGKILL and waits until its process is gone.
func (g *gateway) kill() { g.end(syscall.SIGKILL) }

// stop ends the gateway politely and waits until its process is gone.
func (g *gateway) stop() { g.end(syscall.SIGTERM) }

func (g *gateway) end(signal syscall.Signal) {
	if g.cmd == nil {
		return
	}
	g.cmd.Process.Signal(signal)
	// start's goroutine reaps the process; the lock tells when it is gone.
	for range int(patience / (5 * time.Millisecond)) {
		if g.cmd.Process.Signal(syscall.Signal(0)) != nil {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	g.cmd = nil
}

// owner is an HTTP client on the owner's socket.
func (g *gateway) owner() *http.Client {
	return &http.Client{
		Timeout: patience,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, "unix", filepath.Join(g.dir, "admin.sock"))
			},
		},
	}
}

// get decodes the owner's GET of a path.
func (g *gateway) get(path string, out any) error {
	resp, err := g.owner().Get("http://salita" + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s: %s", path, resp.Status, body)
	}
	return json.Unmarshal(body, out)
}

// result is what a finished command left behind.
type result struct {
	out, err string
	code     int
}

// cli runs a salita command against this gateway's data folder.
func (g *gateway) cli(stdin string, args ...string) result {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	defer cancel()
	cmd := g.command(ctx, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		g.t.Fatalf("salita %v: %v", args, err)
	}
	return result{out.String(), errOut.String(), cmd.ProcessState.ExitCode()}
}

func (g *gateway) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "salita"), append([]string{"--data-dir", g.dir}, args...)...)
	cmd.Dir = g.dir
	return cmd
}

// must fails the test unless the command ended with code 0.
func (g *gateway) must(args ...string) string {
	g.t.Helper()
	r := g.cli("", args...)
	if r.code != 0 {
		g.t.Fatalf("salita %v on %s: exit %d\n%s%s", args, g.name, r.code, r.out, r.err)
	}
	return r.out
}

// event is one JSON line of salita pair --json.
type event struct {
	Event   string
	Code    string
	Link    string
	Address string
	PIN     string
	Device  struct{ ID, Name, Kind string }
	Error   string
}

// window is a running salita pair --json that shows the number.
type window struct {
	events chan event
	cancel context.CancelFunc
	done   chan error

	interrupt func() // as Ctrl-C does
}

// openWindow starts pairing on the showing side and returns once it is open.
func (g *gateway) openWindow() (*window, event, error) { return g.follow("pair", "--json") }

// follow runs a command that opens a window and prints its events.
func (g *gateway) follow(args ...string) (*window, event, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	cmd := g.command(ctx, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		cancel()
		return nil, event{}, err
	}
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, event{}, err
	}
	w := &window{
		events: make(chan event, 16), cancel: cancel, done: make(chan error, 1),
		interrupt: func() { cmd.Process.Signal(os.Interrupt) },
	}
	go func() {
		defer close(w.events)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var e event
			if json.Unmarshal(lines.Bytes(), &e) == nil {
				w.events <- e
			}
		}
		w.done <- cmd.Wait()
	}()
	first, err := w.next("open")
	if err != nil {
		cancel()
	}
	return w, first, err
}

// next waits for an event of this name.
func (w *window) next(name string) (event, error) {
	for {
		select {
		case e, ok := <-w.events:
			if !ok {
				return event{}, fmt.Errorf("no %q event before the end", name)
			}
			if e.Event == name {
				return e, nil
			}
			if e.Event == "failed" {
				return e, fmt.Errorf("failed instead of %q: %s", name, e.Error)
			}
		case <-time.After(patience):
			return event{}, fmt.Errorf("no %q event", name)
		}
	}
}

// join runs salita pair LINK on the joining side; pin is asked for the number
// once the joining side needs it.
func (g *gateway) join(link string, pin func() string) result {
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	defer cancel()
	cmd := g.command(ctx, "pair", link, "--json")
	in, err := cmd.StdinPipe()
	if err != nil {
		return result{err: err.Error(), code: -1}
	}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Start(); err != nil {
		return result{err: err.Error(), code: -1}
	}
	go func() {
		fmt.Fprintln(in, pin())
		in.Close()
	}()
	cmd.Wait()
	return result{out.String(), errOut.String(), cmd.ProcessState.ExitCode()}
}

// tryPair pairs two gateways by link and number.
func tryPair(shows, joins *gateway) error {
	w, opened, err := shows.openWindow()
	if err != nil {
		return err
	}
	defer w.cancel()
	r := joins.join(opened.Link, func() string {
		e, _ := w.next("claimed")
		return e.PIN
	})
	if r.code != 0 {
		return fmt.Errorf("join: exit %d: %s%s", r.code, r.out, r.err)
	}
	_, err = w.next("paired")
	return err
}

// pairUp pairs two gateways or fails the test.
func pairUp(t *testing.T, shows, joins *gateway) {
	t.Helper()
	if err := tryPair(shows, joins); err != nil {
		t.Fatalf("pair %s with %s: %v", shows.name, joins.name, err)
	}
}

type device struct {
	ID, Name, Kind, Status string
	Capabilities           []string
}

func (g *gateway) deviceList() []device {
	g.t.Helper()
	var out []device
	if err := json.Unmarshal([]byte(g.must("devices", "--json")), &out); err != nil {
		g.t.Fatal(err)
	}
	return out
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// syncBuffer collects output from several goroutines.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *syncBuffer) tail(n int) string {
	s := b.String()
	if len(s) > n {
		s = "..." + s[len(s)-n:]
	}
	return s
}
