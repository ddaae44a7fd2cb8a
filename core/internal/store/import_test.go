package store

import (
	"bytes"
	"database/sql"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// legacyLevels are the schemas of which testdata has a file as the earlier
// Salita left it.
func legacyLevels() []string { return []string{"005", "006", "008"} }

// legacyOptions are those of a data folder of the earlier Salita, with the
// changes made to its database.
func legacyOptions(t *testing.T, level string, changes ...string) Options {
	t.Helper()
	o := optionsIn(t.TempDir())
	data, err := os.ReadFile(filepath.Join("testdata", "legacy", "schema-"+level+".db"))
	must(t, err)
	must(t, os.WriteFile(o.Path, data, 0o644))
	db, err := sql.Open(driverName, dsn(o.Path, ""))
	must(t, err)
	defer db.Close()
	for _, change := range changes {
		if _, err := db.Exec(change); err != nil {
			t.Fatalf("%s: %v", change, err)
		}
	}
	ticks := 0
	o.Now = func() time.Time { // two copies never have the same name
		ticks++
		return noon.Add(time.Duration(ticks) * time.Millisecond)
	}
	return o
}

// legacyDevices are the other devices in the files, in the order of their names.
func legacyDevices(paired time.Time) []mesh.Device {
	return []mesh.Device{
		{
			ID: "0192f0c1-7a2b-7c3d-8e4f-000000000002", Name: "Old Laptop", Kind: mesh.KindGateway,
			Hostname: "192.168.1.120", Addresses: []string{"192.168.1.120:6969"},
			Capabilities: []string{"media.storage"}, Metadata: map[string]string{"free": "1000"},
			NeedsRepair: true, PairedAt: paired, LastSeen: time.Date(2026, 2, 2, 9, 15, 0, 0, time.UTC),
		},
		{
			ID: "0192f0c1-7a2b-7c3d-8e4f-000000000001", Name: "Phone", Kind: mesh.KindBrowser,
			Hostname: "192.168.1.75", Addresses: []string{"192.168.1.75:6969"},
			Capabilities: []string{"posting", "media.capture"},
			NeedsRepair:  true, PairedAt: paired, LastSeen: time.Date(2026, 2, 1, 9, 15, 0, 0, time.UTC),
		},
		{
			ID: "0192f0c1-7a2b-7c3d-8e4f-000000000003", Name: "Raspberry Pi", Kind: mesh.KindGateway,
			Hostname: "pi.local", Addresses: []string{"pi.local:6969"},
			Capabilities: []string{"media.storage", "always_on"},
			NeedsRepair:  true, PairedAt: paired, LastSeen: time.Date(2026, 2, 3, 9, 15, 0, 0, time.UTC),
		},
	}
}

// TestLegacyImport opens each file and compares all that people had in it.
func TestLegacyImport(t *testing.T) {
	const desktop = "0192f0c1-7a2b-7c3d-8e4f-00000000000a|study-desktop|localhost|6969"
	const first = "The earlier Salita's own first entry"
	signIns := ImportNote{"device_sessions", "Sign-ins of the earlier Salita have ended. Sign in again.", "3 rows"}
	tokens := ImportNote{"issued_tokens", "Access without a device key is not honoured any more. Pair the device again.", "3 rows"}
	for level, want := range map[string]struct {
		current string
		second  int // of the minute in which the files were made
		notes   []ImportNote
	}{
		"005": {"E7B79F0AFC641D3D71F9CF0BBA2952D2|Salita Node|localhost|6969", 10, []ImportNote{
			{"node_connections", "Which devices reach each other is found out anew.", "2 rows"},
		}},
		"006": {desktop, 11, []ImportNote{
			tokens, {"device 286AB1143420A68938460895FA2F16D4", "It is an earlier entry of this device itself.", first},
		}},
		"008": {desktop, 11, []ImportNote{signIns, tokens}},
	} {
		t.Run(level, func(t *testing.T) {
			o := legacyOptions(t, level)
			s := openStore(t, o)
			devices, err := s.Devices(t.Context())
			must(t, err)
			diff(t, legacyDevices(time.Date(2026, 11, 23, 16, 9, want.second, 0, time.UTC)), devices)
			for _, d := range devices {
				if got := mesh.PresenceOf(d).Status; got != mesh.StatusNeedsRepair || d.Reachable() {
					t.Errorf("%s is %s", d.Name, got)
				}
			}
			var current []string
			must(t, s.read.Raw(`SELECT concat_ws('|', node_id, name, hostname, port) FROM current_node`).Scan(&current).Error)
			diff(t, []string{want.current}, current)
			notes, err := s.ImportNotes(t.Context())
			must(t, err)
			for n := range notes {
				if strings.Contains(notes[n].Old, `"name":"Salita Node"`) {
					notes[n].Old = first
				}
			}
			diff(t, want.notes, notes)
			if n := count(t, s, `SELECT (SELECT count(*) FROM issued_tokens) + (SELECT count(*) FROM peer_tokens)`); n != 0 {
				t.Errorf("%d tokens, but none is honoured any more", n)
			}
		})
	}
}

func TestLegacySightings(t *testing.T) {
	s := openStore(t, legacyOptions(t, "008"))
	got, err := s.Sightings(t.Context())
	must(t, err)
	diff(t, []Sighting{{
		DeviceID: "0192f0c1-7a2b-7c3d-8e4f-000000000002", Address: "192.168.1.120:6969", Reachable: true,
		Response: 12 * time.Millisecond, CheckedAt: time.Date(2026, 2, 8, 10, 0, 0, 0, time.UTC),
	}}, got)
}

// TestLegacyPostsStay compares every table that waits for a later owner, row by
// row, with what it was.
func TestLegacyPostsStay(t *testing.T) {
	for _, level := range legacyLevels() {
		o := legacyOptions(t, level)
		before := dump(t, o.Path)
		must(t, openStore(t, o).Close())
		after := dump(t, o.Path)
		kept := 0
		for table, rows := range before {
			if name := "legacy_" + table; after[name] != nil {
				diff(t, rows, after[name])
				kept++
			}
		}
		if kept != 12 || len(after["legacy_posts"]) != 3 || len(after["legacy_comments"]) != 2 || len(after["legacy_reactions"]) != 1 {
			t.Errorf("schema %s: %d tables kept of 12: %v", level, kept, slices.Sorted(maps.Keys(after)))
		}
		if after["node_connections"] != nil || after["legacy_node_connections"] != nil {
			t.Errorf("schema %s: node_connections stayed", level)
		}
	}
}

// TestLegacyCopy finds all of the earlier database in the copy, and the copy
// opens like the original.
func TestLegacyCopy(t *testing.T) {
	for _, level := range legacyLevels() {
		o := legacyOptions(t, level)
		before := dump(t, o.Path)
		var log bytes.Buffer
		o.Log = hclog.New(&hclog.LoggerOptions{Output: &log})
		must(t, openStore(t, o).Close())
		copies := backups(t, o)
		if len(copies) != 1 || !strings.HasPrefix(copies[0], "salita-legacy-"+level+"-before-v1-") {
			t.Fatalf("copies = %v", copies)
		}
		path := filepath.Join(o.BackupDir, copies[0])
		diff(t, before, dump(t, path))
		info, err := os.Stat(path)
		must(t, err)
		if info.Mode().Perm() != fileMode {
			t.Errorf("copy has mode %v", info.Mode())
		}
		for _, said := range []string{"clear text", path, "mode=0600", "schema=" + level, "devices=3"} {
			if !strings.Contains(log.String(), said) {
				t.Errorf("the log does not say %q:\n%s", said, &log)
			}
		}
		again := optionsIn(t.TempDir())
		data, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(again.Path, data, 0o600))
		must(t, openStore(t, again).Close())
		diff(t, dump(t, o.Path), dump(t, again.Path))
	}
}

