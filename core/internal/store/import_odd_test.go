package store

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// oddRow is a device that the earlier Salita or somebody's hands left in a
// strange state.
type oddRow struct {
	set   string             // what is odd about it, in SQL
	want  func(*mesh.Device) // how it is to come out; nil: as if it were not odd
	notes string             // a part of the one note, or "" for none
}

// oddRows are by the id that each has in the file.
func oddRows() map[string]oddRow {
	const url = "http://pi/"
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	long := strings.Repeat("x", 10000)
	return map[string]oddRow{
		"nothing odd":              {`port = port`, nil, ""},
		"name in other letters":    {`name = 'Mamás Gerät 日本 👩‍👧'`, func(d *mesh.Device) { d.Name = "Mamás Gerät 日本 👩‍👧" }, ""},
		"name that turns the line": {`name = 'Pi' || char(8238) || char(10) || '<b>'`, func(d *mesh.Device) { d.Name = "Pi <b>" }, "name of"},
		"name of 10,000 letters":   {`name = '` + long + `'`, func(d *mesh.Device) { d.Name = long[:mesh.MaxNameRunes] }, long},
		"no name":                  {`name = ''`, func(d *mesh.Device) { d.Name = d.Hostname }, ""},
		"name that is a number":    {`name = 42`, func(d *mesh.Device) { d.Name = "42" }, ""},
		"name that is no text":     {`name = x'50ff69'`, func(d *mesh.Device) { d.Name = "Pi" }, "name of"},

		"capabilities cut off":      {`capabilities = '["media.sto'`, func(d *mesh.Device) { d.Capabilities = nil }, `["media.sto`},
		"capabilities are a number": {`capabilities = '17'`, func(d *mesh.Device) { d.Capabilities = nil }, "17"},
		"one capability is odd": {
			`capabilities = '["a.b", 3, "c.d"]'`, func(d *mesh.Device) { d.Capabilities = []string{"a.b", "c.d"} }, `["a.b", 3, "c.d"]`,
		},
		"no capabilities": {`capabilities = ''`, func(d *mesh.Device) { d.Capabilities = nil }, ""},

		"metadata cut off":   {`metadata = '{"a": '`, nil, `{"a": `},
		"metadata is a list": {`metadata = '[1]'`, nil, `[1]`},
		"metadata of any shape": {`metadata = '{"s": "ü", "n": 1.5, "o": {"x": [null]}}'`, func(d *mesh.Device) {
			d.Metadata = map[string]string{"s": "ü", "n": "1.5", "o": `{"x": [null]}`}
		}, ""},
		"metadata nested deeply": {`metadata = '{"d": ` + deep + `}'`, func(d *mesh.Device) { d.Metadata = map[string]string{"d": deep} }, ""},

		"port beyond all ports": {`port = 70000`, asBrowser, `"port":70000`},
		"port that is a word":   {`port = 'http'`, asBrowser, `"port":"http"`},
		"no port":               {`port = 0`, asBrowser, ""},
		"host that is an URL":   {`hostname = '` + url + `'`, func(d *mesh.Device) { asBrowser(d); d.Hostname = url }, "address of"},
		"IPv6 host": {`hostname = 'fd00::7'`, func(d *mesh.Device) {
			d.Hostname, d.Addresses = "fd00::7", []string{"[fd00::7]:6969"}
		}, ""},

		"time with a zone":     {`last_seen = '2026-02-03T10:15:00.5+01:00'`, func(d *mesh.Device) { d.LastSeen = d.LastSeen.Add(time.Second / 2) }, ""},
		"time in words":        {`last_seen = '2026-02-03 09:15:00 UTC'`, nil, ""},
		"never seen":           {`last_seen = ''`, func(d *mesh.Device) { d.LastSeen = time.Time{} }, ""},
		"time that is none":    {`last_seen = 'yesterday'`, func(d *mesh.Device) { d.LastSeen = time.Time{} }, "yesterday"},
		"paired at no time":    {`created_at = 'once'`, func(d *mesh.Device) { d.PairedAt = d.LastSeen }, "once"},
		"id/of?another\\shape": {`port = port`, nil, ""},
	}
}

