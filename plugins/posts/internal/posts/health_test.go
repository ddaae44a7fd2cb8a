package posts

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/salita-mesh/salita/plugins/posts/internal/store"
	"github.com/salita-mesh/salita/sdk"
)

func TestHealthy(t *testing.T) {
	s := start(t)
	if err := s.handler.CheckHealth(t.Context()); err != nil {
		t.Errorf("new: %v", err)
	}
	s.post(t, anna, "text")
	if err := s.handler.CheckHealth(t.Context()); err != nil {
		t.Errorf("after a post: %v", err)
	}
}

// TestDamagedFile: the owner learns what happened and what to do, and nothing is
// deleted.
func TestDamagedFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "posts.db")
	content := strings.Repeat("not a database\n", 500)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := New(t.Context(), environment(dir, io.Discard))
	e := sdk.AsError(err)
	if err == nil || e.Friendly() != "The posts on NAS are damaged. Nothing was deleted." || !strings.Contains(e.Hint, "backup") {
		t.Errorf("error is %v, hint %q", err, e.Hint)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != content {
		t.Errorf("the file was changed (%v)", err)
	}
}

// TestSentences: every error that people can act on has words of its own.
func TestSentences(t *testing.T) {
	h := &Handler{device: "NAS"}
	for err, want := range map[error]struct {
		kind     sdk.Kind
		sentence string
	}{
		store.ErrNotFound:    {sdk.NotFound, "That isn't here."},
		store.ErrNotYours:    {sdk.Forbidden, "Only who wrote it can delete it."},
		store.ErrFull:        {sdk.NoSpace, "NAS doesn't have enough space."},
		store.ErrUnreachable: {sdk.PluginUnavailable, "NAS can't keep posts right now."},
		store.ErrDamaged:     {sdk.Internal, "The posts on NAS are damaged. Nothing was deleted."},
		store.ErrMoved:       {sdk.PluginUnavailable, "Someone moved or deleted the posts on NAS."},
		store.ErrNewer:       {sdk.Conflict, "The posts on NAS were written by a newer version of Salita."},
		io.ErrUnexpectedEOF:  {sdk.Internal, "Something went wrong"},
	} {
		e := sdk.AsError(h.explain(err))
		if e.Kind != want.kind || e.Friendly() != want.sentence {
			t.Errorf("%v: %q, %q", err, e.Kind, e.Friendly())
		}
	}
	if err := h.explain(nil); err != nil {
		t.Errorf("nothing is explained as %v", err)
	}
}

// TestHungUp: a caller that is gone gets no answer, and the log no alarm.
func TestHungUp(t *testing.T) {
	s := start(t)
	s.post(t, owner, "text")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, "GET", "/posts", nil)
	r.Header.Set(sdk.HeaderCallerKind, "owner")
	w := httptest.NewRecorder()
	func() {
		defer func() {
			if v := recover(); v != http.ErrAbortHandler {
				t.Errorf("the handler ended with %v", v)
			}
		}()
		s.handler.ServeHTTP(w, r)
	}()
	s.stop(t)
	if w.Body.Len() != 0 || strings.Contains(s.log.String(), "level=ERROR") || !strings.Contains(s.log.String(), "request given up") {
		t.Errorf("answer %q, log:\n%s", w.Body, s.log)
	}
}
