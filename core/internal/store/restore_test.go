package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/salita-mesh/salita/sdk"
)

// stepping is a clock that never tells the same time twice.
func stepping() func() time.Time {
	now := noon
	return func() time.Time {
		now = now.Add(time.Second)
		return now
	}
}

// withDevices makes a database in which exactly these laptops are paired, and
// returns a backup of it.
func withDevices(t *testing.T, o Options, numbers ...byte) (backup string) {
	t.Helper()
	s, err := Open(t.Context(), o)
	must(t, err)
	devices, err := s.Devices(t.Context())
	must(t, err)
	for _, d := range devices {
		must(t, s.RemoveDevice(t.Context(), d.ID))
	}
	for _, n := range numbers {
		pair(t, s, pairingOf(laptop(n)))
	}
	must(t, s.SaveCurrent(t.Context(), "me", "Me", "me.local", 6969))
	backup, err = s.BackUp(t.Context())
	must(t, err)
	must(t, s.Close())
	return backup
}

func namesIn(t *testing.T, o Options) (names []string) {
	t.Helper()
	s, err := Open(t.Context(), o)
	must(t, err)
	defer func() { must(t, s.Close()) }()
	devices, err := s.Devices(t.Context())
	must(t, err)
	for _, d := range devices {
		names = append(names, d.Name)
	}
	slices.Sort(names)
	return names
}

func TestRestoreBringsBackWhatWasBackedUp(t *testing.T) {
	o := optionsIn(t.TempDir())
	o.Now = stepping()
	backup := withDevices(t, o, 1, 2)
	withDevices(t, o, 3)

	kept, err := Restore(t.Context(), o, backup, "me")
	must(t, err)
	diff(t, []string{"Laptop 1", "Laptop 2"}, namesIn(t, o))
	_, err = Restore(t.Context(), o, kept, "me")
	must(t, err)
	diff(t, []string{"Laptop 3"}, namesIn(t, o))
	for _, path := range []string{o.Path, kept, backup} {
		info, err := os.Stat(path)
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
	}
}

// TestRestoreLeavesNoLogBehind restores over a database whose process was killed:
// its log must not be played into the restored file, and what only the log held is
// in the copy that is kept.
func TestRestoreLeavesNoLogBehind(t *testing.T) {
	o := optionsIn(t.TempDir())
	backup := withDevices(t, o, 5, 6)
	must(t, removeAll(o.Path))
	killLater(t, child(t, "hang", filepath.Dir(o.Path)), 0)
	if !exists(o.Path + "-wal") {
		t.Fatal("the killed process left no log")
	}
	kept, err := Restore(t.Context(), o, backup, "me")
	must(t, err)
	diff(t, []string{"Laptop 5", "Laptop 6"}, namesIn(t, o))
	diff(t, []string{"900"}, rowsOf(t, kept, `SELECT max(version_id) FROM goose_db_version`))
}

func rowsOf(t *testing.T, path, query string) []string {
	t.Helper()
	db, err := sql.Open(driverName, dsn(path, copySetup))
	must(t, err)
	defer db.Close()
	rows, err := column(t.Context(), db, query)
	must(t, err)
	return rows
}

func TestRestoreOverADamagedOrMissingDatabase(t *testing.T) {
	for name, ruin := range map[string]func(*testing.T, string){
		"damaged": func(t *testing.T, path string) {
			must(t, os.WriteFile(path, []byte(fileMagic+strings.Repeat("\xa5", 8192)), 0o600))
			must(t, os.WriteFile(path+"-wal", []byte("rubbish"), 0o600))
		},
		"no database": func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte("shopping list"), 0o600)) },
		"empty":       func(t *testing.T, path string) { must(t, os.Truncate(path, 0)) },
		"missing":     func(t *testing.T, path string) { must(t, os.Remove(path)) },
	} {
		t.Run(name, func(t *testing.T) {
			o := optionsIn(t.TempDir())
			o.Now = stepping()
			backup := withDevices(t, o, 1)
			ruin(t, o.Path)
			was, _ := os.ReadFile(o.Path)
			kept, err := Restore(t.Context(), o, backup, "me")
			must(t, err)
			if (kept != "") != (len(was) > 0) {
				t.Errorf("kept %q of %d bytes", kept, len(was))
			}
			if kept != "" {
				if is, err := os.ReadFile(kept); err != nil || string(is) != string(was) {
					t.Errorf("the kept file is %d bytes, %v; want the %d that were there", len(is), err, len(was))
				}
			}
			diff(t, []string{"Laptop 1"}, namesIn(t, o))
		})
	}
}

