package posts

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"

	"github.com/salita-mesh/salita/plugins/posts/internal/store"
	"github.com/salita-mesh/salita/sdk"
)

// Config is the plugin's part of the user's config.hcl. There is nothing to
// choose; a field of this struct with an hcl tag would be a setting.
type Config struct{}

// route is one kind of request: what the gateway must know, and what serves it.
type route struct {
	pattern    string
	permission string
	serve      func(*Handler, http.ResponseWriter, *http.Request) error
}

// routes is the one list that both the manifest and the handler are made from.
func routes() []route {
	const read, create = "posts:read", "posts:create"
	return []route{
		{"POST /posts", create, (*Handler).createPost},
		{"GET /posts", read, (*Handler).listPosts},
		{"GET /posts/{id}", read, (*Handler).getPost},
		{"DELETE /posts/{id}", create, (*Handler).deletePost},
		{"POST /posts/{id}/comments", create, (*Handler).createComment},
		{"GET /posts/{id}/comments", read, (*Handler).listComments},
		{"DELETE /posts/{id}/comments/{comment}", create, (*Handler).deleteComment},
		{"PUT /posts/{id}/reactions/{kind}", create, (*Handler).putReaction},
		{"DELETE /posts/{id}/reactions/{kind}", create, (*Handler).deleteReaction},
	}
}

// Plugin describes the posts plugin to sdk.Main.
func Plugin(version string) sdk.Plugin[Config] {
	manifest := sdk.Manifest{
		Name:         "posts",
		Version:      version,
		Title:        "Posts",
		Capabilities: []sdk.Capability{{ID: "posts", Title: "Can post", Route: "POST /posts"}},
	}
	for _, r := range routes() {
		manifest.Routes = append(manifest.Routes, sdk.Route{Pattern: r.pattern, Permission: r.permission})
	}
	return sdk.Plugin[Config]{
		Manifest: manifest,
		New: func(ctx context.Context, env sdk.Env, _ Config) (http.Handler, error) {
			return New(ctx, env)
		},
	}
}

// Handler serves the plugin's routes.
type Handler struct {
	store  *store.Store
	device string // this device's name
	log    *slog.Logger
	events sdk.Events
	mux    *http.ServeMux
}

// What the sdk looks for in a handler.
var (
	_ http.Handler      = (*Handler)(nil)
	_ sdk.HealthChecker = (*Handler)(nil)
	_ sdk.Shutdowner    = (*Handler)(nil)
)

// New opens the posts and returns the handler for them. Shutdown closes them.
func New(ctx context.Context, env sdk.Env) (*Handler, error) {
	h := &Handler{device: env.DeviceName, log: env.Logger, events: env.Events, mux: http.NewServeMux()}
	if h.device == "" {
		h.device = "This device"
	}
	var err error
	if h.store, err = store.Open(ctx, filepath.Join(env.DataDir, "posts.db")); err != nil {
		return nil, h.explain(err)
	}
	for _, r := range routes() {
		h.mux.HandleFunc(r.pattern, func(w http.ResponseWriter, req *http.Request) {
			if err := r.serve(h, w, req); err != nil {
				h.fail(w, req, err)
			}
		})
	}
	return h, nil
}

// ServeHTTP serves one request. The gateway has checked the caller's permission.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// CheckHealth reports whether posts can be read and written.
func (h *Handler) CheckHealth(ctx context.Context) error { return h.explain(h.store.Check(ctx)) }

// Shutdown closes the posts. The context is not needed: it does not take long.
func (h *Handler) Shutdown(context.Context) error { return h.store.Close() }