// TestLegacyImportHappensOnce opens a second time and a third.
func TestLegacyImportHappensOnce(t *testing.T) {
	for _, level := range legacyLevels() {
		o := legacyOptions(t, level)
		must(t, openStore(t, o).Close())
		before, copies := dump(t, o.Path), backups(t, o)
		data, err := os.ReadFile(o.Path)
		must(t, err)
		for range 2 {
			must(t, openStore(t, o).Close())
		}
		diff(t, before, dump(t, o.Path))
		diff(t, copies, backups(t, o))
		again, err := os.ReadFile(o.Path)
		must(t, err)
		if !bytes.Equal(data, again) {
			t.Errorf("schema %s: the file changed", level)
		}
	}
}

// TestLegacyTokensLeaveTheFile searches every file but the copy for each token
// and each sign-in, also for some that the earlier Salita had deleted.
func TestLegacyTokensLeaveTheFile(t *testing.T) {
	const deleted = legacyDeleted
	o := legacyOptions(t, "008",
		`PRAGMA secure_delete = 0`,
		`UPDATE users SET password_hash = '$2b$12$abcdefghijklmnopqrstuv'`,
		`INSERT INTO peer_tokens SELECT id, 'peer-secret-' || id, '[]', '', '', NULL FROM mesh_nodes`,
		`INSERT INTO pairing_states (token, state_json) VALUES ('pairing-secret', '{"session_token": "state-secret"}')`,
		`INSERT INTO pairing_events (token, event_type, event_data) VALUES ('event-secret', 'created', 'data-secret')`,
		`INSERT INTO sessions VALUES ('id', 'owner', 'sign-in-secret', '', '')`,
		`INSERT INTO invite_tokens VALUES ('id', 'invite-secret', 'owner', NULL, '', '')`,
		`WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
			INSERT INTO issued_tokens SELECT '`+deleted+`' || i || id, id, '[]', '', '', NULL, NULL FROM n, mesh_nodes`,
		`DELETE FROM issued_tokens WHERE token LIKE '`+deleted+`%'`,
	)
	secrets := []string{
		legacyToken, "a3e4995286b99c976966ebbb853c4a525d30b19a49940400715008a362d4df21",
		"0d48a8bea3abca50ded747524c8b456dd9539d8cd4db7689779a97fe28bb2532", legacySignIn,
		deleted, "$2b$12$", "peer-secret", "pairing-secret", "state-secret", "event-secret", "data-secret", "sign-in-secret", "invite-secret",
	}
	data, err := os.ReadFile(o.Path)
	must(t, err)
	for _, secret := range secrets {
		if !bytes.Contains(data, []byte(secret)) {
			t.Errorf("%s is not in the file to begin with", secret)
		}
	}
	s := openStore(t, o)
	checkSwept(t, o, secrets) // while it runs
	must(t, s.Close())
	checkSwept(t, o, secrets)
}

