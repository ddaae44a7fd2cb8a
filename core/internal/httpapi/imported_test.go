package httpapi

import (
	"context"
	"testing"

	"github.com/salita-mesh/salita/core/internal/store"
)

type fakeImport []store.ImportNote

func (f fakeImport) ImportNotes(context.Context) ([]store.ImportNote, error) { return f, nil }

func TestImportNotesAreShown(t *testing.T) {
	w := newWorld(t)
	owner := w.callers()["owner"]
	if got := w.do(owner, "GET", "/api/imported", nil); got.status != 200 || string(got.body) != "[]" {
		t.Errorf("without an import: %d %s", got.status, got.body)
	}
	w.server.Imported = fakeImport{{What: "token of device x", Why: "It had expired.", Old: "secret"}}
	want := `[{"what":"token of device x","why":"It had expired."}]`
	if got := w.do(owner, "GET", "/api/imported", nil); got.status != 200 || string(got.body) != want {
		t.Errorf("after an import: %d %s", got.status, got.body)
	}
}
