package plugins

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/control"
)

// Stage is how far an inspection of a plugin came.
type Stage string

// The stages of an inspection, in their order.
const (
	AtProgram  Stage = "program"  // there is none, or it may not be run
	AtPin      Stage = "pin"      // it is not the one that the configuration allows
	AtStart    Stage = "start"    // it does not start, or not as a plugin
	AtManifest Stage = "manifest" // what it says about itself is not allowed
	AtConfig   Stage = "config"   // it refuses its configuration
	Through    Stage = "through"  // nothing is wrong
)

// Inspection is what Inspect found out about one plugin. Texts that came from
// the plugin are printable, but for the remarks.
type Inspection struct {
	Name     string
	Enabled  bool
	Path     string // of the program; "" when there is none
	Stage    Stage  // where it ended; of a plugin that is not enabled nothing comes after AtProgram
	Problem  string // a plain sentence; "" when nothing is wrong
	Manifest sdk.Manifest
	Remarks  []control.Diagnostic // the plugin's own, on its configuration
}

// Findings is everything that Inspect found out.
type Findings struct {
	Plugins []Inspection // that are configured or found, by name
	Remarks []string     // on the folders
}

// inspectAtOnce bounds the plugins that are started side by side.
const inspectAtOnce = 4

// Inspect looks at every plugin as a Host would, and starts those that are
// enabled: for their manifest and for what they say about their configuration.
// None is configured, and each is ended at once. They get a data folder of their
// own for that time, so that a gateway may be running meanwhile. An error means
// that nothing could be found out.
func Inspect(ctx context.Context, opts Options, specs []Spec) (Findings, error) {
	i, err := newInspector(opts)
	if err != nil {
		return Findings{}, fmt.Errorf("inspect plugins: %w", err)
	}
	found := i.list(specs)
	var g errgroup.Group
	g.SetLimit(inspectAtOnce)
	for n := range found.Plugins {
		if p := &found.Plugins[n]; p.Enabled && p.Problem == "" {
			g.Go(func() error { i.start(ctx, p); return nil })
		}
	}
	return found, errors.Join(g.Wait(), ctx.Err(), i.close())
}

// inspector holds what the plugins need while they are inspected.
type inspector struct {
	host     *Host // its folders and options; it supervises nothing
	dir      string
	specs    map[string]Spec
	programs map[string]program
}

func newInspector(opts Options) (*inspector, error) {
	h := New(opts)
	bases := runBases()
	if opts.RunDir != "" {
		bases = []string{opts.RunDir}
	}
	run, err := openRunDir(bases, h.opts.Log)
	if err != nil {
		return nil, err
	}
	dir, err := inspectionFolder(opts.DataDir)
	if err != nil {
		return nil, errors.Join(err, run.close())
	}
	h.run = run
	if h.vault, err = openVault(filepath.Join(dir, "programs"), h.opts.Log); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir), run.close())
	}
	return &inspector{host: h, dir: dir, specs: make(map[string]Spec)}, nil
}

func (i *inspector) close() error {
	i.host.end()
	return errors.Join(i.host.vault.close(), os.RemoveAll(i.dir), i.host.run.close())
}

const (
	inspectPrefix = "check-"
	// abandonedAfter is from when on the folder of an inspection counts as left
	// behind by a crash.
	abandonedAfter = time.Hour
)

// inspectionFolder makes a folder for programs and data, where the gateway keeps
// its own if that is there: temporary folders may not allow to run programs.
func inspectionFolder(dataDir string) (string, error) {
	cache := filepath.Join(dataDir, "cache")
	sweepInspections(cache)
	if dir, err := os.MkdirTemp(cache, inspectPrefix); err == nil {
		return dir, nil
	}
	return os.MkdirTemp("", "salita-"+inspectPrefix)
}

func sweepInspections(cache string) {
	left, _ := filepath.Glob(filepath.Join(globQuote(cache), inspectPrefix+"*"))
	for _, dir := range left {
		if info, err := os.Lstat(dir); err == nil && time.Since(info.ModTime()) > abandonedAfter {
			_ = os.RemoveAll(dir)
		}
	}
}

// list finds every plugin and says what is wrong with those that need not be
// started to see it.
func (i *inspector) list(specs []Spec) Findings {
	var f Findings
	var folders [][]program
	for _, dir := range i.host.opts.Dirs {
		programs, err := scanDir(dir)
		if err != nil {
			f.Remarks = append(f.Remarks, fmt.Sprintf("The plugin folder %s can't be read.", dir))
		}
		folders = append(folders, programs)
	}
	var doubles []double
	i.programs, doubles = merge(folders)
	for _, d := range doubles {
		f.Remarks = append(f.Remarks, fmt.Sprintf("There are two programs for one plugin: %s is used, %s is not.", d.used.path, d.ignored.path))
	}
	for _, spec := range specs {
		i.specs[spec.Name] = spec
		f.Plugins = append(f.Plugins, i.listed(spec))
	}
	for name := range i.programs {
		if _, configured := i.specs[name]; !configured {
			f.Plugins = append(f.Plugins, i.listed(Spec{Name: name}))
		}
	}
	slices.SortFunc(f.Plugins, func(a, b Inspection) int { return cmp.Compare(a.Name, b.Name) })
	return f
}

