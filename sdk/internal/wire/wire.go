// Package wire is the protobuf and go-plugin glue of the plugin protocol: the
// handshake, the plugin set and the generated stubs below salita/plugin/v1. It
// holds no behaviour; package sdk serves the protocol, package control calls it.
package wire

import (
	"context"
	"errors"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	pluginv1 "github.com/salita-mesh/salita/sdk/internal/wire/salita/plugin/v1"
)

// The handshake between gateway and plugin. The cookie keeps people from
// starting a plugin by hand; it is no secret and protects nothing.
const (
	CookieKey   = "SALITA_PLUGIN"
	CookieValue = "salita.plugin.v1"
	// ProtocolVersion changes only when an old plugin could not be used any more.
	ProtocolVersion = 1
	// SetName is the key of the one plugin in the plugin set.
	SetName = "plugin"
	// MaxMessageBytes bounds every message in both directions.
	MaxMessageBytes = 4 << 20
)

// How a gateway attaches to a plugin that it did not start. The variable, in the
// gateway's environment, holds name=folder pairs with commas between them.
const (
	AttachVariable = "SALITA_ATTACH"
	// AttachSocket is the control plane's socket in the folder: gRPC as it is,
	// without handshake and TLS.
	AttachSocket = "control.sock"
)

// FeatureWatch is the word for the call Watch and its events.
const FeatureWatch = "watch"

// FeatureAlone is the word for a plugin of which two processes must never work
// side by side.
const FeatureAlone = "alone"

// Features are the words for everything that this version knows beyond the
// first calls, on either side.
func Features() []string { return []string{FeatureWatch} }

// Handshake is the cookie in go-plugin's form.
func Handshake() goplugin.HandshakeConfig {
	return goplugin.HandshakeConfig{MagicCookieKey: CookieKey, MagicCookieValue: CookieValue}
}

// Versions is the plugin set of every protocol version. It is a fresh map each
// time, because go-plugin writes into it. The server is nil on the gateway's side.
func Versions(server pluginv1.PluginServer) map[int]goplugin.PluginSet {
	return map[int]goplugin.PluginSet{ProtocolVersion: {SetName: &grpcPlugin{server: server}}}
}

// grpcPlugin connects the generated code to go-plugin. net/rpc is refused.
type grpcPlugin struct {
	goplugin.NetRPCUnsupportedPlugin
	server pluginv1.PluginServer
}

var _ goplugin.GRPCPlugin = (*grpcPlugin)(nil)

// GRPCServer registers the plugin's side.
func (p *grpcPlugin) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	if p.server == nil {
		return errors.New("wire: no plugin to serve")
	}
	pluginv1.RegisterPluginServer(s, p.server)
	return nil
}

// GRPCClient returns a pluginv1.PluginClient, the gateway's side.
func (p *grpcPlugin) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return pluginv1.NewPluginClient(c), nil
}
