package plugins

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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
	Timing      Timing
}

// defaultMaxRequests is how many requests a plugin gets at once.
const defaultMaxRequests = 256

// Host runs the plugins of this gateway. Create it with New, then Start, then
// Run or Close.
type Host struct {
	opts  Options
	board *board

	runMu sync.Mutex
	run   *runDir

	supervisors map[string]*supervisor // fixed by Start
	life        context.Context        // ends when everything is to stop
	end         context.CancelFunc
	work        sync.WaitGroup
	closeOnce   sync.Once
	closeErr    error
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
	if opts.DeviceName == nil {
		opts.DeviceName = func() string { return "" }
	}
	life, end := context.WithCancel(context.Background())
	return &Host{opts: opts, board: newBoard(), supervisors: make(map[string]*supervisor), life: life, end: end}
}

// Start looks for programs, starts the enabled plugins side by side and returns
// when each is running or has failed once, at the latest after Timing.Start and
// a moment. Supervision goes on until Close. A plugin that cannot be started is
// no error of Start: Plugins tells. Start may be called once. When ctx ends
// first, everything is stopped again.
func (h *Host) Start(ctx context.Context, specs []Spec) error {
	bases := runBases()
	if h.opts.RunDir != "" {
		bases = []string{h.opts.RunDir}
	}
	run, err := openRunDir(bases, h.opts.Log)
	if err != nil {
		return fmt.Errorf("start plugins: %w", err)
	}
	h.run = run
	h.enlist(scan(h.opts.Dirs, h.opts.Log), specs)
	for name, s := range h.supervisors {
		h.work.Go(func() { s.run(h.life) })
		h.opts.Log.Debug("plugin enabled", "plugin", name)
	}
	if err := h.awaitSettled(ctx); err != nil {
		return errors.Join(fmt.Errorf("start plugins: %w", err), h.Close())
	}
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
		h.end()
		h.work.Wait()
		h.runMu.Lock()
		defer h.runMu.Unlock()
		if h.run != nil {
			h.closeErr = h.run.close()
		}
	})
	return h.closeErr
}

// Restart stops the plugin gracefully and starts it again; failures before are
// forgiven. It does not wait for either.
func (h *Host) Restart(name string) error {
	s, ok := h.supervisors[name]
	if !ok {
		return sdk.Errorf(sdk.NotFound, "There is no plugin of that name to restart.")
	}
	s.ask(h.life, inRestart)
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

// enlist puts everything on the board and makes the supervisors.
func (h *Host) enlist(programs []program, specs []Spec) {
	found := make(map[string]program, len(programs))
	for _, p := range programs {
		found[p.name] = p
	}
	for _, spec := range specs {
		if !spec.Enabled {
			continue
		}
		p, ok := found[spec.Name]
		if !ok {
			p = program{name: spec.Name, problem: missing(spec.Name, h.opts.Dirs)}
		}
		delete(found, spec.Name)
		h.supervise(spec, p)
	}
	for _, p := range found {
		h.board.update(p.name, func(e *entry) {
			name := printable(p.name, sdk.MaxNameLength)
			e.status = Status{Name: name, Title: name, State: Found, Path: p.path, LastError: friendly(p.problem, name)}
		})
	}
}

func (h *Host) supervise(spec Spec, p program) {
	if !sdk.ValidName(spec.Name) {
		p = program{name: spec.Name, problem: sdk.Errorf(sdk.Invalid, "%q can't be the name of a plugin.", printable(spec.Name, sdk.MaxNameLength))}
	}
	h.board.update(spec.Name, func(e *entry) {
		name := printable(spec.Name, sdk.MaxNameLength)
		e.status = Status{Name: name, Title: name, State: Starting, Path: p.path}
	})
	l := h.launcher(spec, p)
	h.supervisors[spec.Name] = newSupervisor(l.launch, h.opts.Timing, jitter, l.log, func(r report) {
		h.board.update(spec.Name, func(e *entry) { e.apply(r) })
	})
}

func (h *Host) launcher(spec Spec, p program) *launcher {
	return &launcher{
		spec:     spec,
		program:  p,
		reserved: h.opts.Reserved,
		dataDir:  dataFolder(h.opts.DataDir, spec.Name),
		cacheDir: filepath.Join(h.opts.DataDir, "cache", "plugins"),
		sockets:  h.socketFolder,
		environment: func() control.Environment {
			return control.Environment{
				DeviceName:     h.opts.DeviceName(),
				HomeDir:        h.opts.HomeDir,
				GatewayVersion: h.opts.Version,
			}
		},
		lookupEnv:   os.LookupEnv,
		transport:   h.opts.Transport,
		maxRequests: h.opts.MaxRequests,
		timing:      h.opts.Timing,
		log:         h.opts.Log.Named(printable(spec.Name, sdk.MaxNameLength)),
	}
}

// socketFolder is the private folder, made anew if somebody removed it.
func (h *Host) socketFolder() (string, error) {
	h.runMu.Lock()
	defer h.runMu.Unlock()
	if err := h.run.ensure(); err != nil {
		return "", fmt.Errorf("make private folder for sockets: %w", err)
	}
	return h.run.path, nil
}

// awaitSettled waits until no plugin is in its first launch any more. Every
// launch has its own deadline, so this ends.
func (h *Host) awaitSettled(ctx context.Context) error {
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
