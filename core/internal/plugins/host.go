package plugins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/control"
)

// Options say how a Host works. Dirs, DataDir and Log are required.
type Options struct {
	Dirs       []string      // plugin folders; the first program of a name counts
	DataDir    string        // the gateway's data folder; a plugin owns data/<name> in it
	HomeDir    string        // the owner's home folder, told to plugins
	DeviceName func() string // this device's name right now, told to plugins
	Version    string        // the gateway's version, told to plugins
	Log        hclog.Logger

	Reserved    []string  // plugin names to refuse beside the built-in ones
	RunDir      string    // where the private folder for sockets is made; "": the user's runtime or temporary folder
	Transport   Transport // makes the HTTP client of each launch; nil: dataplane's
	MaxRequests int       // at once per plugin; 0: 256

	// Mesh is what the gateway serves to the plugin of that name, on a socket of
	// its own: the way to other devices. nil, or a nil handler, offers nothing.
	Mesh    func(plugin string) http.Handler
	Publish Publish // takes the plugins' own events; nil: nobody

	Timing Timing
}

// defaultMaxRequests is how many requests a plugin gets at once.
const defaultMaxRequests = 256

// Host runs the plugins of this gateway. Create it with New, then Start, then
// Run or Close.
type Host struct {
	opts  Options
	board *board
	vault *vault

	carryOut func(context.Context, order) (launched, error) // one order of a supervisor
	attachTo map[string]string                              // folders of the plugins that a person starts, by name; fixed by Start

	runMu sync.Mutex
	run   *runDir

	// What the host goes by, and whom it has set to work for it.
	mu          sync.Mutex
	specs       []Spec
	folders     []*watchedFolder       // in the order in which they count
	supervisors map[string]*supervisor // by name; one that was needed once stays
	doubles     map[double]bool        // that were warned about
	ready       chan struct{}          // closed when the folders were looked at once

	life      context.Context // ends when everything is to stop
	end       context.CancelFunc
	work      sync.WaitGroup // supervisors
	watching  sync.WaitGroup // folders
	closeOnce sync.Once
	closeErr  error
}

// New returns a host that has done nothing yet.
func New(opts Options) *Host {
	opts.Timing = opts.Timing.withDefaults()
	if opts.MaxRequests <= 0 {
		opts.MaxRequests = defaultMaxRequests
	}
	if opts.Transport == nil {
		opts.Transport = standardTransport(opts.MaxRequests)
	}
	if opts.Mesh == nil {
		opts.Mesh = func(string) http.Handler { return nil }
	}
	if opts.Publish == nil {
		opts.Publish = func(string, string, json.RawMessage, uint64) {}
	}
	if opts.DeviceName == nil {
		opts.DeviceName = func() string { return "" }
	}
	life, end := context.WithCancel(context.Background())
	h := &Host{
		opts:        opts,
		board:       newBoard(),
		supervisors: make(map[string]*supervisor),
		doubles:     make(map[double]bool),
		ready:       make(chan struct{}),
		life:        life,
		end:         end,
	}
	h.carryOut = h.launch
	return h
}

// Start looks for programs, starts the enabled plugins side by side and returns
// when each is running or has failed once, at the latest after Timing.Start and
// a moment. Supervision goes on until Close, and so does the watch over the
// plugin folders. A plugin that cannot be started is no error of Start: Plugins
// tells. Start may be called once. When ctx ends first, everything is stopped
// again.
func (h *Host) Start(ctx context.Context, specs []Spec) error {
	if err := h.open(); err != nil {
		return fmt.Errorf("start plugins: %w", err)
	}
	h.Apply(specs, h.opts.Dirs)
	if err := h.awaitSettled(ctx); err != nil {
		return errors.Join(fmt.Errorf("start plugins: %w", err), h.Close())
	}
	return nil
}

// open makes the private folders.
func (h *Host) open() error {
	attachTo, err := control.ParseAttach(os.Getenv(control.AttachVariable))
	if err != nil {
		return err
	}
	bases := runBases()
	if h.opts.RunDir != "" {
		bases = []string{h.opts.RunDir}
	}
	run, err := openRunDir(bases, h.opts.Log)
	if err != nil {
		return err
	}
	vault, err := openVault(filepath.Join(h.opts.DataDir, "cache", "plugins"), h.opts.Log)
	if err != nil {
		return errors.Join(err, run.close())
	}
	logSandbox(h.opts.Log)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.run, h.vault, h.attachTo = run, vault, attachTo
	return nil
}

// Run blocks until ctx ends, then stops every plugin as Close does.
func (h *Host) Run(ctx context.Context) error {
	<-ctx.Done()
	return h.Close()
}

// Close stops all plugins side by side: requests in flight may finish within
// Timing.Grace. It returns when nothing of them is left; later calls return the
// same.
func (h *Host) Close() error {
	h.closeOnce.Do(func() {
		h.mu.Lock()
		h.end()
		h.mu.Unlock()
		h.work.Wait()
		h.awaitFolders()
		h.runMu.Lock()
		defer h.runMu.Unlock()
		if h.run != nil {
			h.closeErr = errors.Join(h.run.close(), h.vault.close())
		}
	})
	return h.closeErr
}

// awaitFolders waits for those who watch the folders. One that hangs on a drive
// which does not answer is left behind.
func (h *Host) awaitFolders() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.watching.Wait()
	}()
	timer := time.NewTimer(h.opts.Timing.KillWait)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		h.opts.Log.Warn("a plugin folder does not answer, its watch is left behind")
	}
}

// Restart lets a new process of the plugin take over; failures before are
// forgiven. It does not wait for that.
func (h *Host) Restart(name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.supervisors[name]
	if !ok || !enabledIn(h.specs, name) {
		return sdk.Errorf(sdk.NotFound, "There is no plugin of that name to restart.")
	}
	s.inbox.restart()
	return nil
}

// Plugins lists every plugin that is enabled or found, by name.
func (h *Host) Plugins() []Status {
	return slices.Clone(h.board.look().statuses)
}

// Capabilities lists what this device can do right now: the capabilities of the
// plugins that are healthy at this moment. It never waits for a plugin.
func (h *Host) Capabilities() []sdk.Capability {
	return slices.Clone(h.board.look().capabilities)
}

// Changed returns a channel that is closed when anything that Plugins or
// Capabilities tells changes after this call. Take the channel first, then look.
func (h *Host) Changed() <-chan struct{} { return h.board.next() }

// socketFolder is the private folder, made anew if somebody removed it.
func (h *Host) socketFolder() (string, error) {
	h.runMu.Lock()
	defer h.runMu.Unlock()
	if err := h.run.ensure(); err != nil {
		return "", fmt.Errorf("make private folder for sockets: %w", err)
	}
	return h.run.path, nil
}

// awaitSettled waits until the folders were looked at and no plugin is in its
// first launch any more. Every launch has its own deadline, so this ends.
func (h *Host) awaitSettled(ctx context.Context) error {
	select {
	case <-h.ready:
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		changed := h.board.next()
		if h.board.look().settled() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// jitter spreads a delay by a fifth to either side, so that plugins that failed
// together do not come back together.
func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}
