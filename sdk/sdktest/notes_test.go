package sdktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"

	"github.com/salita-mesh/salita/sdk"
)

// notesConfig is the configuration of a plugin made with the SDK.
type notesConfig struct {
	Greeting string `hcl:"greeting,optional"`
}

// Validate refuses one greeting.
func (c notesConfig) Validate() error {
	if c.Greeting == "rude" {
		return errors.New("greeting must be polite")
	}
	return nil
}

// noteHandler keeps one note.
type noteHandler struct {
	env    sdk.Env
	config notesConfig

	mu   sync.Mutex
	sick bool
}

// notes is a plugin made with the SDK, as an author's own.
func notes() sdk.Plugin[notesConfig] {
	return sdk.Plugin[notesConfig]{
		Manifest: sdk.Manifest{
			Name: "notes", Version: "1.0.0", Title: "Notes",
			Capabilities: []sdk.Capability{{ID: "notes", Title: "Can keep notes", Route: "PUT /notes"}},
			Routes: []sdk.Route{
				{Pattern: "GET /notes", Permission: "notes:read"},
				{Pattern: "PUT /notes", Permission: "notes:write"},
				{Pattern: "POST /notes/sick", Permission: "notes:write"},
				{Pattern: "GET /notes/caller", Permission: "notes:read"},
				{Pattern: "GET /notes/from/{device}", Permission: "notes:read"},
			},
		},
		New: func(_ context.Context, env sdk.Env, config notesConfig) (http.Handler, error) {
			if config.Greeting == "none" {
				return nil, sdk.Errorf(sdk.NoSpace, "There isn't enough space.")
			}
			env.Logger.Info("ready", "device", env.DeviceName)
			return &noteHandler{env: env, config: config}, nil
		},
	}
}

func (h *noteHandler) CheckHealth(context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sick {
		return sdk.Errorf(sdk.NoSpace, "There isn't enough space.")
	}
	return nil
}

func (h *noteHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h.serve(w, r); err != nil {
		sdk.WriteError(w, r, h.env.Logger, err)
	}
}

func (h *noteHandler) serve(w http.ResponseWriter, r *http.Request) error {
	switch r.Method + " " + r.URL.Path {
	case "PUT /notes":
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		if err := os.WriteFile(h.env.DataDir+"/note", text, 0o600); err != nil {
			return err
		}
		h.env.Events.Publish("notes.kept", map[string]int{"bytes": len(text)})
		w.WriteHeader(http.StatusNoContent)
	case "GET /notes":
		text, err := os.ReadFile(h.env.DataDir + "/note")
		if err != nil {
			return sdk.Errorf(sdk.NotFound, "There is no note yet.").Because(err)
		}
		fmt.Fprintf(w, "%s%s", h.config.Greeting, text)
	case "POST /notes/sick":
		h.mu.Lock()
		h.sick = true
		h.mu.Unlock()
		h.env.Events.HealthChanged()
	case "GET /notes/caller":
		sdk.WriteJSON(w, http.StatusOK, sdk.Caller(r))
	default:
		return h.fetch(w, r)
	}
	return nil
}

// fetch gets the note of another device.
func (h *noteHandler) fetch(w http.ResponseWriter, r *http.Request) error {
	devices, err := h.env.Host.Devices(r.Context(), "notes")
	if err != nil {
		return err
	}
	for _, d := range devices {
		if d.Name != r.PathValue("device") && "/notes/from/"+d.Name != r.URL.Path {
			continue
		}
		resp, err := h.env.Host.Client(d.ID).Get("http://device/notes")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.Copy(w, resp.Body)
		return err
	}
	return sdk.Errorf(sdk.NotFound, "No such device.")
}
