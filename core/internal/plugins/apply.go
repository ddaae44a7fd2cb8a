package plugins

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/control"
)

// watchedFolder is a folder with what the host was told about it.
type watchedFolder struct {
	dir      string
	programs []program
	listed   bool
	end      context.CancelFunc
}

// Apply makes the plugins what the configuration says from now on, whatever they
// are doing. dirs are all plugin folders; the first program of a name counts.
// A plugin that is new is started, one that is not wanted any more stops
// gracefully. When its environment or digest changed, a new process takes over
// from the old one; when only its settings did, the running process is told, and
// goes on with the earlier ones if it refuses. A plugin that failed or is in
// quarantine starts again when something about it changed. What has not changed
// is left alone.
//
// Apply never waits for a plugin or a folder. Of two calls the later one counts.
// Before Start and after Close it does nothing.
func (h *Host) Apply(specs []Spec, dirs []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.run == nil || h.life.Err() != nil {
		return
	}
	h.specs = slices.Clone(specs)
	h.watch(dirs)
	h.reconcile()
}

// Refresh takes what the gateway tells its plugins about itself, such as the
// device's name, to those that run. It never waits for one.
func (h *Host) Refresh() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reconcile()
}

// watch begins to watch folders that are new and ends the watch over those that
// are not wanted any more.
func (h *Host) watch(dirs []string) {
	earlier := h.folders
	h.folders = nil
	for _, dir := range dirs {
		dir = filepath.Clean(dir)
		if slices.ContainsFunc(h.folders, func(f *watchedFolder) bool { return f.dir == dir }) {
			continue
		}
		i := slices.IndexFunc(earlier, func(f *watchedFolder) bool { return f.dir == dir })
		if i < 0 {
			h.folders = append(h.folders, h.newFolder(dir))
			continue
		}
		h.folders = append(h.folders, earlier[i])
		earlier = slices.Delete(slices.Clone(earlier), i, i+1)
	}
	for _, f := range earlier {
		f.end()
	}
}

func (h *Host) newFolder(dir string) *watchedFolder {
	ctx, cancel := context.WithCancel(h.life)
	w := &watchedFolder{dir: dir, end: cancel}
	tell := func(programs []program) {
		h.mu.Lock()
		defer h.mu.Unlock()
		w.programs, w.listed = programs, true
		h.reconcile()
	}
	late := func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		w.listed = true
		h.reconcile()
	}
	f := newFolder(dir, h.opts.Timing, h.opts.Log, tell, late)
	h.watching.Go(func() { f.run(ctx) })
	return w
}

// reconcile gives every supervisor what is to be done, and puts the programs
// that nobody runs on the board. It waits until every folder was looked at once:
// a plugin is not missing before. The caller holds the lock.
func (h *Host) reconcile() {
	if h.life.Err() != nil || slices.ContainsFunc(h.folders, func(f *watchedFolder) bool { return !f.listed }) {
		return
	}
	programs, doubles := merge(h.listings())
	h.warnOfDoubles(doubles)
	device := h.opts.DeviceName()
	for _, spec := range h.specs {
		if spec.Enabled {
			h.assign(assignment{wanted: true, spec: spec, program: h.programFor(spec.Name, programs), device: device})
		}
	}
	for name, s := range h.supervisors {
		if !enabledIn(h.specs, name) {
			s.inbox.assign(assignment{program: programs[name]})
		}
	}
	h.showFound(programs)
	select {
	case <-h.ready:
	default:
		close(h.ready)
	}
}

func (h *Host) listings() [][]program {
	listings := make([][]program, len(h.folders))
	for i, f := range h.folders {
		listings[i] = f.programs
	}
	return listings
}

func (h *Host) warnOfDoubles(doubles []double) {
	for _, d := range doubles {
		d = double{used: program{name: d.used.name, path: d.used.path}, ignored: program{path: d.ignored.path}}
		if !h.doubles[d] {
			h.doubles[d] = true
			h.opts.Log.Warn("two programs for one plugin, the first is used", "plugin", printable(d.used.name, sdk.MaxNameLength), "used", d.used.path, "ignored", d.ignored.path)
		}
	}
}

