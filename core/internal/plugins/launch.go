package plugins

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/sdk/control"
)

// launcher carries out one order.
type launcher struct {
	order       order
	vault       *vault
	reserved    []string
	gatewayDir  string // the gateway's data folder
	dataDir     string // the plugin's own folder
	sockets     func() (string, error)
	environment func(assignment) control.Environment
	lookupEnv   func(string) (string, bool)
	onlyLook    bool         // nothing is made outside of dataDir, and nothing remembered
	mesh        http.Handler // what the gateway serves to the plugin; nil: nothing
	transport   Transport
	maxRequests int
	timing      Timing
	log         hclog.Logger
}

// launch starts the process and brings it to its first healthy answer, all under
// one deadline. When it returns an error, nothing of the process is left.
func (l *launcher) launch(ctx context.Context) (launched, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, l.timing.Start, errStartTimeout)
	defer cancel()
	program, err := l.prepare()
	if err != nil {
		return launched{forbidden: l.forbidden()}, err
	}
	result, err := l.attempt(ctx, program, l.recall().Paths)
	var other *otherPlaces
	if errors.As(err, &other) {
		l.log.Debug("plugin starts again, now with the places that its configuration names")
		result, err = l.attempt(ctx, program, other.attributes)
	}
	result.forbidden = l.forbidden()
	if err != nil {
		program.release()
		result.instance = nil
	}
	return result, err
}

// attempt starts the process once. attributes are those of its configuration
// that are believed to name places.
func (l *launcher) attempt(ctx context.Context, program *programCopy, attributes []string) (launched, error) {
	confined, err := l.confine(ctx, l.order.spec, attributes)
	if err != nil {
		return launched{}, err
	}
	c := &connection{log: l.log, timing: l.timing, dataDir: l.dataDir, confinement: confined}
	result, err := l.bringUp(ctx, c, program)
	if err == nil && !c.settled() {
		err = context.Cause(ctx) // the deadline came with the last answer
	}
	if err != nil {
		err = c.explain(ctx, err)
		c.close()
		return result, err
	}
	l.logConfinement(confined)
	return result, nil
}

// bringUp leads a program to its first health check.
func (l *launcher) bringUp(ctx context.Context, c *connection, program *programCopy) (launched, error) {
	if err := l.connect(ctx, c, program.path); err != nil {
		return launched{}, err
	}
	host, err := l.serveHost(c)
	if err != nil {
		return launched{}, err
	}
	result, err := l.introduce(ctx, c)
	if err != nil {
		host.close()
		return result, err
	}
	result.instance.program = program
	result.instance.cleanUp = func() {
		c.close()
		host.close()
		program.release()
	}
	return result, nil
}

// serveHost offers the gateway's own HTTP to the plugin; nil when there is none.
func (l *launcher) serveHost(c *connection) (*hostServer, error) {
	if l.mesh == nil {
		return nil, nil
	}
	return openHostSocket(c.socketDir, l.mesh, l.log)
}

