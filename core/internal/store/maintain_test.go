package store

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

func TestArchiveDevice(t *testing.T) {
	s := newStore(t)
	d := pair(t, s, pairingOf(laptop(1)))
	must(t, s.ArchiveDevice(t.Context(), d.ID, noon))
	got, err := s.Device(t.Context(), d.ID)
	must(t, err)
	d.ArchivedAt = noon
	diff(t, d, got)

	must(t, s.UpdateDevice(t.Context(), d)) // says nothing about it
	must(t, s.RestoreDevice(t.Context(), d.ID, noon.Add(time.Hour)))
	d.ArchivedAt, d.RestoredAt = time.Time{}, noon.Add(time.Hour)
	got, err = s.Device(t.Context(), d.ID)
	must(t, err)
	diff(t, d, got)

	wantKind(t, s.ArchiveDevice(t.Context(), "nobody", noon), sdk.NotFound)
	wantKind(t, s.RestoreDevice(t.Context(), "nobody", noon), sdk.NotFound)
}

func TestPairingAgainRestoresADevice(t *testing.T) {
	s := newStore(t)
	d := pair(t, s, pairingOf(laptop(1)))
	must(t, s.ArchiveDevice(t.Context(), d.ID, noon))
	if again := pair(t, s, pairingOf(laptop(1))); again.ID != d.ID || again.Archived() {
		t.Errorf("paired again: %+v", again)
	}
}

func TestSavePresence(t *testing.T) {
	s := newStore(t)
	var devices []mesh.Device
	var sightings []Sighting
	for i := range byte(2*presenceChunk/100 + 1) { // a few real ones
		devices = append(devices, pair(t, s, pairingOf(laptop(i+1))))
	}
	for i := range devices {
		d := &devices[i]
		d.Addresses, d.Capabilities = []string{fmt.Sprintf("10.0.0.%d:6969", i)}, []string{"media.storage"}
		d.Metadata, d.LastSeen, d.NeedsRepair = map[string]string{"n": fmt.Sprint(i)}, noon.Add(time.Hour), i%2 == 1
		sightings = append(sightings, Sighting{DeviceID: d.ID, Address: d.Addresses[0], Response: 3 * time.Millisecond, Reachable: true, CheckedAt: noon.Add(time.Hour)})
	}
	renamed := devices[0]
	renamed.Name = "only Rename may"
	gone := mesh.Device{ID: "gone"}
	many := make([]mesh.Device, 2*presenceChunk)
	for i := range many {
		many[i] = gone
	}
	must(t, s.SavePresence(t.Context(), append(append(many, renamed), devices[1:]...), append(sightings, Sighting{DeviceID: "gone", CheckedAt: noon})))
	for _, want := range devices {
		got, err := s.Device(t.Context(), want.ID)
		must(t, err)
		diff(t, want, got)
	}
	got, err := s.Sightings(t.Context())
	must(t, err)
	if len(got) != len(devices) || got[0].Response != 3*time.Millisecond || !got[0].Reachable {
		t.Errorf("sightings %+v", got)
	}
}

func TestExpire(t *testing.T) {
	s := newStore(t)
	old, live := pair(t, s, pairingOf(laptop(1))), pair(t, s, pairingOf(laptop(2)))
	revoked := pair(t, s, pairingOf(laptop(3)))
	execute(t, s, `UPDATE issued_tokens SET expires_at = ? WHERE node_id = ?`, noon, string(old.ID))
	execute(t, s, `UPDATE issued_tokens SET expires_at = ? WHERE node_id = ?`, noon.Add(time.Second), string(live.ID))
	must(t, s.RevokeTokens(t.Context(), revoked.ID, noon))
	for name, at := range map[string]time.Time{"over": noon, "open": noon.Add(time.Second)} {
		execute(t, s, `INSERT INTO sessions (id, secret_hash, kind, created_at, expires_at) VALUES (?, randomblob(32), 'owner', ?, ?)`, name, noon, at)
	}
	execute(t, s, `INSERT INTO pairing_records VALUES ('a', 'showing', x'00', ?)`, s.now())
	execute(t, s, `INSERT INTO pairing_records VALUES ('b', 'showing', x'00', ?)`, s.now().Add(time.Hour))

	got, err := s.Expire(t.Context(), noon)
	must(t, err)
	diff(t, Swept{Tokens: 2, Sessions: 1, Pairings: 1}, got)
	if n := count(t, s, `SELECT count(*) FROM issued_tokens WHERE node_id = ?`, string(live.ID)); n != 1 {
		t.Error("a token that is good was swept")
	}
	if n := count(t, s, `SELECT count(*) FROM mesh_nodes`); n != 3 {
		t.Error("a device went with its token")
	}
	got, err = s.Expire(t.Context(), noon)
	must(t, err)
	diff(t, Swept{}, got)
}