// programFor is what runs the plugin, or why nothing does.
func (h *Host) programFor(name string, programs map[string]program) program {
	if !sdk.ValidName(name) {
		return program{name: name, problem: sdk.Errorf(sdk.Invalid, "%q can't be the name of a plugin.", printable(name, sdk.MaxNameLength))}
	}
	p, ok := programs[name]
	if !ok {
		dirs := make([]string, len(h.folders))
		for i, f := range h.folders {
			dirs[i] = f.dir
		}
		return program{name: name, problem: missing(name, dirs)}
	}
	return p
}

// assign hands the assignment to the plugin's supervisor and makes it one when
// there is none.
func (h *Host) assign(a assignment) {
	name := a.spec.Name
	s, ok := h.supervisors[name]
	if !ok {
		h.board.update(name, func(e *entry) { *e = newEntry(a.program, Starting) })
		log := h.opts.Log.Named(printable(name, sdk.MaxNameLength))
		s = newSupervisor(h.carryOut, h.timing(name), jitter, log, func(r report) { h.show(name, r) })
		s.publish = h.opts.Publish
		h.supervisors[name] = s
		h.work.Go(func() { s.run(h.life) })
		log.Debug("plugin enabled")
	}
	s.inbox.assign(a)
}

// show puts what a supervisor reports on the board.
func (h *Host) show(name string, r report) {
	p := r.assignment.program
	p.name = name
	switch {
	case r.assignment.wanted || r.state != Stopped:
		h.board.update(name, func(e *entry) {
			if e.status.Name == "" {
				*e = newEntry(p, r.state)
			}
			e.apply(r)
		})
	case p.path != "":
		h.board.update(name, func(e *entry) { *e = foundEntry(p) })
	default:
		h.board.remove(name)
	}
}

// showFound brings the board up to date about programs without a supervisor.
func (h *Host) showFound(programs map[string]program) {
	for name := range h.board.look().entries {
		_, exists := programs[name]
		if _, supervised := h.supervisors[name]; !supervised && !exists {
			h.board.remove(name)
		}
	}
	for name, p := range programs {
		if _, supervised := h.supervisors[name]; !supervised {
			h.board.update(name, func(e *entry) { *e = foundEntry(p) })
		}
	}
}

func enabledIn(specs []Spec, name string) bool {
	return slices.ContainsFunc(specs, func(s Spec) bool { return s.Name == name && s.Enabled })
}

// launch carries out one order of a supervisor.
func (h *Host) launch(ctx context.Context, o order) (launched, error) {
	l := h.launcher(o)
	if dir := h.attachTo[o.spec.Name]; dir != "" {
		return l.attach(ctx, dir)
	}
	return l.launch(ctx)
}

func (h *Host) launcher(o order) *launcher {
	name := o.spec.Name
	return &launcher{
		order:       o,
		vault:       h.vault,
		reserved:    h.opts.Reserved,
		gatewayDir:  h.opts.DataDir,
		dataDir:     dataFolder(h.opts.DataDir, name),
		sockets:     h.socketFolder,
		environment: h.environment,
		lookupEnv:   os.LookupEnv,
		mesh:        h.opts.Mesh(name),
		transport:   h.opts.Transport,
		maxRequests: h.opts.MaxRequests,
		timing:      h.opts.Timing,
		log:         h.opts.Log.Named(printable(name, sdk.MaxNameLength)),
	}
}

// environment is what the plugin is told about where it runs, but for its own
// folders.
func (h *Host) environment(a assignment) control.Environment {
	return control.Environment{
		DeviceName:     a.device,
		HomeDir:        h.opts.HomeDir,
		GatewayVersion: h.opts.Version,
		Features:       control.Features(),
	}
}
