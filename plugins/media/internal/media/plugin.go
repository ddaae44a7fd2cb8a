package media

import (
	"context"
	"log/slog"
	"net/http"
	"sync"

	"github.com/salita-mesh/salita/plugins/media/internal/library"
	"github.com/salita-mesh/salita/sdk"
)

// Plugin describes the media plugin to sdk.Main.
func Plugin(version string) sdk.Plugin[Config] {
	return sdk.Plugin[Config]{
		Manifest: sdk.Manifest{
			Name:         "media",
			Version:      version,
			Title:        "Photos",
			Capabilities: []sdk.Capability{{ID: "media.storage", Title: "Can store media", Route: "POST /media/upload"}},
			Routes: []sdk.Route{
				{Pattern: "POST /media/upload", Permission: "media:upload"},
				{Pattern: "GET /media", Permission: "media:read"},
				{Pattern: "GET /media/{id}", Permission: "media:read"},
				{Pattern: "DELETE /media/{id}", Permission: "media:upload"},
			},
			Paths: []string{"library"},
		},
		New: func(ctx context.Context, env sdk.Env, config Config) (http.Handler, error) {
			return New(ctx, env, config)
		},
	}
}

// Handler serves the plugin's routes.
type Handler struct {
	library *library.Library
	log     *slog.Logger
	routes  http.ServeMux

	formBuffers sync.Pool // of *bufio.Reader
}

var (
	_ http.Handler      = (*Handler)(nil)
	_ sdk.HealthChecker = (*Handler)(nil)
	_ sdk.Shutdowner    = (*Handler)(nil)
)

// New opens the library and returns the handler for it. Shutdown closes it.
func New(ctx context.Context, env sdk.Env, config Config) (*Handler, error) {
	dir, err := config.dir(env)
	if err != nil {
		return nil, err
	}
	l, err := library.Open(ctx, library.Options{
		Dir:        dir,
		DataDir:    env.DataDir,
		DeviceName: env.DeviceName,
		Log:        env.Logger,
		KeepFree:   library.KeepFree,
	})
	if err != nil {
		return nil, err
	}
	h := &Handler{library: l, log: env.Logger}
	h.handle("POST /media/upload", h.upload)
	h.handle("GET /media", h.list)
	h.handle("GET /media/{id}", h.download)
	h.handle("DELETE /media/{id}", h.remove)
	h.handle("/", func(http.ResponseWriter, *http.Request) error {
		return sdk.Errorf(sdk.NotFound, "That isn't here.")
	})
	return h, nil
}

// handle adds a route whose errors become error answers. An unforeseen error of
// a request that its sender gave up is most likely nothing but that.
func (h *Handler) handle(pattern string, serve func(http.ResponseWriter, *http.Request) error) {
	h.routes.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		err := serve(w, r)
		if err == nil {
			return
		}
		if r.Context().Err() != nil && sdk.KindOf(err) == sdk.Internal {
			h.log.Info("request given up", "method", r.Method, "path", r.URL.Path, "error", err)
			panic(http.ErrAbortHandler) // net/http would else answer 200
		}
		sdk.WriteError(w, r, h.log, err)
	})
}

// ServeHTTP serves one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.routes.ServeHTTP(w, r) }

// CheckHealth reports whether files can be read from the library and stored in
// it.
func (h *Handler) CheckHealth(ctx context.Context) error { return h.library.Check(ctx) }

// Shutdown closes the library.
func (h *Handler) Shutdown(ctx context.Context) error { return h.library.Close(ctx) }

func (h *Handler) remove(w http.ResponseWriter, r *http.Request) error {
	id, err := itemID(r)
	if err != nil {
		return err
	}
	if err := h.library.Remove(r.Context(), id); err != nil {
		return err
	}
	h.log.Info("file removed", "id", id)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
