package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/salita-mesh/salita/sdk"
)

// probe is called in the middle of what SQLite does with a database: as each
// statement is prepared, before each row changes and before each commit. What
// it returns is what becomes of the statement.
type probe struct {
	path  string
	reach func() sqlite.AuthorizerReturnCode
}

// probed is the probe of the test that runs; there is one at a time.
var probed atomic.Pointer[probe]

var hookConnections = sync.OnceFunc(func() {
	sqlite.RegisterConnectionHook(func(conn sqlite.ExecQuerierContext, address string) error {
		p := probed.Load()
		if p == nil || !strings.Contains(address, p.path) {
			return nil
		}
		// With hardly any cache, changes reach the disk long before the commit.
		if _, err := conn.ExecContext(context.Background(), `PRAGMA cache_size = 1`, nil); err != nil {
			return err
		}
		hooks := conn.(sqlite.HookRegisterer)
		hooks.RegisterPreUpdateHook(func(sqlite.SQLitePreUpdateData) { p.reach() })
		hooks.RegisterCommitHook(func() int32 { return int32(p.reach()) })
		return conn.(sqlite.AuthorizerRegisterer).RegisterAuthorizer(
			func(sqlite.AuthorizerActionCode, string, string, string, string) sqlite.AuthorizerReturnCode {
				return p.reach()
			})
	})
})

// openProbed opens the store with a probe on its database.
func openProbed(ctx context.Context, o Options, reach func() sqlite.AuthorizerReturnCode) (*Store, error) {
	hookConnections()
	probed.Store(&probe{filepath.Base(filepath.Dir(o.Path)), reach})
	defer probed.Store(nil)
	return Open(ctx, o)
}

// The tokens in the files, and one that the earlier Salita had deleted without
// overwriting it.
const (
	legacyToken   = "3fc17d5da674294c0e4ced917cb332f88602aeef56cea413eadca94c44f3777a"
	legacySignIn  = "s0192f0c1-7a2b-7c3d-8e4f-000000000001"
	legacyDeleted = "f00dfeedf00dfeedf00dfeed"
)

// crashCase is a legacy file, what is in it, and what an undisturbed import makes
// of it.
type crashCase struct {
	file          []byte
	old, imported map[string][]string
	points        int           // how often the import reaches the probe
	took          time.Duration // the import
}

// newCrashCase takes a file in which things have been deleted.
func newCrashCase(t *testing.T, level string, changes ...string) crashCase {
	t.Helper()
	o := legacyOptions(t, level, append([]string{
		`PRAGMA secure_delete = 0`,
		`WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 200)
			INSERT INTO config SELECT i, '` + legacyDeleted + `' || i, '' FROM n`,
		`DELETE FROM config`,
	}, changes...)...)
	data, err := os.ReadFile(o.Path)
	must(t, err)
	if !bytes.Contains(data, []byte(legacyDeleted)) {
		t.Fatal("what was deleted is gone to begin with")
	}
	c := crashCase{file: data, old: dump(t, o.Path)}
	begin := time.Now()
	s, err := openProbed(t.Context(), o, func() sqlite.AuthorizerReturnCode {
		c.points++
		return sqlite.AuthorizerOK
	})
	must(t, err)
	c.took = time.Since(begin)
	must(t, s.Close())
	c.imported = dump(t, o.Path)
	return c
}

// in puts the file into a folder.
func (c crashCase) in(t *testing.T, dir string) Options {
	t.Helper()
	o := optionsIn(dir)
	o.Now = time.Now // no two copies have the same name
	must(t, os.WriteFile(o.Path, c.file, 0o600))
	return o
}

// The states that a crash may leave.
const (
	untouched = "untouched" // the old file in the same bytes
	old       = "old"       // the old database; pages that were free may differ
	imported  = "imported"  // the new one
)

// after looks at what a crash left, once SQLite has undone what was under way.
// Before it is the new database there must be a copy of the old.
func (c crashCase) after(t *testing.T, o Options) string {
	t.Helper()
	found, err := inspect(t.Context(), o.Path)
	must(t, err)
	if found.legacy != "" {
		data, err := os.ReadFile(o.Path)
		must(t, err)
		if bytes.Equal(c.file, data) {
			return untouched
		}
		diff(t, c.old, dump(t, o.Path))
		return old
	}
	copies, err := filepath.Glob(filepath.Join(o.BackupDir, "salita-legacy-*.db"))
	must(t, err)
	if len(copies) == 0 {
		t.Fatal("it is new, and nothing is left of the old")
	}
	diff(t, c.old, dump(t, copies[0]))
	checkSwept(t, o, []string{legacyToken, legacySignIn}) // what was deleted before may wait
	return imported
}

