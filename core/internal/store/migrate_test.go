package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/salita-mesh/salita/sdk"
)

// newest is the number of the last embedded step.
func newest(t *testing.T) int {
	t.Helper()
	names, err := fs.Glob(embeddedSteps(), "*.sql")
	must(t, err)
	return len(names)
}

// withStep is the embedded steps and one more.
func withStep(t *testing.T, up string) fs.FS {
	t.Helper()
	steps := fstest.MapFS{
		fmt.Sprintf("%05d_next.sql", newest(t)+1): {Data: []byte("-- +goose Up\n" + up)},
	}
	names, err := fs.Glob(embeddedSteps(), "*.sql")
	must(t, err)
	for _, name := range names {
		data, err := fs.ReadFile(embeddedSteps(), name)
		must(t, err)
		steps[name] = &fstest.MapFile{Data: data}
	}
	return steps
}

func backups(t *testing.T, o Options) []string {
	t.Helper()
	entries, err := os.ReadDir(o.BackupDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	must(t, err)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}

func TestCopyOnlyWhenThereIsSomethingToDo(t *testing.T) {
	o := optionsIn(t.TempDir())
	s := openStore(t, o)
	pair(t, s, pairingOf(laptop(1)))
	must(t, s.Close())
	must(t, openStore(t, o).Close())
	if got := backups(t, o); got != nil {
		t.Fatalf("copies without a pending step: %v", got)
	}

	steps := withStep(t, "ALTER TABLE mesh_nodes ADD COLUMN colour TEXT;")
	for range 2 {
		s, err := open(t.Context(), o, steps)
		must(t, err)
		if n := count(t, s, `SELECT count(*) FROM mesh_nodes WHERE colour IS NULL`); n != 1 {
			t.Errorf("%d devices after the step", n)
		}
		must(t, s.Close())
	}
	diff(t, []string{fmt.Sprintf("salita-v%d-before-v%d-", newest(t), newest(t)+1) + "20260301T120000.123456Z.db"}, backups(t, o))
	checkCopy(t, o, backups(t, o)[0])
}

// checkCopy opens a copy as the old program would.
func checkCopy(t *testing.T, o Options, name string) {
	t.Helper()
	info, err := os.Stat(filepath.Join(o.BackupDir, name))
	must(t, err)
	if info.Mode().Perm() != fileMode {
		t.Errorf("copy has mode %v", info.Mode())
	}
	o.Path = filepath.Join(o.BackupDir, name)
	s := openStore(t, o)
	token, err := s.PeerToken(t.Context(), laptop(1).ID)
	must(t, err)
	if token.Token == "" {
		t.Error("copy has no token")
	}
}

func TestFailedStepLeavesTheOldSchema(t *testing.T) {
	o := optionsIn(t.TempDir())
	s := openStore(t, o)
	pair(t, s, pairingOf(laptop(1)))
	must(t, s.Close())

	steps := withStep(t, "DELETE FROM mesh_nodes;\nALTER TABLE mesh_nodes ADD COLUMN colour TEXT;\nSELECT nonsense FROM nowhere;")
	for i := range 5 { // a service manager would try again and again
		o.Now = func() time.Time { return noon.Add(time.Duration(i) * time.Second) }
		if _, err := open(t.Context(), o, steps); err == nil {
			t.Fatal("a broken step passed")
		}
	}
	if got := backups(t, o); len(got) != copiesKept || got[len(got)-1] != fmt.Sprintf("salita-v%d-before-v%d-", newest(t), newest(t)+1)+"20260301T120004.123456Z.db" {
		t.Errorf("copies = %v", got)
	}
	s = openStore(t, o)
	if n := count(t, s, `SELECT count(*) FROM mesh_nodes`); n != 1 {
		t.Errorf("%d devices", n)
	}
	if n := count(t, s, `SELECT count(*) FROM pragma_table_info('mesh_nodes') WHERE name = 'colour'`); n != 0 {
		t.Error("half a step stayed")
	}
}

func TestStepThatOrphansRowsIsReported(t *testing.T) {
	o := optionsIn(t.TempDir())
	s := openStore(t, o)
	pair(t, s, pairingOf(laptop(1)))
	must(t, s.Close())
	_, err := open(t.Context(), o, withStep(t, "DELETE FROM mesh_nodes;"))
	wantKind(t, err, sdk.Internal)
	if sdk.AsError(err).Hint == "" {
		t.Error("no hint")
	}
}

// TestStepMayRebuildATable guards against the rebuild that deletes the rows of
// other tables that refer to the old one.
func TestStepMayRebuildATable(t *testing.T) {
	o := optionsIn(t.TempDir())
	s := openStore(t, o)
	pair(t, s, pairingOf(laptop(1)))
	must(t, s.Close())
	s, err := open(t.Context(), o, withStep(t, `
CREATE TABLE rebuilt AS SELECT * FROM mesh_nodes;
DROP TABLE mesh_nodes;
CREATE TABLE mesh_nodes (id TEXT NOT NULL PRIMARY KEY, name TEXT);
INSERT INTO mesh_nodes SELECT id, name FROM rebuilt;
DROP TABLE rebuilt;`))
	must(t, err)
	defer s.Close()
	if n := count(t, s, `SELECT (SELECT count(*) FROM issued_tokens) + (SELECT count(*) FROM peer_tokens)`); n != 2 {
		t.Errorf("%d tokens left of 2", n)
	}
}

func TestBackup(t *testing.T) {
	o := optionsIn(t.TempDir())
	s := openStore(t, o)
	pair(t, s, pairingOf(laptop(1)))
	must(t, os.MkdirAll(o.BackupDir, 0o700))
	path := filepath.Join(o.BackupDir, "by-hand.db")
	// What a crash in the middle of an earlier copy leaves must not be in the way.
	must(t, os.WriteFile(path+".tmp", []byte("half a copy"), 0o600))
	must(t, os.WriteFile(path+".tmp-journal", []byte("its journal"), 0o600))
	must(t, s.Backup(t.Context(), path))
	diff(t, []string{"by-hand.db"}, backups(t, o))
	checkCopy(t, o, "by-hand.db")

	if err := s.Backup(t.Context(), path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("backup over an existing file: %v", err)
	}
	if err := s.Backup(t.Context(), filepath.Join(o.BackupDir, "no", "folder.db")); err == nil {
		t.Error("backup into no folder passed")
	}
}
