package sdktest

import (
	"context"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/control"
)

// patience bounds every wait of an Instance; what takes longer fails the test.
const patience = 20 * time.Second

// Options say what a plugin gets to work with. The zero Options will do for a
// plugin that needs no configuration.
type Options struct {
	// Config is the text between the braces of the config block.
	Config string
	// DataDir is the plugin's data folder; "" is a new one that goes with the test.
	DataDir string
	// DeviceName is this device's name; "" is "Test device".
	DeviceName string
	// Devices are the others that Env.Host finds.
	Devices []Device
	// Env are KEY=value pairs for the process of StartProgram.
	Env []string
}

// Event is something that the plugin told by itself.
type Event = control.Event

// LogRecord is one line of the plugin's log.
type LogRecord = control.LogRecord

// Instance is a plugin that runs in a test. Its methods fail the test when the
// plugin does not do what every plugin must; what may go wrong is an error.
type Instance struct {
	t        testing.TB
	options  Options
	place    place
	host     *host
	launch   func(*Instance) (*running, error)
	manifest sdk.Manifest

	*running
	http     *http.Client
	events   chan Event
	watching chan struct{} // closed when the watch has ended
	unwatch  context.CancelFunc
	revision int
}

// running is a plugin from its start to its end.
type running struct {
	control *control.Client
	output  func() string               // its log so far
	stop    func(context.Context) error // politely
	kill    func()                      // nil when it cannot be
	close   func()                      // after either
}

// Start serves the plugin inside the test, over the sockets and calls that a
// gateway would use, so that breakpoints, coverage and the race detector work.
// It has its configuration and is healthy when Start returns; it is stopped when
// the test ends. Standard streams and the working folder stay the test's own.
func Start[Config any](t testing.TB, p sdk.Plugin[Config], o Options) *Instance {
	t.Helper()
	return start(t, o, func(i *Instance) (*running, error) {
		return serve(p, i.place.sockets)
	})
}

// StartProgram runs a built plugin as a process. Build makes one.
func StartProgram(t testing.TB, program string, o Options) *Instance {
	t.Helper()
	return start(t, o, func(i *Instance) (*running, error) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		l, err := startLink(ctx, program, i.place, o.Env)
		if err != nil {
			return nil, err
		}
		return &running{control: l.control, output: l.stderr.String, stop: l.stop, kill: l.process.kill, close: l.close}, nil
	})
}

func start(t testing.TB, o Options, launch func(*Instance) (*running, error)) *Instance {
	t.Helper()
	if o.DeviceName == "" {
		o.DeviceName = deviceName
	}
	at, err := newPlace(o.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = at.remove() })
	i := &Instance{t: t, options: o, place: at, launch: launch, events: make(chan Event, 4096)}
	if i.host, err = serveHost(at.sockets, o.Devices); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.host.close)
	i.begin()
	t.Cleanup(func() {
		if i.running != nil {
			i.Stop()
		}
	})
	return i
}

// begin brings a plugin up.
func (i *Instance) begin() {
	i.t.Helper()
	r, err := i.launch(i)
	if err != nil {
		i.t.Fatalf("start plugin: %v", err)
	}
	i.running = r
	ctx, cancel := i.context()
	defer cancel()
	if i.manifest, err = r.control.Manifest(ctx); err == nil {
		i.watch()
		err = i.manifest.Validate()
	}
	if err == nil {
		err = i.Configure(i.options.Config)
	}
	if err == nil {
		err = r.control.CheckHealth(ctx)
	}
	if err != nil {
		log := r.output()
		i.end()
		i.t.Fatalf("start plugin: %v\n%s", err, log)
	}
}

// needRunning fails a test that has stopped its plugin and forgot.
func (i *Instance) needRunning() {
	i.t.Helper()
	if i.running == nil {
		i.t.Fatal("the plugin has been stopped; Restart starts it again")
	}
}

func (i *Instance) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

// Stop stops the plugin as a gateway that stops: requests in flight finish, and
// the handler's Shutdown is called.
func (i *Instance) Stop() {
	i.t.Helper()
	i.needRunning()
	ctx, cancel := i.context()
	defer cancel()
	if err := i.stop(ctx); err != nil {
		i.t.Errorf("stop plugin: %v", err)
	}
	i.end()
}

// Kill ends the process at once, as a crash or a loss of power would. Only
// StartProgram's plugins can be killed.
func (i *Instance) Kill() {
	i.t.Helper()
	i.needRunning()
	if i.kill == nil {
		i.t.Fatal("Kill is for plugins of StartProgram: this one runs inside the test")
	}
	i.kill()
	i.end()
}

func (i *Instance) end() {
	if i.unwatch != nil {
		i.unwatch()
		<-i.watching
	}
	if i.http != nil {
		i.http.CloseIdleConnections()
	}
	i.close()
	i.running, i.http, i.unwatch = nil, nil, nil
}

// Restart starts the plugin again on the same data folder, with the configuration
// of the Options, after Stop or Kill; a running one it stops first. Clients made
// before are of no use any more.
func (i *Instance) Restart() {
	i.t.Helper()
	if i.running != nil {
		i.Stop()
	}
	i.host.close()
	var err error
	if i.place.sockets, err = os.MkdirTemp(i.place.base, "s"); err != nil { // each launch has its own
		i.t.Fatal(err)
	}
	if i.host, err = serveHost(i.place.sockets, i.options.Devices); err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(i.host.close)
	i.begin()
}
