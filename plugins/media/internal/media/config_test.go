package media

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/salita-mesh/salita/sdk"
)

func TestConfig(t *testing.T) {
	env := sdk.Env{DataDir: "/data/media", HomeDir: "/home/ada"}
	tests := []struct {
		library, want string // "" means refused
	}{
		{"", "/data/media/library"},
		{"photos", "/data/media/photos"},
		{"photos/2026", "/data/media/photos/2026"},
		{"~/Pictures/Salita", "/home/ada/Pictures/Salita"},
		{"/mnt/usb drive/Fotos", "/mnt/usb drive/Fotos"},
		{"/mnt/../srv/x/", "/srv/x"},
		{"~", ""},
		{"~bob/Pictures", ""},
		{"../posts", ""},
		{"a/../../posts", ""},
		{".", ""},
		{"a/..", ""},
		{"/data/media", ""},
		{"/data/media/", ""},
		{"a\x00b", ""},
		{"a\nb", ""},
	}
	for _, tt := range tests {
		c := Config{Library: tt.library}
		err := c.Validate()
		var got string
		if err == nil {
			got, err = c.dir(env)
		}
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("library = %q: %q, %v, want %q", tt.library, got, err, tt.want)
		}
	}
	if _, err := (Config{Library: "~/x"}).dir(sdk.Env{DataDir: "/data"}); err == nil {
		t.Error("a home folder was made up")
	}
}

func TestValidateHasNoEffects(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "library")
	if err := (Config{Library: dir}).Validate(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(dir); err == nil {
		t.Error("Validate created the folder")
	}
}

func TestNewFailsPlainly(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, config := range []Config{{Library: file}, {Library: file + "/below"}, {Library: "~/x"}} {
		h, err := New(t.Context(), environment(dir, os.Stderr), config)
		if err == nil {
			h.Shutdown(t.Context())
			t.Errorf("New() with library = %q succeeded", config.Library)
		}
	}
}

func TestManifest(t *testing.T) {
	m := Plugin("1.2.3").Manifest
	if err := m.Validate(); err != nil {
		t.Error(err)
	}
	if m.Version != "1.2.3" {
		t.Errorf("version %q", m.Version)
	}
	s := start(t)
	for _, r := range m.Routes {
		if _, pattern := s.handler.routes.Handler(requestFor(t, r.Pattern)); pattern != r.Pattern {
			t.Errorf("route %q is served by %q", r.Pattern, pattern)
		}
	}
}

func requestFor(t *testing.T, pattern string) *http.Request {
	t.Helper()
	method, path, _ := strings.Cut(pattern, " ")
	return httptest.NewRequestWithContext(t.Context(), method, strings.ReplaceAll(path, "{id}", "x"), nil)
}