// asBrowser is what nobody can call.
func asBrowser(d *mesh.Device) { d.Kind, d.Addresses = mesh.KindBrowser, nil }

// TestLegacyOddRows finds each device still there, and noted with its old value
// what could not be kept.
func TestLegacyOddRows(t *testing.T) {
	usual := legacyDevices(time.Date(2026, 11, 23, 16, 9, 11, 0, time.UTC))[2]
	var changes []string
	want := map[mesh.DeviceID]mesh.Device{}
	for id, row := range oddRows() {
		changes = append(changes,
			`INSERT INTO mesh_nodes SELECT '`+id+`', name, hostname, port, status, capabilities, last_seen, created_at, metadata, 0
				FROM mesh_nodes WHERE id = '`+string(usual.ID)+`'`,
			`UPDATE mesh_nodes SET `+row.set+` WHERE id = '`+id+`'`)
		device := usual
		device.ID = mesh.DeviceID(id)
		if row.want != nil {
			row.want(&device)
		}
		want[device.ID] = device
	}
	s := openStore(t, legacyOptions(t, "008", changes...))
	devices, err := s.Devices(t.Context())
	must(t, err)
	got := map[mesh.DeviceID]mesh.Device{}
	for _, d := range devices {
		got[d.ID] = d
	}
	for _, d := range legacyDevices(usual.PairedAt) {
		want[d.ID] = d // the others are none the worse
	}
	diff(t, want, got)
	notes, err := s.ImportNotes(t.Context())
	must(t, err)
	for id, row := range oddRows() {
		checkNote(t, id, row.notes, notes)
	}
}

func checkNote(t *testing.T, id, part string, all []ImportNote) {
	t.Helper()
	notes := slices.DeleteFunc(slices.Clone(all), func(n ImportNote) bool { return !strings.HasSuffix(n.What, "device "+id) })
	switch {
	case part == "" && len(notes) > 0:
		t.Errorf("notes = %+v, want none", notes)
	case part != "" && (len(notes) != 1 || !strings.Contains(fmt.Sprint(notes[0]), part)):
		t.Errorf("notes = %+v, want one with %q", notes, part)
	}
}

// TestLegacyIDsThatCannotBe gives a new id to devices whose own is of no use.
func TestLegacyIDsThatCannotBe(t *testing.T) {
	s := openStore(t, legacyOptions(t, "008", `DELETE FROM device_sessions`, `DELETE FROM issued_tokens`,
		`INSERT INTO discovery_cache SELECT 'nobody', reachable, last_ping_at, response_time_ms, '' FROM discovery_cache`,
		`UPDATE discovery_cache SET node_id = (SELECT id FROM mesh_nodes WHERE name = 'Raspberry Pi') WHERE node_id <> 'nobody'`,
		`INSERT INTO discovery_cache SELECT CAST(node_id AS BLOB), reachable, last_ping_at, response_time_ms, '' FROM discovery_cache WHERE node_id <> 'nobody'`,
		`UPDATE mesh_nodes SET id = NULL WHERE name = 'Phone'`,
		`UPDATE mesh_nodes SET id = 'a' || char(10) || 'b' WHERE name = 'Old Laptop'`,
		`INSERT INTO mesh_nodes SELECT CAST(id AS BLOB), 'Twin', hostname, port, status, capabilities, last_seen, created_at, metadata, 0
			FROM mesh_nodes WHERE name = 'Raspberry Pi'`))
	devices, err := s.Devices(t.Context())
	must(t, err)
	ids := map[mesh.DeviceID]bool{}
	for _, d := range devices {
		ids[d.ID] = true
		if d.ID == "" || string(d.ID) != mesh.CleanName(string(d.ID)) {
			t.Errorf("%s has the id %q", d.Name, d.ID)
		}
	}
	if len(ids) != 4 {
		t.Errorf("%d devices with %d ids, want 4", len(devices), len(ids))
	}
	notes, err := s.ImportNotes(t.Context())
	must(t, err)
	if len(notes) != 5 { // three ids, a sighting of nobody and one too many
		t.Errorf("notes = %+v", notes)
	}
	for _, n := range notes {
		if !json.Valid([]byte(n.Old)) {
			t.Errorf("the old row of %s can't be read: %s", n.What, n.Old)
		}
	}
}

