package plugins

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/salita-mesh/salita/sdk/control"
)

// connection is a started process with go-plugin's client to it.
type connection struct {
	log         hclog.Logger
	timing      Timing
	dataDir     string // of the plugin
	confinement confinement
	runner      *pluginRunner // nil until go-plugin asked for it
	client      *goplugin.Client
	control     *control.Client
	socketDir   string
	tempDir     string
	unwatch     func() bool // ends the killing of the process at the deadline
}

// connect starts the program and connects the control plane. Until settled is
// called, the end of ctx kills the process, which also ends every wait in
// go-plugin: it knows no contexts.
func (l *launcher) connect(ctx context.Context, c *connection, path string) error {
	sockets, err := l.sockets()
	if err != nil {
		return err
	}
	if c.tempDir, err = makeTemp(l.dataDir, filepath.Base(sockets)); err != nil {
		return fmt.Errorf("make folder for temporary files: %w", err)
	}
	c.client = goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  control.Handshake(),
		VersionedPlugins: control.Versions(),
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		StartTimeout:     l.timing.Start,
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: sockets},
		Logger:           hclog.NewNullLogger(),
		GRPCDialOptions: []grpc.DialOption{
			// gRPC's own patience with a silent socket is 20 s.
			grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: l.timing.Connect}),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(control.MaxMessageBytes)),
		},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, socketDir string) (runner.Runner, error) {
			env := slices.Concat(cmd.Env, l.passedEnv(), []string{"TMPDIR=" + c.tempDir})
			command := command{
				path: path, name: l.order.program.path, env: env, dir: l.dataDir,
				policy: l.policyFor(c.confinement, path, socketDir, env),
			}
			c.socketDir = socketDir
			c.runner = newPluginRunner(command, socketDir, l.log, func(p *process) {
				c.unwatch = context.AfterFunc(ctx, p.kill)
			})
			return c.runner, nil
		},
	})
	protocol, err := c.client.Client()
	if err != nil {
		return err
	}
	c.control, err = control.Dispense(protocol)
	return err
}

// settled ends the hold of the launch's deadline over the process. It reports
// false when the deadline was faster.
func (c *connection) settled() bool { return c.unwatch() }

// explain finds the reason behind a failed launch: what go-plugin says is
// mostly a consequence of it.
func (c *connection) explain(ctx context.Context, err error) error {
	if c.runner == nil || c.runner.process == nil {
		return err
	}
	if ctx.Err() != nil {
		return c.late(context.Cause(ctx))
	}
	if failure := c.runner.stdout.failure(); failure != nil {
		return failure
	}
	if isPermanent(err) {
		return err
	}
	timer := time.NewTimer(naturalEnd)
	defer timer.Stop()
	select {
	case <-c.runner.process.exited:
		if !c.runner.process.killedByUs() {
			<-c.runner.process.drained // within pipeLinger
			return c.runner.exitError()
		}
	case <-timer.C:
	}
	if c.control == nil && !c.runner.stdout.succeeded() {
		return protocolError("it closed its standard output without a handshake")
	}
	return err
}

// late is a launch that was cut short, by its deadline or from outside.
func (c *connection) late(cause error) error {
	if !errors.Is(cause, errStartTimeout) {
		return cause
	}
	err := fmt.Errorf("%w (%s)", errStartTimeout, c.timing.Start)
	if last := c.runner.stderr.last(); len(last) > 0 {
		err = fmt.Errorf("%w; its last lines: %s", err, strings.Join(last, " / "))
	}
	return err
}

// close kills what is left of the process and gives everything back. It is
// bounded: what a stuck kernel or library holds is left behind with a warning.
func (c *connection) close() {
	if c.runner == nil || c.runner.process == nil {
		c.removeFolders()
		return
	}
	c.runner.process.kill()
	_ = c.runner.stdout.passed.Close() // nobody reads a handshake any more
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		<-c.runner.process.released
		c.client.Kill() // waits for its goroutines, which have nothing left to read
	}()
	timer := time.NewTimer(c.timing.KillWait)
	defer timer.Stop()
	select {
	case <-gone:
	case <-timer.C:
		c.log.Warn("plugin process does not go away", "pid", c.runner.ID())
	}
	c.removeFolders()
}

// removeFolders removes what was made for this launch alone.
func (c *connection) removeFolders() {
	if c.socketDir != "" {
		if err := os.RemoveAll(c.socketDir); err != nil {
			c.log.Warn("socket folder not removed", "error", err)
		}
	}
	if c.tempDir != "" {
		if err := removeTemp(c.dataDir, c.tempDir); err != nil {
			c.log.Warn("temporary files not removed", "error", err)
		}
	}
}
