package sdktest

import (
	"net/http"
	"strconv"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/control"
)

// Manifest is what the plugin says about itself.
func (i *Instance) Manifest() sdk.Manifest { return i.manifest }

// DataDir is the plugin's data folder.
func (i *Instance) DataDir() string { return i.place.data }

// Client makes requests as the owner: "http://plugin/notes/7". It follows no
// redirects, and sends no credentials, as the gateway does not.
func (i *Instance) Client() *http.Client { return i.As(sdk.CallerInfo{Name: "Owner", Owner: true}) }

// As makes requests as the caller, such as
// sdk.CallerInfo{DeviceID: "phone", Name: "Phone"}. Permissions are not checked:
// the gateway does that before a plugin sees a request.
func (i *Instance) As(who sdk.CallerInfo) *http.Client {
	i.t.Helper()
	i.needRunning()
	return &http.Client{
		CheckRedirect: i.http.CheckRedirect,
		Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			out := r.Clone(r.Context())
			introduce(out.Header, who)
			return i.http.Transport.RoundTrip(out)
		}),
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip calls f.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Configure applies another configuration, as after a change of config.hcl. A
// refused one is a *control.ConfigError; a *control.StartError holds what the
// plugin's New said.
func (i *Instance) Configure(config string) error {
	i.t.Helper()
	i.needRunning()
	ctx, cancel := i.context()
	defer cancel()
	i.revision++
	endpoint, _, err := i.control.Configure(ctx, i.config(config), control.Environment{
		DataDir: i.place.data, HomeDir: i.place.home, SocketDir: i.place.sockets, HostSocket: i.host.path,
		DeviceName: i.options.DeviceName, GatewayVersion: gatewayVersion, LogLevel: "debug", Features: control.Features(),
	})
	if err != nil {
		return err
	}
	if err := checkEndpoint(i.place.sockets, endpoint); err != nil {
		i.t.Fatal(err)
	}
	if i.http == nil {
		i.http = socketClient(endpoint.Address)
	}
	return nil
}

// Validate lets the plugin check a configuration without applying it. A refusal
// is a *control.ConfigError.
func (i *Instance) Validate(config string) error {
	i.t.Helper()
	i.needRunning()
	ctx, cancel := i.context()
	defer cancel()
	_, err := i.control.ValidateConfig(ctx, i.config(config))
	return err
}

func (i *Instance) config(text string) control.Config {
	return control.Config{
		Filename: "config.hcl", Source: []byte(text), Revision: strconv.Itoa(i.revision),
		Start: control.Position{Line: 1, Column: 1},
	}
}

// Health asks the plugin whether it can work; a plain no is a
// *control.NotServingError.
func (i *Instance) Health() error {
	i.t.Helper()
	i.needRunning()
	ctx, cancel := i.context()
	defer cancel()
	return i.control.CheckHealth(ctx)
}