func (i *inspector) listed(spec Spec) Inspection {
	p, exists := i.programs[spec.Name]
	if !exists {
		p = program{name: spec.Name, problem: missing(printable(spec.Name, sdk.MaxNameLength), i.host.opts.Dirs)}
	}
	name := printable(spec.Name, sdk.MaxNameLength)
	in := Inspection{Name: name, Enabled: spec.Enabled, Path: p.path, Stage: Through, Problem: friendly(p.problem, name)}
	if p.problem != nil {
		in.Stage = AtProgram
	}
	if !exists && !spec.Enabled {
		in.Problem = "" // nobody misses it
	}
	return in
}

// start starts one plugin, asks it, and ends it. One whose manifest names other
// settings for paths than the gateway knows is started once more, with leave for
// those, as a Host does.
func (i *inspector) start(ctx context.Context, in *Inspection) {
	spec, h := i.specs[in.Name], i.host
	ctx, cancel := context.WithTimeoutCause(ctx, h.opts.Timing.Start, errStartTimeout)
	defer cancel()
	real := h.launcher(order{assignment: assignment{wanted: true, spec: spec, program: i.programs[spec.Name]}})
	real.onlyLook = true
	l := *real
	l.dataDir = dataFolder(i.dir, spec.Name)
	program, err := l.prepare()
	if err != nil {
		in.fail(AtProgram, err)
		if spec.SHA256 != "" && isPermanent(err) {
			in.Stage = AtPin
		}
		return
	}
	defer program.release()
	t := trial{Inspection: in, launcher: &l, real: real, program: program}
	err = t.run(ctx, real.recall().Paths)
	if errors.Is(err, errNamesOthers) {
		err = t.run(ctx, in.Manifest.Paths)
	}
	if err != nil {
		in.fail(t.stage, err)
	}
}

// trial is one plugin on its way through the stages.
type trial struct {
	*Inspection
	launcher *launcher // with the data folder of the inspection
	real     *launcher // with the plugin's own, to tell where it may work
	program  *programCopy
	stage    Stage
}

// errNamesOthers means that the process was started with other places than its
// manifest, together with its configuration, names.
var errNamesOthers = errors.New("the manifest names other settings for paths")

// run starts the process, leads it through the stages, and ends it. attributes
// are the settings that are believed to name places.
func (t *trial) run(ctx context.Context, attributes []string) error {
	t.stage = AtConfig
	confined, err := t.real.confine(ctx, t.launcher.order.spec, attributes)
	if err != nil {
		return err
	}
	c := &connection{log: t.launcher.log, timing: t.launcher.timing, dataDir: t.launcher.dataDir, confinement: confined}
	defer c.close()
	if err := t.ask(ctx, c); err != nil {
		return c.explain(ctx, err)
	}
	return nil
}

func (t *trial) ask(ctx context.Context, c *connection) (err error) {
	spec := t.launcher.order.spec
	t.stage = AtStart
	if err := t.launcher.connect(ctx, c, t.program.path); err != nil {
		return err
	}
	m, err := c.control.Manifest(ctx)
	if err != nil {
		return callFailure(err)
	}
	t.stage = AtManifest
	if err := checkManifest(m, t.Name, t.launcher.reserved); err != nil {
		return err
	}
	known := slices.Equal(t.Manifest.Paths, m.Paths) // it says the same once more
	t.Manifest = m
	t.stage = AtConfig
	wanted, err := t.real.confine(ctx, spec, m.Paths)
	if err != nil {
		return permanent(err)
	}
	if wanted.key() != c.confinement.key() && !known {
		return permanent(errNamesOthers)
	}
	t.Remarks, err = c.control.ValidateConfig(ctx, spec.Config.wire())
	var refused *control.ConfigError
	if errors.As(err, &refused) {
		t.Remarks = refused.Diagnostics
	} else if err != nil {
		t.stage = AtStart
	}
	return callFailure(err)
}

// fail notes a failure in plain words, with what a technician would ask for.
func (in *Inspection) fail(stage Stage, err error) {
	title := cmp.Or(in.Manifest.Title, in.Name)
	in.Stage, in.Problem = stage, friendly(err, title)
	var exit *exitError
	if errors.As(err, &exit) {
		in.Problem = strings.TrimSuffix(in.Problem, ".") + ": " + printable(exit.Error(), maxLogText)
	}
}

// HasProgram reports whether one of the folders holds a program of that name,
// whether or not it may be run.
func HasProgram(dirs []string, name string) bool {
	if !sdk.ValidName(name) {
		return false
	}
	for _, dir := range dirs {
		for _, suffix := range []string{"", ".exe"} {
			if _, err := os.Lstat(filepath.Join(dir, filePrefix+name+suffix)); err == nil {
				return true
			}
		}
	}
	return false
}

// NoProgram is the error for a plugin without a program, which says where one
// would be found.
func NoProgram(dirs []string, name string) *sdk.Error {
	return missing(printable(name, sdk.MaxNameLength), dirs)
}