// afterStart starts once more, which makes the new database of what a crash
// left.
func (c crashCase) afterStart(t *testing.T, o Options) {
	t.Helper()
	must(t, openStore(t, o).Close())
	diff(t, c.imported, dump(t, o.Path))
	checkSwept(t, o, []string{legacyToken, legacySignIn, legacyDeleted})
	for _, name := range backups(t, o) {
		if !strings.HasSuffix(name, ".db") {
			t.Errorf("left behind: %s", name)
		}
	}
}

// TestLegacyImportCutAnywhere takes a picture of the folder wherever the import
// reaches the probe, which is what a process killed there leaves. It looks at
// each that differs from the others, and starts from some of them.
func TestLegacyImportCutAnywhere(t *testing.T) {
	const starts = 3
	for _, level := range legacyLevels() {
		c := newCrashCase(t, level)
		o := c.in(t, t.TempDir())
		pictures := map[string]map[string]string{}
		var order []string
		s, err := openProbed(t.Context(), o, func() sqlite.AuthorizerReturnCode {
			if state := stateOf(t, o); pictures[state] == nil {
				pictures[state] = filesIn(t, filepath.Dir(o.Path))
				order = append(order, state)
			}
			return sqlite.AuthorizerOK
		})
		must(t, err)
		must(t, s.Close())
		finished, started := 0, 0
		tried := spread(order)
		for _, picture := range tried {
			files := pictures[picture]
			left := c.in(t, t.TempDir())
			restore(t, filepath.Dir(left.Path), files)
			halfCopied := slices.ContainsFunc(backups(t, left), func(name string) bool { return !strings.HasSuffix(name, ".db") })
			state := c.after(t, left)
			if state == imported {
				finished++
			}
			// Where nothing was touched the next start is like the first.
			if started < starts && (state != untouched || halfCopied) {
				c.afterStart(t, left)
				started++
			}
		}
		t.Logf("schema %s: %d states on disk, %d tried, %d of them new", level, len(order), len(tried), finished)
		if finished == 0 || finished == len(tried) {
			t.Error("there are no states before the import, or none after it")
		}
	}
}

// spread picks states evenly from the first to the last; all of them in a long
// run.
func spread(states []string) []string {
	const few = 24
	if os.Getenv("SALITA_LONG") != "" || len(states) <= few {
		return states
	}
	picked := make([]string, few)
	for k := range picked {
		picked[k] = states[(len(states)-1)*k/(few-1)]
	}
	return picked
}

// filesIn maps every file that matters after a crash to its bytes.
func filesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		if err != nil || d.IsDir() || strings.HasSuffix(name, lockSuffix) || strings.HasSuffix(name, "-shm") {
			return err
		}
		data, err := os.ReadFile(path)
		files[name] = string(data)
		return err
	}))
	return files
}

// stateOf tells apart what is on disk: the database by what is in its files, and
// which copies there are.
func stateOf(t *testing.T, o Options) string {
	t.Helper()
	var state strings.Builder
	for _, path := range []string{o.Path, o.Path + "-journal", o.Path + "-wal"} {
		data, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		fmt.Fprintf(&state, "%x/%d ", maphash.Bytes(stateSeed, data), len(data))
	}
	return state.String() + strings.Join(backups(t, o), " ")
}

var stateSeed = maphash.MakeSeed()

func restore(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, data := range files {
		must(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600))
	}
}

