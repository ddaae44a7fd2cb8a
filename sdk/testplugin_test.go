package sdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// noteConfig is the configuration of the plugin under test.
type noteConfig struct {
	Text string `hcl:"text,optional"`
	Fail string `hcl:"fail,optional"`
}

// noteHandler is the plugin under test. It records what happens to it.
type noteHandler struct {
	text   string
	life   context.Context
	mu     sync.Mutex
	events []string
	health error
	gate   chan struct{} // requests to /notes/slow wait for it
	began  chan struct{} // they say so here
}

func (h *noteHandler) note(event string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, event)
}

func (h *noteHandler) history() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.events, " ")
}

func (h *noteHandler) CheckHealth(context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.health != nil && h.health.Error() == "panic" {
		panic("health")
	}
	return h.health
}

func (h *noteHandler) Shutdown(context.Context) error {
	h.note("shutdown")
	return nil
}

func (h *noteHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/notes/text":
		fmt.Fprint(w, h.text)
	case "/notes/slow":
		h.began <- struct{}{}
		<-h.gate
		h.note("answered")
		fmt.Fprint(w, h.text)
	case "/notes/endless":
		h.began <- struct{}{}
		<-h.life.Done()
	case "/notes/stuck":
		h.began <- struct{}{}
		<-r.Context().Done()
		h.note("cut")
	case "/notes/panic":
		panic("on purpose")
	case "/notes/panic-late":
		fmt.Fprint(w, "half")
		w.(http.Flusher).Flush()
		panic("on purpose")
	case "/notes/abort":
		panic(http.ErrAbortHandler)
	case "/notes/echo":
		_, _ = io.Copy(w, r.Body)
	}
}

// notes is the plugin; made receives each handler that New makes.
func notes(made func(*noteHandler)) Plugin[noteConfig] {
	return Plugin[noteConfig]{
		Manifest: Manifest{
			Name: "notes", Version: "1.0.0", Title: "Notes",
			Capabilities: []Capability{{ID: "notes", Title: "Can keep notes"}},
			Routes: []Route{
				{Pattern: "GET /notes/{what}", Permission: "notes:read"},
				{Pattern: "POST /notes/echo", Permission: "notes:write"},
			},
		},
		New: func(ctx context.Context, env Env, config noteConfig) (http.Handler, error) {
			switch config.Fail {
			case "error":
				return nil, Errorf(NoSpace, "Full.").Because(errors.New("0 bytes left"))
			case "late":
				<-ctx.Done()
			case "panic":
				panic("new")
			case "nil":
				return nil, nil
			}
			h := &noteHandler{text: config.Text, life: ctx, gate: make(chan struct{}), began: make(chan struct{}, 8)}
			context.AfterFunc(ctx, func() { h.note("cancelled") })
			made(h)
			return h, nil
		},
	}
}

// runNotes is the plugin as a process, which leaves marks in its data folder.
func runNotes() {
	Main(notes(func(h *noteHandler) {
		fmt.Println("printed by the plugin")
		context.AfterFunc(h.life, func() { _ = os.WriteFile("cancelled", nil, 0o600) })
	}))
}

// TestMain makes the test binary a plugin when it is started as one.
func TestMain(m *testing.M) {
	if strings.HasPrefix(filepath.Base(os.Args[0]), "salita-plugin-") {
		runNotes()
	}
	os.Exit(m.Run())
}
