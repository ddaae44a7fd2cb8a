package sdk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// definition is a Plugin without its type parameter.
type definition struct {
	manifest Manifest
	decode   func(configText) (build, diagnostics)
}

// build makes the handler from a configuration that was decoded and checked.
type build func(ctx context.Context, env Env) (http.Handler, error)

func define[Config any](p Plugin[Config]) definition {
	return definition{
		manifest: p.Manifest,
		decode: func(text configText) (build, diagnostics) {
			config, diags := decodeConfig[Config](text)
			if diags.failed() {
				return nil, diags
			}
			return func(ctx context.Context, env Env) (http.Handler, error) {
				return callNew(ctx, p, env, config)
			}, diags
		},
	}
}

// callNew turns whatever an author's New may do into a handler or an error.
func callNew[Config any](ctx context.Context, p Plugin[Config], env Env, config Config) (h http.Handler, err error) {
	defer recoverTo(&err, "New")
	if p.New == nil {
		return nil, errors.New("the plugin has no New function")
	}
	h, err = p.New(ctx, env, config)
	if err == nil && h == nil {
		return nil, errors.New("the plugin's New returned neither a handler nor an error")
	}
	return h, err
}

// recoverTo turns a panic of the author's code into an error.
func recoverTo(err *error, what string) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("%s panicked: %v", what, v)
	}
}
