package plugins

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/control"
)

// byHand is a plugin that a person starts, ends and starts again.
type byHand struct {
	t   *testing.T
	dir string
	end context.CancelFunc
	out chan error
}

// startByHand serves the plugin until it is ended or told to stop.
func startByHand(t *testing.T, dir, version string) *byHand {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &byHand{t: t, dir: dir, end: cancel, out: make(chan error, 1)}
	plugin := sdk.Plugin[testConfig]{
		Manifest: sdk.Manifest{
			Name: "hand", Version: version, Title: "Handmade",
			Capabilities: []sdk.Capability{{ID: "hand.work", Title: "Can work"}},
			Routes:       []sdk.Route{{Pattern: "GET /hand/version", Permission: "hand:read"}},
		},
		New: func(_ context.Context, _ sdk.Env, c testConfig) (http.Handler, error) {
			if c.Library == "broken" {
				return nil, errors.New("no such library")
			}
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprint(w, version, " ", c.Library)
			}), nil
		},
	}
	go func() { p.out <- sdk.Serve(ctx, plugin, dir, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(p.stop)
	return p
}

// stop ends the plugin as a person does.
func (p *byHand) stop() {
	p.end()
	p.awaitEnd()
}

// awaitEnd waits for the end that the gateway asked for.
func (p *byHand) awaitEnd() {
	p.t.Helper()
	if err := <-p.out; err != nil {
		p.t.Error(err)
	}
	p.out <- nil // for the next who waits
}

// handSpec enables the plugin with a setting.
func handSpec(library string) []Spec {
	source := []byte(fmt.Sprintf("library = %q", library))
	return []Spec{{Name: "hand", Enabled: true, Config: Block{Filename: "config.hcl", Source: source, Line: 3, Column: 1}}}
}

func attachBench(t *testing.T) (*bench, string) {
	t.Helper()
	b := newBench(t)
	dir := filepath.Join(b.root, "hand")
	t.Setenv(control.AttachVariable, "hand="+dir)
	return b, dir
}

func (b *bench) says(want string) {
	b.t.Helper()
	if _, text := b.call("GET", "/hand/version", nil); text != want {
		b.t.Errorf("got %q, want %q", text, want)
	}
}

// TestAttach lets a plugin come and go more often than any that crashes could.
func TestAttach(t *testing.T) {
	b, dir := attachBench(t)
	p := startByHand(t, dir, "0")
	b.start(quick(), handSpec("a"))
	for i := range 2 * crashLimit {
		b.awaitStatus("hand", "the version that runs by hand", func(s Status) bool {
			return s.State == Running && s.Version == fmt.Sprint(i)
		})
		b.says(fmt.Sprint(i, " a"))
		p.stop()
		b.awaitStatus("hand", "not running", func(s Status) bool { return s.State != Running })
		p = startByHand(t, dir, fmt.Sprint(i+1))
	}
	b.await("hand", Running)
	if c := b.host.Capabilities(); len(c) != 1 || c[0].ID != "hand.work" {
		t.Errorf("capabilities %+v", c)
	}
	must(t, b.host.Close())
	p.awaitEnd() // it was told to stop
}

func TestAttachTakesNewSettings(t *testing.T) {
	b, dir := attachBench(t)
	startByHand(t, dir, "1")
	b.start(quick(), handSpec("a"))
	b.await("hand", Running)
	b.host.Apply(handSpec("b"), []string{b.dir})
	b.eventually("the new setting is in force", func() bool {
		_, text := b.call("GET", "/hand/version", nil)
		return text == "1 b"
	})
	// A program that appears in a plugin folder is not what runs.
	b.install("hand")
	b.awaitStatus("hand", "the program was noticed", func(s Status) bool { return s.Path != "" })
	b.says("1 b")
	if s := b.status("hand"); s.State != Running || s.LastError != "" {
		t.Errorf("%+v", s)
	}
}

func TestAttachRestart(t *testing.T) {
	b, dir := attachBench(t)
	p := startByHand(t, dir, "1")
	b.start(quick(), handSpec("a"))
	b.await("hand", Running)
	must(t, b.host.Restart("hand"))
	p.awaitEnd()
	startByHand(t, dir, "2")
	b.awaitStatus("hand", "version 2", func(s Status) bool { return s.State == Running && s.Version == "2" })
}

func TestAttachWaits(t *testing.T) {
	b, dir := attachBench(t)
	timing := quick()
	timing.Start = attachPoll / 2
	b.start(timing, handSpec("broken")) // nobody is there
	b.awaitStatus("hand", "what it waits for", func(s Status) bool {
		return strings.Contains(s.LastError, "hand waits to be started with --attach.")
	})
	p := startByHand(t, dir, "1")
	b.awaitStatus("hand", "that it cannot start", func(s Status) bool { return strings.Contains(s.LastError, "could not start") })
	b.host.Apply(handSpec("a"), []string{b.dir})
	b.await("hand", Running)
	b.says("1 a")
	p.stop()
}

func TestAttachRefusesAWrongVariable(t *testing.T) {
	t.Setenv(control.AttachVariable, "hand")
	h := New(Options{Dirs: []string{t.TempDir()}, DataDir: t.TempDir(), RunDir: shortTempDir(t), Log: discard()})
	if err := h.Start(t.Context(), nil); err == nil || !strings.Contains(err.Error(), control.AttachVariable) {
		t.Errorf("got %v", err)
	}
	must(t, h.Close())
}