func checkSwept(t *testing.T, o Options, secrets []string) {
	t.Helper()
	must(t, filepath.WalkDir(filepath.Dir(o.Path), func(path string, d fs.DirEntry, err error) error {
		if d != nil && path == o.BackupDir {
			return filepath.SkipDir
		}
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, secret := range secrets {
			if bytes.Contains(data, []byte(secret)) {
				t.Errorf("%s is in %s", secret, filepath.Base(path))
			}
		}
		return err
	}))
}

// TestSweepIsRepeated is a start after one that was killed before it had swept.
func TestSweepIsRepeated(t *testing.T) {
	const secret = legacyDeleted
	o := legacyOptions(t, "008")
	must(t, openStore(t, o).Close())
	before := dump(t, o.Path)
	foreignDatabase(t, o.Path, `PRAGMA secure_delete = 0; CREATE TABLE t AS SELECT '`+secret+`'; DROP TABLE t; `+markUnswept)
	must(t, openStore(t, o).Close())
	checkSwept(t, o, []string{secret})
	diff(t, before, dump(t, o.Path))
	found, err := inspect(t.Context(), o.Path)
	must(t, err)
	if found.unswept {
		t.Error("it would sweep at every start")
	}
}

// dump is every row of every table, and the statement that made it.
func dump(t *testing.T, path string) map[string][]string {
	t.Helper()
	db, err := sql.Open(driverName, dsn(path, "mode=ro&_defensive=1"))
	must(t, err)
	defer db.Close()
	tables, err := column(t.Context(), db, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'`)
	must(t, err)
	all := map[string][]string{}
	for _, table := range tables {
		rows, err := db.QueryContext(t.Context(), `SELECT * FROM `+quoted(table))
		must(t, err)
		all[table] = []string{}
		for rows.Next() {
			all[table] = append(all[table], rowText(t, rows))
		}
		must(t, rows.Err())
		must(t, rows.Close())
		slices.Sort(all[table])
	}
	return all
}

func rowText(t *testing.T, rows *sql.Rows) string {
	t.Helper()
	columns, err := rows.Columns()
	must(t, err)
	values := make([]any, len(columns))
	for n := range values {
		values[n] = new(any)
	}
	must(t, rows.Scan(values...))
	var text strings.Builder
	for n, column := range columns {
		if column != "tstamp" && column != "saved_at" { // when it was done
			fmt.Fprintf(&text, "%s=%#v ", column, *values[n].(*any))
		}
	}
	return text.String()
}