// TestLegacyThisDevice is about files that disagree over which device they are
// on. It is never listed as another one.
func TestLegacyThisDevice(t *testing.T) {
	const flagPi = `UPDATE mesh_nodes SET is_current = 1 WHERE name = 'Raspberry Pi'`
	for name, test := range map[string]struct {
		changes []string
		current string
		others  int
	}{
		"only named":             {[]string{`UPDATE mesh_nodes SET is_current = 0`}, "study-desktop", 3},
		"two flagged, one named": {[]string{flagPi}, "study-desktop", 2},
		"two flagged":            {[]string{`DELETE FROM current_node`, flagPi}, "study-desktop", 2}, // seen last
		"names nobody":           {[]string{`UPDATE current_node SET node_id = 'nobody'`}, "study-desktop", 3},
		"neither":                {[]string{`DELETE FROM current_node`, `UPDATE mesh_nodes SET is_current = 0`}, "", 4},
		"no flags":               {[]string{`DROP INDEX idx_mesh_nodes_is_current`, `ALTER TABLE mesh_nodes DROP COLUMN is_current`}, "study-desktop", 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, legacyOptions(t, "008", test.changes...))
			var current string
			must(t, s.read.Raw(`SELECT coalesce(max(name), '') FROM current_node`).Scan(&current).Error)
			if current != test.current {
				t.Errorf("this device is %q, want %q", current, test.current)
			}
			if n := count(t, s, `SELECT count(*) FROM mesh_nodes`); n != test.others {
				t.Errorf("%d other devices, want %d", n, test.others)
			}
			if n := count(t, s, `SELECT count(*) FROM mesh_nodes WHERE name = ?`, test.current); n != 0 {
				t.Errorf("%s is listed as another device", test.current)
			}
			must(t, s.SaveCurrent(t.Context(), "new", "Desktop", "host", 1))
		})
	}
}

// TestLegacyExtras opens a file to which somebody added things. Tables stay,
// under their names where possible; what is in the way of ours moves.
func TestLegacyExtras(t *testing.T) {
	o := legacyOptions(t, "008",
		`CREATE TABLE recipes (id INTEGER PRIMARY KEY, text TEXT DEFAULT "none", CHECK (text <> "x"))`,
		`INSERT INTO recipes (text) VALUES ('Apfelkuchen 🍎')`,
		`CREATE TABLE "odd ""name""" (id INTEGER)`,
		`INSERT INTO "odd ""name""" VALUES (1), (2)`,
		`CREATE VIRTUAL TABLE found USING fts5 (body)`,
		`INSERT INTO found VALUES ('needle in hay')`,
		`CREATE TABLE legacy_posts (id INTEGER)`,
		`INSERT INTO legacy_posts VALUES (7)`,
		`CREATE TABLE Pairing_Records (mine TEXT)`,
		`INSERT INTO Pairing_Records VALUES ('kept')`,
		`CREATE INDEX issued_tokens_node ON recipes (text)`,
		`CREATE TABLE gadgets (node TEXT REFERENCES mesh_nodes (id), token TEXT REFERENCES issued_tokens (token))`,
		`INSERT INTO gadgets SELECT id, 'dangling' FROM mesh_nodes`,
		`CREATE VIEW callers AS SELECT * FROM issued_tokens`,
		`CREATE TRIGGER greedy AFTER DELETE ON mesh_nodes BEGIN DELETE FROM recipes; END`,
		`INSERT INTO comments VALUES ('orphan', 'no such post', 'owner', 'hello', '')`,
	)
	before := dump(t, o.Path)
	s := openStore(t, o)
	notes, err := s.ImportNotes(t.Context())
	must(t, err)
	said := map[string]string{}
	for _, n := range notes {
		said[n.What] = n.Old
	}
	for _, what := range []string{"view callers", "trigger greedy", "index issued_tokens_node"} {
		if !strings.Contains(said[what], "CREATE") {
			t.Errorf("nothing noted of the %s", what)
		}
	}
	for _, d := range legacyDevices(time.Time{}) {
		must(t, s.RemoveDevice(t.Context(), d.ID))
	}
	must(t, s.Close())

	after := dump(t, o.Path)
	for table, name := range map[string]string{
		"recipes": "recipes", `odd "name"`: `odd "name"`, "found": "found", "gadgets": "gadgets", "legacy_posts": "legacy_posts",
		"posts": "legacy_legacy_posts", "Pairing_Records": "legacy_Pairing_Records", "comments": "legacy_comments",
	} {
		if after[name] == nil {
			t.Errorf("%s is gone: %v", table, slices.Sorted(maps.Keys(after)))
		}
		diff(t, before[table], after[name])
	}
	// The next migration must not stumble over any of it.
	s, err = open(t.Context(), o, withStep(t, "ALTER TABLE mesh_nodes ADD COLUMN colour TEXT;"))
	must(t, err)
	must(t, s.Close())
}