// TestRestoreRefuses goes through files that must not become the database. Every
// one of them leaves all as it was.
func TestRestoreRefuses(t *testing.T) {
	o := optionsIn(t.TempDir())
	o.Now = stepping()
	backup := withDevices(t, o, 1)
	write := func(name string, content []byte) string {
		path := filepath.Join(t.TempDir(), name)
		must(t, os.WriteFile(path, content, 0o600))
		return path
	}
	good, err := os.ReadFile(backup)
	must(t, err)
	changed := func(statements ...string) string {
		path := write("changed.db", good)
		db, err := sql.Open(driverName, dsn(path, commonSetup))
		must(t, err)
		defer db.Close()
		for _, s := range statements {
			_, err := db.Exec(s)
			must(t, err)
		}
		return path
	}
	foreign := func() string {
		path := filepath.Join(t.TempDir(), "foreign.db")
		db, err := sql.Open(driverName, dsn(path, commonSetup))
		must(t, err)
		defer db.Close()
		_, err = db.Exec(`CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY, version_id INTEGER, is_applied INTEGER); CREATE TABLE recipes (name TEXT)`)
		must(t, err)
		return path
	}
	tests := []struct {
		name, file string
		kind       sdk.Kind
		says       string
	}{
		{"not there", filepath.Join(t.TempDir(), "nothing.db"), sdk.NotFound, "There is no file"},
		{"a folder", t.TempDir(), sdk.Unsupported, "not a copy of Salita's data"},
		{"empty", write("empty.db", nil), sdk.Unsupported, "not a copy of Salita's data"},
		{"text", write("text.db", []byte(strings.Repeat("text ", 1000))), sdk.Unsupported, "not a copy of Salita's data"},
		{"another program's", foreign(), sdk.Unsupported, "not a copy of Salita's data"},
		{"cut short", write("short.db", good[:len(good)/2]), sdk.Invalid, "is damaged"},
		{"rubbish inside", write("rubbish.db", append(append([]byte{}, good[:4096]...), make([]byte, len(good)-4096)...)), sdk.Invalid, "is damaged"},
		{"newer", changed(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (900, 1)`), sdk.Unsupported, "newer Salita"},
		{"another device's", changed(`UPDATE current_node SET node_id = 'other'`), sdk.Conflict, "another device's"},
		{"itself", o.Path, sdk.Invalid, "uses now"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			kept, err := Restore(t.Context(), o, tt.file, "me")
			e := sdk.AsError(err)
			if err == nil || e.Kind != tt.kind || !strings.Contains(e.Message, tt.says) || e.Hint == "" || kept != "" {
				t.Errorf("kept %q, %v; want %s %q", kept, err, tt.kind, tt.says)
			}
			diff(t, []string{"Laptop 1"}, namesIn(t, o))
			diff(t, []string{filepath.Base(backup)}, backups(t, o))
		})
	}
}

func TestRestoreWhileTheDatabaseIsOpen(t *testing.T) {
	o := optionsIn(t.TempDir())
	backup := withDevices(t, o, 1)
	openStore(t, o)
	if _, err := Restore(t.Context(), o, backup, "me"); sdk.KindOf(err) != sdk.Conflict {
		t.Errorf("restore: %v", err)
	}
	if _, err := BackUpClosed(t.Context(), o); sdk.KindOf(err) != sdk.Conflict {
		t.Errorf("back up: %v", err)
	}
}

// TestRestoreOfOlderCopies restores what migrations and the import keep.
func TestRestoreOfOlderCopies(t *testing.T) {
	t.Run("an earlier schema", func(t *testing.T) {
		o := optionsIn(t.TempDir())
		first, err := fs.ReadFile(embeddedSteps(), "00001_mesh.sql")
		must(t, err)
		old := o
		old.Path = filepath.Join(t.TempDir(), "old.db")
		s, err := open(t.Context(), old, fstest.MapFS{"00001_mesh.sql": {Data: first}})
		must(t, err)
		must(t, s.Close())
		_, err = Restore(t.Context(), o, old.Path, "me")
		must(t, err)
		if names := namesIn(t, o); len(names) != 0 {
			t.Errorf("devices are %q", names)
		}
	})
	t.Run("the earlier Salita's", func(t *testing.T) {
		o := optionsIn(t.TempDir())
		_, err := Restore(t.Context(), o, legacyOptions(t, "008").Path, "me")
		must(t, err)
		if names := namesIn(t, o); len(names) == 0 {
			t.Error("no device was taken over")
		}
	})
}

func TestInterruptedRestoreIsCompletedByTheNextOpen(t *testing.T) {
	o := optionsIn(t.TempDir())
	o.Now = stepping()
	backup := withDevices(t, o, 1)
	withDevices(t, o, 2)

	// Not decided yet: the folder is there, and half a copy in it.
	must(t, os.Mkdir(o.Path+restoringSuffix, 0o700))
	must(t, os.WriteFile(filepath.Join(o.Path+restoringSuffix, "copy.db"), []byte("half"), 0o600))
	diff(t, []string{"Laptop 2"}, namesIn(t, o))
	if exists(o.Path + restoringSuffix) {
		t.Error("the folder stayed")
	}

	// Decided: the log of the earlier database is still there.
	must(t, copyFile(backup, o.Path+restoredSuffix))
	must(t, os.WriteFile(o.Path+"-wal", []byte("an old log"), 0o600))
	diff(t, []string{"Laptop 1"}, namesIn(t, o))
	if exists(o.Path + restoredSuffix) {
		t.Error("the restored file stayed")
	}
}

// childRestore restores two copies in turn and prints which one is in place.
func childRestore(dir string) error {
	o := optionsIn(dir)
	o.Now = time.Now
	for round := 0; ; round++ {
		n := round%2 + 1
		if _, err := Restore(context.Background(), o, filepath.Join(dir, fmt.Sprintf("copy%d.db", n)), "me"); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// TestKilledWhileRestoring kills a process that restores two copies in turn. One
// of the two must be there, whole: the one acknowledged last or the one after it.
func TestKilledWhileRestoring(t *testing.T) {
	const kills = 20
	dir := t.TempDir()
	o := optionsIn(dir)
	o.Now = stepping()
	for n := byte(1); n <= 2; n++ {
		must(t, copyFile(withDevices(t, o, n), filepath.Join(dir, fmt.Sprintf("copy%d.db", n))))
	}
	for range kills {
		lines := killLater(t, child(t, "restore", dir), time.Duration(rand.IntN(60_000))*time.Microsecond)
		if len(lines) == 0 || len(lines[0]) != 1 {
			t.Fatalf("child said %q", lines)
		}
		names := namesIn(t, o)
		if len(names) != 1 || names[0] != "Laptop 1" && names[0] != "Laptop 2" {
			t.Fatalf("devices are %q", names)
		}
		for _, left := range []string{restoringSuffix, restoredSuffix} {
			if exists(o.Path + left) {
				t.Errorf("%s is left", left)
			}
		}
		must(t, os.RemoveAll(o.BackupDir))
	}
}

func TestBackUpOfAMovedDatabaseIsRefused(t *testing.T) {
	o := optionsIn(t.TempDir())
	s := openStore(t, o)
	pair(t, s, pairingOf(laptop(1)))
	must(t, os.Rename(o.Path, o.Path+".away"))
	if path, err := s.BackUp(t.Context()); err == nil || !strings.Contains(sdk.AsError(err).Message, "moved or deleted") || exists(path) {
		t.Errorf("%q, %v", path, err)
	}
	must(t, os.Rename(o.Path+".away", o.Path))
	_, err := s.BackUp(t.Context())
	must(t, err)
}

func TestBackUpClosed(t *testing.T) {
	o := optionsIn(t.TempDir())
	if _, err := BackUpClosed(t.Context(), o); sdk.KindOf(err) != sdk.NotFound {
		t.Errorf("without a database: %v", err)
	}
	if exists(o.Path) {
		t.Error("it made a database")
	}
	o.Now = stepping()
	withDevices(t, o, 1)
	killLater(t, child(t, "hang", filepath.Dir(o.Path)), 0)
	path, err := BackUpClosed(t.Context(), o)
	must(t, err)
	diff(t, []string{"900"}, rowsOf(t, path, `SELECT max(version_id) FROM goose_db_version`)) // the log counts
	must(t, os.WriteFile(o.Path, []byte(fileMagic+strings.Repeat("\xa5", 8192)), 0o600))
	if _, err := BackUpClosed(t.Context(), o); !errors.Is(err, errDamaged) {
		t.Errorf("damaged: %v", err)
	}
}

func TestFresh(t *testing.T) {
	o := optionsIn(t.TempDir())
	for _, want := range []bool{true, false} {
		s, err := Open(t.Context(), o)
		must(t, err)
		if s.Fresh() != want {
			t.Errorf("Fresh = %v", s.Fresh())
		}
		must(t, s.Close())
	}
}
