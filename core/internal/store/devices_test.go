package store

import (
	"testing"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

func TestDevices(t *testing.T) {
	s := newStore(t)
	devices, err := s.Devices(t.Context())
	must(t, err)
	if len(devices) != 0 {
		t.Fatalf("new store has %v", devices)
	}
	nas, legacy := laptop(1), laptop(3)
	nas.Name = "nas"
	phone := mesh.Device{ID: mesh.NewDeviceID(), Name: "Phone", Kind: mesh.KindBrowser, PairedAt: noon}
	legacy.ID, legacy.Name, legacy.Key = "0192f0c1-7a2b-7c3d-8e4f-00000000000a", "Attic", mesh.KeyHash{}
	for _, d := range []mesh.Device{phone, nas, legacy} {
		pair(t, s, pairingOf(d))
	}
	devices, err = s.Devices(t.Context())
	must(t, err)
	diff(t, []mesh.Device{legacy, nas, phone}, devices) // whatever the case of the names

	got, err := s.Device(t.Context(), phone.ID)
	must(t, err)
	diff(t, phone, got)
}

func TestRenameDevice(t *testing.T) {
	s := newStore(t)
	d := pair(t, s, pairingOf(laptop(1)))
	must(t, s.RenameDevice(t.Context(), d.ID, "Küche 🍳"))
	d.Name = "Küche 🍳"
	got, err := s.Device(t.Context(), d.ID)
	must(t, err)
	diff(t, d, got)
}

func TestUpdateDevice(t *testing.T) {
	s := newStore(t)
	d := pair(t, s, pairingOf(laptop(1)))
	other := pair(t, s, pairingOf(laptop(2)))

	d.Name, d.Hostname = "New name", "new.local"
	d.Addresses, d.Capabilities = []string{"10.0.0.1:6969"}, nil
	d.Metadata = map[string]string{"free": "7", "note": `"quoted"`}
	d.NeedsRepair, d.LastSeen = true, noon.Add(time.Hour)
	change := d
	change.Kind, change.Key, change.PairedAt = mesh.KindScript, mesh.KeyHash{9}, noon.Add(time.Hour)
	must(t, s.UpdateDevice(t.Context(), change))
	got, err := s.Device(t.Context(), d.ID)
	must(t, err)
	diff(t, d, got) // kind, key and time of pairing stay

	empty := mesh.Device{ID: d.ID, Name: "x", Kind: d.Kind, Key: d.Key, PairedAt: d.PairedAt}
	must(t, s.UpdateDevice(t.Context(), empty))
	got, err = s.Device(t.Context(), d.ID)
	must(t, err)
	diff(t, empty, got) // also back to nothing

	got, err = s.Device(t.Context(), other.ID)
	must(t, err)
	diff(t, other, got)
}

func TestTimesAreKeptInUTC(t *testing.T) {
	s := newStore(t)
	d := laptop(1)
	d.LastSeen = time.Date(2026, 6, 1, 1, 2, 3, 4567, time.FixedZone("east", 9*3600))
	pair(t, s, pairingOf(d))
	got, err := s.Device(t.Context(), d.ID)
	must(t, err)
	want := time.Date(2026, 5, 31, 16, 2, 3, 4000, time.UTC)
	if got.LastSeen != want { // also the same zone
		t.Errorf("last seen = %v, want %v", got.LastSeen, want)
	}
}

func TestMetadataOfOtherShapes(t *testing.T) {
	s := newStore(t)
	d := pair(t, s, pairingOf(laptop(1)))
	execute(t, s, `UPDATE mesh_nodes SET metadata = ?`, `{"free": 1000, "tags": ["a", "b"], "name": "x", "none": null}`)
	got, err := s.Device(t.Context(), d.ID)
	must(t, err)
	// A null is the empty text, as encoding/json has it.
	diff(t, map[string]string{"free": "1000", "tags": `["a", "b"]`, "name": "x", "none": ""}, got.Metadata)
}

func TestRemoveDevice(t *testing.T) {
	s := newStore(t)
	gone, stays := laptop(1), laptop(2)
	for _, d := range []mesh.Device{gone, stays} {
		pair(t, s, pairingOf(d))
		must(t, s.SaveSightings(t.Context(), []Sighting{{DeviceID: d.ID, Address: "a:1", CheckedAt: noon}}))
	}
	must(t, s.RemoveDevice(t.Context(), gone.ID))
	for _, table := range []string{"mesh_nodes", "issued_tokens", "peer_tokens", "discovery_cache"} {
		if n := count(t, s, `SELECT count(*) FROM `+table); n != 1 {
			t.Errorf("%s has %d rows, want the other device's", table, n)
		}
	}
	if _, err := s.PeerToken(t.Context(), stays.ID); err != nil {
		t.Error(err)
	}
	pair(t, s, pairingOf(gone)) // it may come back
}

func TestUnknownDevice(t *testing.T) {
	s := newStore(t)
	for name, call := range map[string]func() error{
		"read":   func() error { _, err := s.Device(t.Context(), "nobody"); return err },
		"rename": func() error { return s.RenameDevice(t.Context(), "nobody", "x") },
		"update": func() error { return s.UpdateDevice(t.Context(), mesh.Device{ID: "nobody"}) },
		"remove": func() error { return s.RemoveDevice(t.Context(), "nobody") },
		"revoke": func() error { return s.RevokeTokens(t.Context(), "nobody", noon) },
	} {
		t.Run(name, func(t *testing.T) { wantKind(t, call(), sdk.NotFound) })
	}
}

func TestSaveCurrent(t *testing.T) {
	s := newStore(t)
	for _, id := range []mesh.DeviceID{"first", "second", "second"} {
		must(t, s.SaveCurrent(t.Context(), id, "Desk "+string(id), "desk.local", 6969))
	}
	var rows []currentRow
	must(t, s.read.Find(&rows).Error)
	diff(t, []currentRow{{NodeID: "second", Name: "Desk second", Hostname: "desk.local", Port: 6969, SavedAt: noon}}, rows)
	if err := s.SaveCurrent(t.Context(), "third", "x", "y", 70000); err == nil {
		t.Error("port 70000 was taken")
	}
	if n := count(t, s, `SELECT count(*) FROM current_node WHERE node_id = 'second'`); n != 1 {
		t.Error("a refused change removed the current device")
	}
}

func TestSightings(t *testing.T) {
	s := newStore(t)
	d := pair(t, s, pairingOf(laptop(1)))
	found := Sighting{DeviceID: d.ID, Address: "10.0.0.1:6969", Response: 12 * time.Millisecond, Reachable: true, CheckedAt: noon}
	later := Sighting{DeviceID: d.ID, Address: "10.0.0.2:6969", CheckedAt: noon.Add(time.Minute)}
	removed := Sighting{DeviceID: "nobody", Address: "x:1", Reachable: true, CheckedAt: noon}

	must(t, s.SaveSightings(t.Context(), nil))
	must(t, s.SaveSightings(t.Context(), []Sighting{removed, found}))
	checkSightings(t, s, d.ID, found, noon)
	must(t, s.SaveSightings(t.Context(), []Sighting{later}))
	checkSightings(t, s, d.ID, later, noon) // tried, but not seen
	must(t, s.SaveSightings(t.Context(), []Sighting{found}))
	checkSightings(t, s, d.ID, later, noon) // old news
}

func checkSightings(t *testing.T, s *Store, id mesh.DeviceID, want Sighting, lastSeen time.Time) {
	t.Helper()
	got, err := s.Sightings(t.Context())
	must(t, err)
	diff(t, []Sighting{want}, got)
	d, err := s.Device(t.Context(), id)
	must(t, err)
	if d.LastSeen != lastSeen {
		t.Errorf("last seen = %v, want %v", d.LastSeen, lastSeen)
	}
}
