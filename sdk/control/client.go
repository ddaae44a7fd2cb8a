package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/internal/wire"
	pluginv1 "github.com/salita-mesh/salita/sdk/internal/wire/salita/plugin/v1"
)

// ProtocolVersion is the only version of the plugin protocol so far.
const ProtocolVersion = wire.ProtocolVersion

// MaxMessageBytes bounds every message in both directions.
const MaxMessageBytes = wire.MaxMessageBytes

// Handshake is the cookie to start a plugin with. It is no secret.
func Handshake() goplugin.HandshakeConfig { return wire.Handshake() }

// Versions is the plugin set per protocol version, a fresh one for each launch.
func Versions() map[int]goplugin.PluginSet { return wire.Versions(nil) }

// Client calls one plugin process.
type Client struct {
	stub     pluginv1.PluginClient
	features atomic.Pointer[[]string]
}

// Dispense takes the client out of a go-plugin connection.
func Dispense(conn goplugin.ClientProtocol) (*Client, error) {
	raw, err := conn.Dispense(wire.SetName)
	if err != nil {
		return nil, fmt.Errorf("dispense plugin: %w", err)
	}
	stub, ok := raw.(pluginv1.PluginClient)
	if !ok {
		return nil, fmt.Errorf("dispense plugin: got a %T", raw)
	}
	return &Client{stub: stub}, nil
}

// Manifest asks what the plugin is. The answer is not validated. Its features
// decide what the other calls use.
func (c *Client) Manifest(ctx context.Context) (sdk.Manifest, error) {
	resp, err := c.stub.GetManifest(ctx, &pluginv1.GetManifestRequest{})
	if err != nil {
		return sdk.Manifest{}, fmt.Errorf("get manifest: %w", err)
	}
	m := resp.GetManifest()
	features := m.GetFeatures()
	c.features.Store(&features)
	out := sdk.Manifest{Name: m.GetName(), Version: m.GetVersion(), Title: m.GetTitle(), Paths: m.GetPaths(), Alone: c.Has(FeatureAlone)}
	for _, x := range m.GetCapabilities() {
		out.Capabilities = append(out.Capabilities, sdk.Capability{ID: x.GetId(), Title: x.GetTitle(), Route: x.GetRoute()})
	}
	for _, x := range m.GetRoutes() {
		out.Routes = append(out.Routes, sdk.Route{Pattern: x.GetPattern(), Permission: x.GetPermission()})
	}
	return out, nil
}

// Has reports whether the plugin named the feature in its last manifest.
func (c *Client) Has(feature string) bool {
	features := c.features.Load()
	return features != nil && slices.Contains(*features, feature)
}

// ValidateConfig lets the plugin check a configuration without applying it. A
// refusal is a *ConfigError; remarks on a sound one are returned.
func (c *Client) ValidateConfig(ctx context.Context, config Config) ([]Diagnostic, error) {
	resp, err := c.stub.ValidateConfig(ctx, &pluginv1.ValidateConfigRequest{Config: configToWire(config)})
	if err != nil {
		return nil, fmt.Errorf("validate config: %w", err)
	}
	return accepted(config, resp.GetDiagnostics())
}

// Configure applies a configuration. A refused one is a *ConfigError, a plugin
// that cannot start with it a *StartError. The endpoint and any remarks are
// returned on success.
func (c *Client) Configure(ctx context.Context, config Config, env Environment) (Endpoint, []Diagnostic, error) {
	resp, err := c.stub.Configure(ctx, &pluginv1.ConfigureRequest{Config: configToWire(config), Environment: environmentToWire(env)})
	if err != nil {
		return Endpoint{}, nil, fmt.Errorf("configure: %w", err)
	}
	remarks, err := accepted(config, resp.GetDiagnostics())
	if err != nil {
		return Endpoint{}, nil, err
	}
	if f := resp.GetFailure(); f != nil {
		return Endpoint{}, remarks, &StartError{Cause: failureFromWire(f)}
	}
	if resp.GetHttp() == nil {
		return Endpoint{}, remarks, errors.New("configure: the answer names no HTTP endpoint")
	}
	return Endpoint{Network: resp.GetHttp().GetNetwork(), Address: resp.GetHttp().GetAddress()}, remarks, nil
}

// CheckHealth asks whether the plugin can work. A plain no is a
// *NotServingError; any other error means there was no answer.
func (c *Client) CheckHealth(ctx context.Context) error {
	resp, err := c.stub.CheckHealth(ctx, &pluginv1.CheckHealthRequest{})
	if err != nil {
		return fmt.Errorf("check health: %w", err)
	}
	if resp.GetStatus() == pluginv1.HealthStatus_HEALTH_STATUS_SERVING {
		return nil
	}
	return &NotServingError{Cause: failureFromWire(resp.GetFailure())}
}

// Shutdown asks the plugin to finish its requests within the grace, and waits
// for its answer. The process exits once its standard input ends.
func (c *Client) Shutdown(ctx context.Context, grace time.Duration) error {
	if _, err := c.stub.Shutdown(ctx, &pluginv1.ShutdownRequest{Grace: durationpb.New(grace)}); err != nil {
		return fmt.Errorf("shutdown: %w", err)
	}
	return nil
}