func TestOptimizeGivesPagesBack(t *testing.T) {
	s := newStore(t)
	fill := func() {
		for range 50 {
			must(t, s.AddActivity(t.Context(), mesh.Activity{At: noon, Name: "x", Words: strings.Repeat("x", 20<<10)}))
		}
		execute(t, s, `DELETE FROM activity`)
	}
	for _, round := range []string{"the first, which writes the file anew", "a later one"} {
		fill()
		freed, err := s.Optimize(t.Context())
		must(t, err)
		if freed < 500<<10 {
			t.Errorf("%s gave %d bytes back", round, freed)
		}
		if n := count(t, s, `PRAGMA freelist_count`); n != 0 {
			t.Errorf("%s left %d free pages", round, n)
		}
	}
	freed, err := s.Optimize(t.Context())
	must(t, err)
	if freed != 0 {
		t.Errorf("with nothing to do: %d bytes", freed)
	}
	pair(t, s, pairingOf(laptop(1))) // it still takes changes
}

func TestActivity(t *testing.T) {
	s := newStore(t)
	first := mesh.Activity{At: noon, Name: "device.archived", DeviceID: "a", Words: "Laptop was not seen for 90 days."}
	must(t, s.AddActivity(t.Context(), first))
	second := mesh.Activity{At: noon, Name: "database.optimized", Words: "Done."}
	must(t, s.AddActivity(t.Context(), second))
	got, err := s.Activity(t.Context(), 10)
	must(t, err)
	diff(t, []mesh.Activity{second, first}, got)
	got, err = s.Activity(t.Context(), 1)
	must(t, err)
	diff(t, []mesh.Activity{second}, got)

	execute(t, s, `UPDATE activity SET id = ? WHERE id = 2`, activityKept)
	must(t, s.AddActivity(t.Context(), second))
	if n := count(t, s, `SELECT count(*) FROM activity`); n != 2 {
		t.Errorf("%d notes are kept, want the oldest gone", n)
	}
}

// TestLastUsesComeToAnOlderFile: what was known of a phone only by its token or
// session is known of the phone itself from now on.
func TestLastUsesComeToAnOlderFile(t *testing.T) {
	steps := fstest.MapFS{}
	for _, name := range []string{"00001_mesh.sql", "00002_sessions.sql"} {
		data, err := fs.ReadFile(embeddedSteps(), name)
		must(t, err)
		steps[name] = &fstest.MapFile{Data: data}
	}
	o := optionsIn(t.TempDir())
	old, err := open(t.Context(), o, steps)
	must(t, err)
	used := noon.Add(time.Hour)
	for id, seen := range map[string]any{"token": nil, "session": noon, "seen later": noon.Add(2 * time.Hour), "never": nil} {
		execute(t, old, `INSERT INTO mesh_nodes (id, name, kind, paired_at, last_seen) VALUES (?, ?, 'browser', ?, ?)`, id, id, noon, seen)
	}
	for _, id := range []string{"token", "seen later"} {
		execute(t, old, `INSERT INTO issued_tokens VALUES (randomblob(32), ?, NULL, '[]', ?, ?, ?, NULL)`, id, noon, noon, used)
	}
	execute(t, old, `INSERT INTO sessions (id, secret_hash, kind, device_id, created_at, expires_at, last_used_at) VALUES ('s', randomblob(32), 'device', 'session', ?, ?, ?)`, noon, noon, used)
	must(t, old.Close())

	s := openStore(t, o)
	devices, err := s.Devices(t.Context())
	must(t, err)
	got := map[mesh.DeviceID]time.Time{}
	for _, d := range devices {
		got[d.ID] = d.LastSeen
	}
	diff(t, map[mesh.DeviceID]time.Time{"token": used, "session": used, "seen later": noon.Add(2 * time.Hour), "never": {}}, got)
}
