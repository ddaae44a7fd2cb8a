//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/salita-mesh/salita/sdk"
)

// config is the plugin's configuration.
type config struct {
	Library string `hcl:"library,optional"`
	Limit   int    `hcl:"limit,optional"`
}

// Validate refuses one value.
func (c config) Validate() error {
	if c.Limit < 0 {
		return errors.New("limit must not be negative")
	}
	return nil
}

// Limits that New does not take.
const (
	hangLimit = 1000
	fullLimit = 1001
)

// handler serves what the requests ask for.
type handler struct {
	mode   string
	env    sdk.Env
	config config
	health int // checks so far
}

// maker returns the plugin's New.
func maker(mode string) func(context.Context, sdk.Env, config) (http.Handler, error) {
	return func(_ context.Context, env sdk.Env, c config) (http.Handler, error) {
		note("configured", "%s", c.Library)
		switch c.Limit {
		case hangLimit:
			select {}
		case fullLimit:
			return nil, sdk.Errorf(sdk.NoSpace, "There isn't enough space.")
		}
		if fault, ok := atConfigure[mode]; ok {
			if err := fault(); err != nil {
				return nil, err
			}
		}
		return &handler{mode: mode, env: env, config: c}, nil
	}
}

// atConfigure are the faults with which a plugin begins to work.
var atConfigure = map[string]func() error{
	"refuses": func() error {
		return sdk.Errorf(sdk.NoSpace, "There isn't enough space.").Because(errors.New("disk is full"))
	},
	"panics":    func() error { panic("no idea") },
	"slowstart": func() error { select {} },
	// Row 15.
	"parent": func() error { return startChild(nil) },
	"orphan": func() error { return startChild(&syscall.SysProcAttr{Setsid: true}) },
	// Row 16.
	"crashes": func() error { crashWithin(20 * time.Millisecond); return nil },
	// Row 19.
	"stubborn": func() error { signal.Ignore(syscall.SIGTERM); return startChild(nil) },
}

func crashWithin(d time.Duration) {
	go func() {
		time.Sleep(d)
		lastBreath()
		panic("crashed on purpose")
	}()
}

// startChild starts a process that keeps this one's pipes.
func startChild(attributes *syscall.SysProcAttr) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	child := exec.Command(self)
	child.Args[0] = os.Args[0] // by which it is found among the processes
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	child.Env = []string{} // without the cookie it is no plugin
	child.SysProcAttr = attributes
	if err := child.Start(); err != nil {
		return err
	}
	note("child", "%d", child.Process.Pid)
	return nil
}

// CheckHealth says what the files "sick" and "slow" in the data folder, or the
// mode, want it to say.
func (h *handler) CheckHealth(ctx context.Context) error {
	h.health++
	switch {
	case has("slow"):
		<-ctx.Done()
		return nil
	case has("sick"), h.mode == "sick", has("flapping") && h.health%2 == 0:
		return sdk.Errorf(sdk.NoSpace, "There isn't enough space.")
	}
	return nil
}

// Shutdown leaves a mark, or never returns.
func (h *handler) Shutdown(context.Context) error {
	if h.mode == "stubborn" {
		select {}
	}
	note("shut-down", "politely")
	return nil
}

func has(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// ServeHTTP serves GET and POST /<name>/<what>.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	what := r.PathValue("what")
	if what == "" {
		what = lastSegment(r.URL.Path)
	}
	if serve, ok := requests[what]; ok {
		serve(h, w, r)
		return
	}
	fmt.Fprintf(w, "hello from %s %s", r.Method, r.URL)
}
