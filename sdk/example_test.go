package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"github.com/salita-mesh/salita/sdk"
)

// Config is what the user writes into the plugin's config block.
type Config struct {
	Greeting string `hcl:"greeting"`
}

// Validate refuses an empty greeting; the user sees the sentence next to the
// line in config.hcl.
func (c Config) Validate() error {
	if c.Greeting == "" {
		return errors.New("greeting must not be empty")
	}
	return nil
}

// greeter is the plugin's handler.
type greeter struct {
	*http.ServeMux
	file string
}

// CheckHealth says no while the plugin's folder is not there.
func (g greeter) CheckHealth(context.Context) error {
	_, err := os.Stat(filepath.Dir(g.file))
	return err
}

// Shutdown notes that the plugin was stopped properly.
func (g greeter) Shutdown(context.Context) error {
	return os.WriteFile(g.file, []byte("bye\n"), 0o600)
}

// ExampleMain is a whole plugin. Its program is named salita-plugin-hello and is
// enabled in config.hcl with
//
//	plugin "hello" {
//	  config {
//	    greeting = "Good morning"
//	  }
//	}
func ExampleMain() {
	main := func() {
		sdk.Main(sdk.Plugin[Config]{
			Manifest: sdk.Manifest{
				Name: "hello", Version: "1.0.0", Title: "Hello",
				Capabilities: []sdk.Capability{{ID: "hello.greet", Title: "Can greet"}},
				Routes:       []sdk.Route{{Pattern: "GET /hello", Permission: "hello:read"}},
			},
			New: func(_ context.Context, env sdk.Env, config Config) (http.Handler, error) {
				mux := http.NewServeMux()
				mux.HandleFunc("GET /hello", func(w http.ResponseWriter, r *http.Request) {
					fmt.Fprintf(w, "%s, %s!\n", config.Greeting, sdk.Caller(r).Name)
				})
				env.Logger.Info("ready", "device", env.DeviceName)
				return greeter{mux, filepath.Join(env.DataDir, "last-words")}, nil
			},
		})
	}
	_ = main
}
