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
	Manifest Manifest
	// New makes the plugin's handler from its configuration. It is called once
	// per configuration; the context ends when the plugin is to stop. An error
	// keeps an earlier handler, if there is one, in service.
	//
	// The handler may also implement HealthChecker and Shutdowner.
	New func(ctx context.Context, env Env, config Config) (http.Handler, error)
}

// Env is what the gateway gives a plugin to work with.
type Env struct {
	Logger     *slog.Logger // ends in the gateway's log under the plugin's name
	DataDir    string       // the only folder the plugin owns; exists, mode 0700
	DeviceName string       // this device's name, for sentences to people
	HomeDir    string       // the owner's home folder, for "~/" in the configuration
}

// HealthChecker is a handler that can say whether it works. Without it a
// running plugin counts as healthy. The call must return within a second.
type HealthChecker interface {
	CheckHealth(ctx context.Context) error
}

// Validator is a Config that checks itself after decoding. It must have no side
// effects.
type Validator interface {
	Validate() error
}

// Shutdowner is a handler with something to close after its last request ended.
type Shutdowner interface {
	Shutdown(ctx context.Context) error
}
