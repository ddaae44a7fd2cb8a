package plugins

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin/runner"

	"github.com/salita-mesh/salita/core/internal/sandbox"
)

// pluginRunner runs one plugin process for go-plugin, in place of its own
// runner. go-plugin sees a sound handshake line and nothing else of what the
// process writes, and dials only sockets in the folder made for this launch.
type pluginRunner struct {
	command   command
	socketDir string
	stdout    *stdoutReader
	stderr    *logReader
	process   *process
	onStart   func(*process)
}

var _ runner.Runner = (*pluginRunner)(nil)

// newPluginRunner returns a runner that calls onStart once, when the process has
// been started.
func newPluginRunner(c command, socketDir string, log hclog.Logger, onStart func(*process)) *pluginRunner {
	r := &pluginRunner{command: c, socketDir: socketDir, stderr: newLogReader(log), onStart: onStart}
	r.stdout = newStdoutReader(log, func() { r.process.kill() })
	return r
}

// Start starts the process.
func (r *pluginRunner) Start(context.Context) error {
	started := make(chan struct{}) // the readers may need r.process
	defer close(started)
	process, err := startProcess(r.command,
		func(out io.Reader) { <-started; r.stdout.run(out) },
		func(out io.Reader) { r.stderr.run(out) })
	if err != nil {
		return startFailure(r.command, err)
	}
	r.process = process
	r.onStart(process)
	return nil
}

// startFailure tells apart what the system says about a program it cannot run.
func startFailure(c command, err error) error {
	path := c.name
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// The file was looked at a moment ago: it is its interpreter that is missing.
		return permanent(refusal("%s needs another program to run, and that isn't installed.", path).Because(err))
	case errors.Is(err, errExecFormat):
		return permanent(refusal("%s is made for another kind of computer.", path).Because(err))
	case errors.Is(err, fs.ErrPermission) && c.policy != nil && len(sandbox.Interpreter(c.path, searchPath(c.env))) > 0:
		return permanent(refusal("%s needs another program to run, and that lies where plugins may not go. Set confine = false in its block if you trust it.", path).Because(err))
	case errors.Is(err, fs.ErrPermission):
		return permanent(refusal("%s may not be run.", path).Because(err))
	}
	return fmt.Errorf("start process: %w", err)
}

// Stdout reads as the handshake line, if there is a sound one.
func (r *pluginRunner) Stdout() io.ReadCloser { return r.stdout.passed }

// Stderr is always empty: the plugin's log is read here, never by go-plugin.
func (r *pluginRunner) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Name is the program's path.
func (r *pluginRunner) Name() string { return r.command.name }

// ID is the process id.
func (r *pluginRunner) ID() string { return strconv.Itoa(r.process.cmd.Process.Pid) }

// Diagnose adds nothing: the launch knows better why it failed.
func (r *pluginRunner) Diagnose(context.Context) string { return "" }

// Wait waits for the end of the process.
func (r *pluginRunner) Wait(ctx context.Context) error {
	select {
	case <-r.process.exited:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// naturalEnd is how long a process that closed its output may take to show that
// it was ending anyway.
const naturalEnd = 500 * time.Millisecond

// Kill ends the whole group. go-plugin calls it when the output ended without a
// handshake, which is mostly the end of the process itself: its own exit status
// says more than "killed", so it gets a moment.
func (r *pluginRunner) Kill(context.Context) error {
	timer := time.NewTimer(naturalEnd)
	defer timer.Stop()
	select {
	case <-r.process.exited:
	case <-timer.C:
		r.process.kill()
	}
	return nil
}

// PluginToHost lets pass nothing but a unix socket right inside the folder.
func (r *pluginRunner) PluginToHost(network, address string) (string, string, error) {
	if err := checkSocket(r.socketDir, network, address); err != nil {
		return "", "", err
	}
	return network, address, nil
}

// HostToPlugin changes nothing: both sides see the same files.
func (r *pluginRunner) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// exitError describes how the process ended, once it has, with the last lines
// that were read so far.
func (r *pluginRunner) exitError() error {
	return &exitError{state: r.process.state, last: r.stderr.last()}
}

// checkSocket refuses every address but a socket that exists right inside dir,
// which only this gateway and the plugin can reach.
func checkSocket(dir, network, address string) error {
	if network != "unix" {
		return protocolError("it announces the address %q on network %q, only a unix socket in its own folder is allowed", printable(address, 200), printable(network, 40))
	}
	if filepath.Clean(address) != address || filepath.Dir(address) != dir {
		return protocolError("it announces the socket %q outside its own folder", printable(address, 200))
	}
	info, err := os.Lstat(address)
	if err != nil {
		return protocolError("it announces a socket that is not there: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return protocolError("it announces %q, which is not a socket", printable(address, 200))
	}
	return nil
}
