package store

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/salita-mesh/salita/sdk"
)

// someDatabase leaves a closed database with enough rows to fill many pages.
func someDatabase(t *testing.T, o Options) []byte {
	t.Helper()
	s := openStore(t, o)
	for n := range byte(40) {
		pair(t, s, pairingOf(laptop(n)))
	}
	must(t, s.Close())
	b, err := os.ReadFile(o.Path)
	must(t, err)
	return b
}

// foreignDatabase makes an SQLite file that is not ours.
func foreignDatabase(t *testing.T, path string, statements string) {
	t.Helper()
	db, err := sql.Open(driverName, dsn(path, commonSetup))
	must(t, err)
	defer db.Close()
	_, err = db.Exec(statements)
	must(t, err)
}

// TestRefusedFilesStayAsTheyWere opens what cannot be used and compares every
// byte in the folder afterwards.
func TestRefusedFilesStayAsTheyWere(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(t *testing.T, o Options)
		kind  sdk.Kind
		says  string
	}{
		"newer schema": {func(t *testing.T, o Options) {
			someDatabase(t, o)
			foreignDatabase(t, o.Path, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (900, 1)`)
		}, sdk.Unsupported, "newer Salita"},
		"text file": {func(t *testing.T, o Options) {
			must(t, os.WriteFile(o.Path, []byte("My holiday list, kept in a file.\n"), 0o600))
		}, sdk.Unsupported, "something else"},
		"three bytes": {func(t *testing.T, o Options) {
			must(t, os.WriteFile(o.Path, []byte("SQL"), 0o600))
		}, sdk.Unsupported, "something else"},
		"another program's database": {func(t *testing.T, o Options) {
			foreignDatabase(t, o.Path, `CREATE TABLE recipes (id INTEGER PRIMARY KEY, text TEXT)`)
		}, sdk.Unsupported, "something else"},
		"header only": {func(t *testing.T, o Options) {
			must(t, os.WriteFile(o.Path, []byte(fileMagic), 0o600))
		}, sdk.Internal, "damaged"},
		"cut short": {func(t *testing.T, o Options) {
			b := someDatabase(t, o)
			must(t, os.WriteFile(o.Path, b[:len(b)/2], 0o600))
		}, sdk.Internal, "damaged"},
		"cut within a page": {func(t *testing.T, o Options) {
			b := someDatabase(t, o)
			must(t, os.WriteFile(o.Path, b[:len(b)-1000], 0o600))
		}, sdk.Internal, "damaged"},
		"zeros in the middle": {func(t *testing.T, o Options) {
			b := someDatabase(t, o)
			clear(b[len(b)/2 : len(b)/2+8192])
			must(t, os.WriteFile(o.Path, b, 0o600))
		}, sdk.Internal, "damaged"},
		"noise after the header": {func(t *testing.T, o Options) {
			b := someDatabase(t, o)
			copy(b[100:], bytes.Repeat([]byte{0xa5, 0x5a, 0x0d}, 1000))
			must(t, os.WriteFile(o.Path, b, 0o600))
		}, sdk.Internal, "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			o := optionsIn(t.TempDir())
			test.spoil(t, o)
			before := snapshot(t, filepath.Dir(o.Path))
			_, err := Open(t.Context(), o)
			wantKind(t, err, test.kind)
			if e := sdk.AsError(err); !strings.Contains(e.Friendly(), test.says) || e.Cause == nil || e.Hint == "" {
				t.Errorf("error = %#v, want one that says %q, with a hint and a cause", e, test.says)
			}
			diff(t, before, snapshot(t, filepath.Dir(o.Path)))
		})
	}
}

// TestNewerSchemaInTheLogStays is the same for a newer gateway that was killed:
// part of its data is still in the log beside the file.
func TestNewerSchemaInTheLogStays(t *testing.T) {
	o := optionsIn(t.TempDir())
	if lines := killLater(t, child(t, "hang", filepath.Dir(o.Path)), 0); len(lines) != 1 || lines[0] != "ready" {
		t.Fatalf("child said %q", lines)
	}
	before := snapshot(t, filepath.Dir(o.Path))
	if len(before["salita.db-wal"]) == 0 {
		t.Fatal("the log is empty: nothing is tested")
	}
	_, err := Open(t.Context(), o)
	wantKind(t, err, sdk.Unsupported)
	after := snapshot(t, filepath.Dir(o.Path))
	// The shared-memory index holds no data; SQLite rebuilds it from the log.
	delete(before, "salita.db-shm")
	delete(after, "salita.db-shm")
	diff(t, before, after)
}

func TestFolderInPlaceOfTheFile(t *testing.T) {
	o := optionsIn(t.TempDir())
	must(t, os.Mkdir(o.Path, 0o700))
	_, err := Open(t.Context(), o)
	wantKind(t, err, sdk.Internal)
}

func TestNoFolder(t *testing.T) {
	o := optionsIn(filepath.Join(t.TempDir(), "missing"))
	_, err := Open(t.Context(), o)
	wantKind(t, err, sdk.Internal)
}

// TestEmptyFileIsAFreshStart is what a crash right after creation leaves.
func TestEmptyFileIsAFreshStart(t *testing.T) {
	o := optionsIn(t.TempDir())
	must(t, os.WriteFile(o.Path, nil, 0o600))
	pair(t, openStore(t, o), pairingOf(laptop(1)))
	if got := backups(t, o); got != nil {
		t.Errorf("copies of nothing: %v", got)
	}
}