// prepare checks the program and its folder and returns the copy that is to be
// executed.
func (l *launcher) prepare() (*programCopy, error) {
	p := l.order.program
	if p.path == "" {
		return nil, permanent(p.problem)
	}
	if err := p.check(); err != nil {
		if sentence(err) != sentence(p.problem) {
			return nil, err // the watch over the folder does not know yet
		}
		return nil, permanent(err)
	}
	if err := os.MkdirAll(l.dataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	program, err := l.vault.take(p.path)
	if err != nil {
		return nil, err
	}
	if err := l.checkCopy(program); err != nil {
		program.release()
		return nil, err
	}
	return program, nil
}

// checkCopy says why the copy is not to be started.
func (l *launcher) checkCopy(program *programCopy) error {
	if err := checkPin(program, l.order.spec.SHA256); err != nil {
		return err
	}
	serving := l.order.serving
	switch {
	case serving == nil:
		return nil
	case !l.order.forced && serving.program.same(program) && l.order.changeFrom(serving.assignment) < newProcess:
		return errUnchanged
	case serving.alone:
		return errAlone
	}
	return nil
}

// forbidden reports whether what serves is not what the configuration allows by
// now.
func (l *launcher) forbidden() bool {
	serving := l.order.serving
	return serving != nil && checkPin(serving.program, l.order.spec.SHA256) != nil
}

// introduce exchanges manifest and configuration with a connected plugin and
// takes its first health check.
func (l *launcher) introduce(ctx context.Context, c *connection) (launched, error) {
	m, err := c.control.Manifest(ctx)
	if err != nil {
		return launched{}, callFailure(err)
	}
	if err := checkManifest(m, l.order.spec.Name, l.reserved); err != nil {
		return launched{}, err
	}
	result := launched{manifest: &m}
	if m.Alone && l.order.serving != nil {
		return result, errAlone // it has no configuration yet, and so has touched nothing
	}
	if err := l.checkPlaces(ctx, c, m.Paths); err != nil {
		return result, err
	}
	endpoint, err := l.configure(ctx, c, l.order.assignment)
	if err != nil {
		return result, err
	}
	result.instance = l.instance(c, endpoint)
	result.instance.alone = m.Alone
	err = result.instance.checkHealth(ctx)
	var notServing *control.NotServingError
	if errors.As(err, &notServing) {
		result.health, err = notServing, nil
	}
	return result, err
}

// configure applies the assignment's configuration and returns where the plugin
// serves.
func (l *launcher) configure(ctx context.Context, c *connection, a assignment) (control.Endpoint, error) {
	env := l.environment(a)
	env.DataDir, env.SocketDir, env.LogLevel = l.dataDir, c.socketDir, levelWord(l.log.GetLevel())
	if l.mesh != nil {
		env.HostSocket = filepath.Join(c.socketDir, hostSocketName)
	}
	config := a.spec.Config.wire()
	config.Revision = a.revision()
	endpoint, remarks, err := c.control.Configure(ctx, config, env)
	l.logRemarks(a.spec.Config, remarks, err)
	if err != nil {
		return endpoint, callFailure(err)
	}
	return endpoint, checkSocket(c.socketDir, endpoint.Network, endpoint.Address)
}

// configureAgain applies another configuration to a plugin that serves already.
func (l *launcher) configureAgain(ctx context.Context, c *connection, a assignment, serving control.Endpoint) error {
	if l.outgrown(ctx, c, a.spec) {
		return errConfined
	}
	endpoint, err := l.configure(ctx, c, a)
	if err == nil && endpoint != serving {
		err = protocolError("it moved its HTTP socket to %q with a new configuration", printable(endpoint.Address, 200))
	}
	return err
}

// logRemarks shows what the plugin says about its configuration, with the lines
// of the user's file.
func (l *launcher) logRemarks(block Block, remarks []control.Diagnostic, err error) {
	var refused *control.ConfigError
	if errors.As(err, &refused) {
		remarks = refused.Diagnostics
	}
	for _, r := range remarks[:min(len(remarks), maxRemarks)] {
		level := hclog.Error
		if r.Severity == control.Warning {
			level = hclog.Warn
		}
		l.log.Log(level, "remark on the configuration", "remark", renderDiagnostic(block, r))
	}
}

// maxRemarks bounds how many of a plugin's remarks are logged at once.
const maxRemarks = 20

func (l *launcher) instance(c *connection, endpoint control.Endpoint) *instance {
	dial := dialSocket(endpoint.Address)
	return &instance{
		assignment: l.order.assignment,
		revision:   l.order.revision(),
		group:      c.runner.process,
		control:    c.control,
		exited:     c.runner.process.exited,
		drained:    c.runner.process.drained,
		exitError:  c.runner.exitError,
		dial:       dial,
		transport:  l.transport(dial),
		limit:      int64(l.maxRequests),
		calls:      newGauge(),
		pending:    newGauge(),
		suspected:  func() {},
		watch:      c.control.Watch,
		configure: func(ctx context.Context, a assignment) error {
			return l.configureAgain(ctx, c, a, endpoint)
		},
		outgrown: func(ctx context.Context, a assignment) bool { return l.outgrown(ctx, c, a.spec) },
	}
}

// passedEnv is the plugin's part of the gateway's environment: what its
// configuration names, and nothing that belongs to the protocol.
func (l *launcher) passedEnv() []string {
	var env []string
	for _, name := range l.order.spec.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.HasPrefix(name, "PLUGIN_") || name == control.Handshake().MagicCookieKey {
			l.log.Warn("environment variable cannot be passed to the plugin", "variable", printable(name, 100))
			continue
		}
		if value, ok := l.lookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// dataFolder is the folder that the plugin owns.
func dataFolder(dataDir, name string) string { return filepath.Join(dataDir, "data", name) }
