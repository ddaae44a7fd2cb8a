package sdk

import (
	"context"
	"log/slog"
	"net/http"
)

// Plugin describes a plugin to Main. Config is the author's own struct with hcl
// tags; the block `config { ... }` in the user's config.hcl is decoded into it,
// and a mistake there is reported with the line it stands on.
type Plugin[Config any] struct {
	// Manifest says what the plugin is, whatever its configuration.
	Manifest Manifest
	// New makes the plugin's handler from its configuration. It is called once
	// per configuration and should return within a few seconds. The context ends
	// when the plugin begins to stop or the configuration is replaced: background
	// work and endless answers should end then, while other requests in flight
	// still finish. An error keeps an earlier handler, if there is one, in
	// service; without one the gateway tries again later, unless it is an Error of
	// kind Invalid, which blames the configuration.
	//
	// The handler may also implement HealthChecker and Shutdowner. Only requests
	// that match a declared route reach it.
	New func(ctx context.Context, env Env, config Config) (http.Handler, error)
}

// Env is what the gateway gives a plugin to work with. An author's own test may
// make one with nothing but what the plugin uses.
type Env struct {
	Logger         *slog.Logger // ends in the gateway's log under the plugin's name
	DataDir        string       // the only folder the plugin owns; exists, mode 0700, is the working folder
	DeviceName     string       // this device's name, for sentences to people
	HomeDir        string       // the owner's home folder, for "~/" in the configuration
	GatewayVersion string       // the version of Salita that runs the plugin
	Events         Events       // tells the gateway what happens
	Host           Host         // reaches the owner's other devices
}

// HealthChecker is a handler that can say whether it works. Without it a
// running plugin counts as healthy. The call must return within a second.
type HealthChecker interface {
	// CheckHealth returns nil, or why the plugin cannot work right now. An Error
	// says it in words for people.
	CheckHealth(ctx context.Context) error
}

// Validator is a Config that checks itself after decoding. It must have no side
// effects.
type Validator interface {
	// Validate returns nil, or what is wrong, in words for whoever wrote the
	// configuration.
	Validate() error
}

// Shutdowner is a handler with something to close after its last request ended.
// It is called once, also when the gateway has died, but not when the process
// is killed.
type Shutdowner interface {
	// Shutdown closes what the handler holds, before the context ends.
	Shutdown(ctx context.Context) error
}