// childImport opens a probed database and kills itself where it is told.
func childImport(dir string) error {
	at, err := strconv.Atoi(os.Getenv(killAtEnv))
	if err != nil {
		return err
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	s, err := openProbed(context.Background(), optionsIn(dir), func() sqlite.AuthorizerReturnCode {
		if at--; at == 0 {
			self.Kill()
			select {} // until it arrives
		}
		return sqlite.AuthorizerOK
	})
	if err != nil {
		return err
	}
	return s.Close()
}

const killAtEnv = "SALITA_STORE_TEST_KILL_AT"

// TestLegacyImportKilled kills real processes at the first, the last and any
// other point of the import.
func TestLegacyImportKilled(t *testing.T) {
	for _, level := range legacyLevels() {
		c := newCrashCase(t, level)
		for _, at := range []int{1, 1 + rand.IntN(c.points), c.points} {
			o := c.in(t, t.TempDir())
			cmd := child(t, "import", filepath.Dir(o.Path))
			cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", killAtEnv, at))
			var killed *exec.ExitError
			if out, err := cmd.Output(); !errors.As(err, &killed) || killed.ExitCode() != -1 {
				t.Fatalf("child was not killed: %v: %s", err, out)
			}
			c.after(t, o)
			c.afterStart(t, o)
		}
	}
}

// TestLegacyImportFailsAnywhere has statements fail instead.
func TestLegacyImportFailsAnywhere(t *testing.T) {
	failures := 16
	if os.Getenv("SALITA_LONG") != "" {
		failures = 200
	}
	c := newCrashCase(t, "008")
	for k := range failures {
		o := c.in(t, t.TempDir())
		at := 1 + (c.points-1)*k/(failures-1)
		s, err := openProbed(t.Context(), o, func() sqlite.AuthorizerReturnCode {
			if at--; at == 0 {
				return sqlite.AuthorizerDeny
			}
			return sqlite.AuthorizerOK
		})
		if err == nil {
			must(t, s.Close()) // what failed can be done later
		}
		state := c.after(t, o)
		if err == nil && state != imported {
			t.Errorf("failure %d of %d: opened without an import", k, failures)
		}
		if state != untouched {
			c.afterStart(t, o)
		}
	}
}

// manyDevices adds so many devices, some with broken metadata.
func manyDevices(n int) string {
	return fmt.Sprintf(`WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO mesh_nodes SELECT printf('%%08x-0000-7000-8000-000000000000', i), 'Device ' || i, '10.0.' || (i / 256) || '.' || (i %% 256),
			6969, 'offline', '["media.storage"]', '2026-02-03 09:15:00', '2026-01-01 00:00:00', iif(i %% 100, NULL, '{broken'), 0 FROM n`, n)
}

func TestLegacyImportOfManyDevices(t *testing.T) {
	const devices = 20_000
	o := legacyOptions(t, "008", manyDevices(devices))
	begin := time.Now()
	s := openStore(t, o)
	t.Logf("imported %d devices in %v", devices, time.Since(begin))
	if n := count(t, s, `SELECT count(*) FROM mesh_nodes WHERE needs_repair`); n != devices+3 {
		t.Errorf("%d devices, want %d", n, devices+3)
	}
	notes, err := s.ImportNotes(t.Context())
	must(t, err)
	if len(notes) != devices/100+2 {
		t.Errorf("%d notes, want one for each device with broken metadata, and two", len(notes))
	}
}

// TestLegacyImportKilledAtAnyMoment kills processes that import many devices,
// also in the middle of what SQLite does for a statement.
func TestLegacyImportKilledAtAnyMoment(t *testing.T) {
	const devices, kills = 1000, 3
	c := newCrashCase(t, "008", manyDevices(devices))
	for range kills {
		o := c.in(t, t.TempDir())
		cmd := child(t, "open", filepath.Dir(o.Path))
		must(t, cmd.Start())
		time.Sleep(rand.N(c.took)) // where it is then does not matter
		cmd.Process.Kill()
		cmd.Wait() // reports the kill, if it came in time
		c.after(t, o)
		c.afterStart(t, o)
	}
}

// TestLegacyFileInUse is an earlier Salita that still runs.
func TestLegacyFileInUse(t *testing.T) {
	o := legacyOptions(t, "008")
	before := dump(t, o.Path)
	other := exclusive(t, o.Path)
	_, err := Open(t.Context(), o)
	wantKind(t, err, sdk.Conflict)
	other()
	diff(t, before, dump(t, o.Path))
	must(t, openStore(t, o).Close())
}

// exclusive locks a database as another program does while it writes.
func exclusive(t *testing.T, path string) (release func()) {
	t.Helper()
	db, err := sql.Open(driverName, dsn(path, "_txlock=exclusive"))
	must(t, err)
	tx, err := db.Begin()
	must(t, err)
	return func() {
		must(t, tx.Rollback())
		must(t, db.Close())
	}
}
