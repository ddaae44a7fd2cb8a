package plugins

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

func TestCapabilityFindsItsRequest(t *testing.T) {
	h := New(Options{Log: discard()})
	h.board.update("media", func(e *entry) {
		e.apply(report{state: Backoff, manifest: &sdk.Manifest{
			Name: "media",
			Routes: []sdk.Route{
				{Pattern: "GET /media", Permission: "media:read"},
				{Pattern: "POST  /media/upload", Permission: "media:upload"},
			},
			Capabilities: []sdk.Capability{
				{ID: "media", Route: "GET /media"},
				{ID: "media.storage", Route: "POST  /media/upload"},
				{ID: "media.gallery"},
			},
		}})
	})
	for id, want := range map[string]Call{
		"media":         {Match: Match{Plugin: "media", Permission: mesh.Permission("media:read")}, Method: "GET", Path: "/media"},
		"media.storage": {Match: Match{Plugin: "media", Permission: mesh.Permission("media:upload")}, Method: "POST", Path: "/media/upload"},
	} {
		got, ok := h.Capability(id)
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Match{})); !ok || diff != "" {
			t.Errorf("%s: %v %s", id, ok, diff)
		}
		if got.board != h.board {
			t.Errorf("%s leads nowhere", id)
		}
	}
	for _, id := range []string{"", "media.gallery", "media.other", "posts", ".media", "media."} {
		if got, ok := h.Capability(id); ok {
			t.Errorf("%q: %+v", id, got)
		}
	}
}
