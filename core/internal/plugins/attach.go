package plugins

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/salita-mesh/salita/core/internal/dataplane"
	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/control"
)

// debuggerPatience is how long a plugin may stand at a breakpoint before a call
// or a request to it is given up.
const debuggerPatience = time.Hour

// attachPoll is how often the gateway looks whether a plugin that a person
// starts is there.
const attachPoll = 100 * time.Millisecond

// errDetached is the end of a plugin that a person started.
var errDetached = errors.New("the plugin that was started by hand has ended")

// attached is the timing for a plugin that a person runs in a debugger: it may
// come and go as often as it likes, and take its time.
func (t Timing) attached() Timing {
	t.HealthTimeout, t.Configure = debuggerPatience, debuggerPatience
	t.BackoffMax = t.BackoffMin
	t.CrashWindow = -1 // no crash is ever recent
	return t
}

// timing is how the named plugin is supervised.
func (h *Host) timing(name string) Timing {
	if h.attachTo[name] != "" {
		return h.opts.Timing.attached()
	}
	return h.opts.Timing
}

// attach takes the place of launch for a plugin that a person starts, which
// waits in the folder; see sdk.Serve. It never serves beside another launch: there
// is one process, and that is not the gateway's to start.
func (l *launcher) attach(ctx context.Context, dir string) (launched, error) {
	switch {
	case l.order.serving != nil && l.order.forced:
		return launched{}, errAlone
	case l.order.serving != nil:
		return launched{}, errUnchanged
	}
	if err := os.MkdirAll(l.dataDir, 0o700); err != nil {
		return launched{}, fmt.Errorf("make data folder: %w", err)
	}
	waiting, cancel := context.WithTimeout(ctx, l.timing.Start)
	defer cancel()
	plugin, err := l.awaitAttached(waiting, dir)
	if err != nil {
		return launched{}, err
	}
	result, err := l.introduceAttached(ctx, plugin, dir)
	if err != nil {
		l.log.Error("the plugin that was started by hand cannot be used", "error", printable(err.Error(), maxLogText))
		// The same one would fail again; the next one is another.
		select {
		case <-plugin.Gone():
		case <-waiting.Done():
		}
		_ = plugin.Close()
	}
	return result, err
}

// awaitAttached waits until somebody serves in the folder.
func (l *launcher) awaitAttached(ctx context.Context, dir string) (*control.Attached, error) {
	tick := time.NewTicker(attachPoll)
	defer tick.Stop()
	for {
		plugin, err := control.Attach(ctx, dir)
		if err == nil {
			return plugin, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, sdk.Errorf(sdk.PluginUnavailable, "%s waits to be started with --attach.", l.order.spec.Name).Because(err)
		}
	}
}

// introduceAttached is introduce without deadlines and without a process.
func (l *launcher) introduceAttached(ctx context.Context, plugin *control.Attached, dir string) (launched, error) {
	m, err := plugin.Manifest(ctx)
	if err != nil {
		return launched{}, err
	}
	result := launched{manifest: &m}
	if err := checkManifest(m, l.order.spec.Name, l.reserved); err != nil {
		return launched{}, passing(err)
	}
	c := &connection{log: l.log, timing: l.timing, control: plugin.Client, socketDir: dir}
	host, err := l.serveHost(c)
	if err != nil {
		return result, err
	}
	endpoint, err := l.configure(ctx, c, l.order.assignment)
	if err != nil {
		host.close()
		return result, passing(err)
	}
	result.instance = l.attachedInstance(plugin, c, endpoint)
	result.instance.cleanUp = func() {
		_ = plugin.Close()
		host.close()
	}
	err = result.instance.checkHealth(ctx)
	var notServing *control.NotServingError
	if errors.As(err, &notServing) {
		result.health, err = notServing, nil
	}
	if err != nil {
		host.close()
		result.instance = nil
	}
	return result, err
}

// passing takes the permanence from a failure: the person who debugs is about to
// change something.
func passing(err error) error {
	var p permanentError
	if errors.As(err, &p) {
		return p.error
	}
	return err
}

func (l *launcher) attachedInstance(plugin *control.Attached, c *connection, endpoint control.Endpoint) *instance {
	dial := dialSocket(endpoint.Address)
	return &instance{
		assignment: l.order.assignment,
		revision:   l.order.revision(),
		group:      attachedGroup{plugin},
		control:    plugin.Client,
		exited:     plugin.Gone(),
		drained:    plugin.Gone(),
		exitError:  func() error { return errDetached },
		dial:       dial,
		transport: dataplane.New(dial, dataplane.Options{
			MaxConns: l.maxRequests, HeaderTimeout: debuggerPatience, StallTimeout: debuggerPatience,
		}),
		limit:     int64(l.maxRequests),
		calls:     newGauge(),
		pending:   newGauge(),
		suspected: func() {},
		watch:     plugin.Watch,
		configure: func(ctx context.Context, a assignment) error {
			return l.configureAgain(ctx, c, a, endpoint)
		},
	}
}

// attachedGroup is a process that belongs to a person: it is asked to end by
// Shutdown only, and then let go.
type attachedGroup struct{ plugin *control.Attached }

var _ group = attachedGroup{}

func (attachedGroup) hangUp()    {}
func (attachedGroup) terminate() {}

// kill ends the connection, which is the end of the instance.
func (g attachedGroup) kill() { _ = g.plugin.Close() }
