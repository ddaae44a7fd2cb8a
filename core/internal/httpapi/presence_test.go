package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/core/internal/peer"
)

// TestAGatewayCanSayGoodbyeOfItselfAlone over real mutual TLS.
func TestAGatewayCanSayGoodbyeOfItselfAlone(t *testing.T) {
	w := newWorld(t)
	callers := w.callers()
	available := func(want bool) {
		t.Helper()
		d, err := w.server.Devices.Get(w.gateway.ID())
		if err != nil || (d.Status == mesh.StatusAvailable) != want {
			t.Errorf("the gateway is %s, %v", d.Status, err)
		}
	}
	available(true)
	for _, name := range []string{"script", "nobody", "paired gateway without its token", "gateway's token without its key", "gateway's token with another key"} {
		if got := w.do(callers[name], http.MethodPost, peer.PathLeaving, nil); got.status/100 == 2 {
			t.Errorf("%s: %d", name, got.status)
		}
	}
	// What it says of others in a body is not even read.
	if got := w.do(callers["paired gateway"], http.MethodPost, peer.PathLeaving+"?id=script", []byte(`{"node_id":"script"}`)); got.status != http.StatusNoContent {
		t.Errorf("its goodbye: %d %s", got.status, got.body)
	}
	available(false)
}

func TestArchivedDevicesAndActivity(t *testing.T) {
	w := newWorld(t)
	owner := w.callers()["owner"]
	old := mesh.Device{ID: "old", Name: "Old phone", Kind: mesh.KindBrowser, PairedAt: time.Now().Add(-mesh.ArchiveAfter)}
	secret, issued := w.server.Tokens.Issue(old.ID, old.Key, nil)
	stored, err := w.store.CompletePairing(t.Context(), mesh.Pairing{Device: old, Issued: issued}, nil)
	if err != nil || secret == "" {
		t.Fatal(err)
	}
	stored.PairedAt = old.PairedAt
	w.server.Devices.Paired(stored)
	if _, err := w.server.Devices.Get(old.ID); err != nil {
		t.Fatal(err)
	}
	get := func(path, has, lacks string) {
		t.Helper()
		got := w.do(owner, http.MethodGet, path, nil)
		if got.status != http.StatusOK || !strings.Contains(string(got.body), has) || lacks != "" && strings.Contains(string(got.body), lacks) {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	get("/api/archived", "[]", "Old phone")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(w.store.ArchiveDevice(t.Context(), old.ID, time.Now()))
	stored, err = w.store.Device(t.Context(), old.ID)
	must(err)
	w.server.Devices.Paired(stored)
	get("/api/archived", "Old phone", "")
	get("/api/devices", "Script", "Old phone")
	get("/api/devices/old", `"archived_at":"`, "")

	if got := w.do(owner, http.MethodPost, "/api/devices/old/restore", nil); got.status != http.StatusOK || strings.Contains(string(got.body), "archived_at") {
		t.Errorf("restore: %d %s", got.status, got.body)
	}
	get("/api/devices", "Old phone", "")
	if got := w.do(owner, http.MethodPost, "/api/devices/nobody/restore", nil); got.status != http.StatusNotFound {
		t.Errorf("restore nobody: %d", got.status)
	}

	must(w.store.AddActivity(t.Context(), mesh.Activity{At: time.Now(), Name: "device.archived", DeviceID: "old", Words: "Old phone was put away."}))
	must(w.store.AddActivity(t.Context(), mesh.Activity{At: time.Now(), Name: "access.swept", Words: "Two."}))
	var list struct{ Items []activityBody }
	must(json.Unmarshal(w.do(owner, http.MethodGet, "/api/activity?limit=1", nil).body, &list))
	if len(list.Items) != 1 || list.Items[0].Words != "Two." || list.Items[0].At == nil {
		t.Errorf("activity %+v", list)
	}
	get("/api/activity", `"device_id":"old","words":"Old phone was put away."`, "")
	for _, limit := range []string{"0", "-1", "2001", "x", "99999999999999999999"} {
		if got := w.do(owner, http.MethodGet, "/api/activity?limit="+limit, nil); got.status != http.StatusBadRequest {
			t.Errorf("limit %s: %d", limit, got.status)
		}
	}
}
