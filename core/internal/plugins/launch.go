package plugins

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/control"
)

// launcher starts one plugin, any number of times.
type launcher struct {
	spec        Spec
	program     program
	reserved    []string
	dataDir     string // the plugin's own folder
	cacheDir    string // for verified copies of programs
	sockets     func() (string, error)
	environment func() control.Environment
	lookupEnv   func(string) (string, bool)
	transport   Transport
	maxRequests int
	timing      Timing
	log         hclog.Logger
}

// launched is what a launch found out. The manifest is known even when a later
// step failed.
type launched struct {
	instance *instance
	manifest *sdk.Manifest
	health   error // a *control.NotServingError: it runs, but does not work yet
}

// launch starts the process and brings it to its first healthy answer, all under
// one deadline. When it returns an error, nothing of the process is left.
func (l *launcher) launch(ctx context.Context) (launched, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, l.timing.Start, errStartTimeout)
	defer cancel()
	path, err := l.prepare()
	if err != nil {
		return launched{}, err
	}
	c := &connection{log: l.log, timing: l.timing}
	if err := l.connect(ctx, c, path); err != nil {
		err = c.explain(ctx, err)
		c.close()
		return launched{}, err
	}
	result, err := l.introduce(ctx, c)
	if err == nil && !c.settled() {
		err = context.Cause(ctx) // the deadline came with the last answer
	}
	if err != nil {
		err = c.explain(ctx, err)
		c.close()
		result.instance = nil
	}
	return result, err
}

// prepare checks the program and its folder and returns what is to be executed.
func (l *launcher) prepare() (string, error) {
	if l.program.path == "" {
		return "", permanent(l.program.problem)
	}
	if err := l.program.check(); err != nil {
		return "", permanent(err)
	}
	if err := os.MkdirAll(l.dataDir, 0o700); err != nil {
		return "", fmt.Errorf("make data folder: %w", err)
	}
	if l.spec.SHA256 == "" {
		return l.program.path, nil
	}
	return pinned(l.program.path, l.cacheDir, l.spec.SHA256)
}

// introduce exchanges manifest and configuration with a connected plugin and
// takes its first health check.
func (l *launcher) introduce(ctx context.Context, c *connection) (launched, error) {
	m, err := c.control.Manifest(ctx)
	if err != nil {
		return launched{}, callFailure(err)
	}
	if err := checkManifest(m, l.spec.Name, l.reserved); err != nil {
		return launched{}, err
	}
	result := launched{manifest: &m}
	env := l.environment()
	env.DataDir, env.SocketDir, env.LogLevel = l.dataDir, c.socketDir, levelWord(l.log.GetLevel())
	endpoint, remarks, err := c.control.Configure(ctx, l.spec.Config.wire(), env)
	l.logRemarks(remarks, err)
	if err != nil {
		return result, callFailure(err)
	}
	if err := checkSocket(c.socketDir, endpoint.Network, endpoint.Address); err != nil {
		return result, err
	}
	result.instance = l.instance(c, endpoint)
	err = result.instance.checkHealth(ctx)
	var notServing *control.NotServingError
	if errors.As(err, &notServing) {
		result.health, err = notServing, nil
	}
	return result, err
}

// logRemarks shows what the plugin says about its configuration, with the lines
// of the user's file.
func (l *launcher) logRemarks(remarks []control.Diagnostic, err error) {
	var refused *control.ConfigError
	if errors.As(err, &refused) {
		remarks = refused.Diagnostics
	}
	for _, r := range remarks[:min(len(remarks), maxRemarks)] {
		level := hclog.Error
		if r.Severity == control.Warning {
			level = hclog.Warn
		}
		l.log.Log(level, "remark on the configuration", "remark", renderDiagnostic(l.spec.Config, r))
	}
}

// maxRemarks bounds how many of a plugin's remarks are logged at once.
const maxRemarks = 20

func (l *launcher) instance(c *connection, endpoint control.Endpoint) *instance {
	dial := dialSocket(endpoint.Address)
	return &instance{
		group:     c.runner.process,
		control:   c.control,
		exited:    c.runner.process.exited,
		drained:   c.runner.process.drained,
		exitError: c.runner.exitError,
		dial:      dial,
		transport: l.transport(dial),
		limit:     int64(l.maxRequests),
		cleanUp:   c.close,
		suspected: func() {},
	}
}

// passedEnv is the plugin's part of the gateway's environment: what its
// configuration names, and nothing that belongs to the protocol.
func (l *launcher) passedEnv() []string {
	var env []string
	for _, name := range l.spec.Env {
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