// TestLegacyLookalikes are other programs' files with some of the same tables,
// and one from before there were devices. They stay as they are.
func TestLegacyLookalikes(t *testing.T) {
	const oldDevices = `DROP TABLE node_connections; DROP TABLE mesh_nodes; `
	for name, changes := range map[string]string{
		"before there were devices":      oldDevices + `DELETE FROM schema_version WHERE name = '005_mesh_network'`,
		"devices but no versions":        `DROP TABLE schema_version`,
		"versions of something else":     `UPDATE schema_version SET name = 'v' || name`,
		"versions in another form":       `DROP TABLE schema_version; CREATE TABLE schema_version (version INTEGER)`,
		"devices in another form":        oldDevices + `CREATE TABLE mesh_nodes (id TEXT, name TEXT)`,
		"devices only as a view":         oldDevices + `CREATE VIEW mesh_nodes AS SELECT 1 AS id, 2 AS name, 3 AS hostname, 4 AS port`,
		"versions without any device":    oldDevices,
		"the step of devices is missing": `DELETE FROM schema_version WHERE name = '005_mesh_network'`,
	} {
		t.Run(name, func(t *testing.T) {
			o := legacyOptions(t, "005", changes)
			before := snapshot(t, filepath.Dir(o.Path))
			_, err := Open(t.Context(), o)
			wantKind(t, err, sdk.Unsupported)
			diff(t, before, snapshot(t, filepath.Dir(o.Path)))
		})
	}
}

// TestLegacyFileInWAL is what an earlier Salita leaves that was killed: its last
// changes are in the log beside the file.
func TestLegacyFileInWAL(t *testing.T) {
	running := legacyOptions(t, "008")
	db, err := sql.Open(driverName, dsn(running.Path, "_journal_mode=WAL"))
	must(t, err)
	defer db.Close()
	_, err = db.Exec(`UPDATE mesh_nodes SET name = 'Attic Pi' WHERE name = 'Raspberry Pi'`)
	must(t, err)
	o := optionsIn(t.TempDir())
	restore(t, filepath.Dir(o.Path), filesIn(t, filepath.Dir(running.Path)))
	if !exists(o.Path + "-wal") {
		t.Fatal("no log: nothing is tested")
	}
	s := openStore(t, o)
	devices, err := s.Devices(t.Context())
	must(t, err)
	if len(devices) != 3 || devices[0].Name != "Attic Pi" {
		t.Errorf("devices = %+v", devices)
	}
	copied := dump(t, filepath.Join(o.BackupDir, backups(t, o)[0]))
	diff(t, dump(t, running.Path), copied)
}
