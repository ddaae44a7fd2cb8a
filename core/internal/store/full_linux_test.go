package store

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/salita-mesh/salita/sdk"
)

// tinyDisk is a file system of the given size, such as "256k".
func tinyDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("no right to mount a small file system here (TestDiskFull covers SQLite's own limit): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill writes a file until nothing fits any more.
func fill(t *testing.T, dir string) (path string) {
	t.Helper()
	path = filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	return path
}

func TestRealDiskFull(t *testing.T) {
	dir := tinyDisk(t, "1m")
	o := optionsIn(dir)
	s := openStore(t, o)
	first := pairingOf(laptop(1))
	pair(t, s, first)
	ballast := fill(t, dir)

	var err error
	for n := byte(2); err == nil && n < 200; n++ {
		_, err = s.CompletePairing(t.Context(), pairingOf(laptop(n)), nil)
	}
	wantKind(t, err, sdk.NoSpace)
	wantKind(t, s.Backup(t.Context(), filepath.Join(dir, "copy.db")), sdk.NoSpace)
	if exists(filepath.Join(dir, "copy.db")) || exists(filepath.Join(dir, "copy.db.tmp")) {
		t.Error("half a copy stayed")
	}
	if _, err := s.PeerToken(t.Context(), first.Device.ID); err != nil {
		t.Error("reading failed too:", err)
	}

	must(t, os.Remove(ballast))
	pair(t, s, pairingOf(laptop(250)))
	must(t, s.Close())
	devices := count(t, openStore(t, o), `SELECT count(*) FROM mesh_nodes`)
	if devices < 2 {
		t.Errorf("%d devices left", devices)
	}
}

func TestNoRoomForADatabase(t *testing.T) {
	dir := tinyDisk(t, "64k")
	ballast := fill(t, dir)
	_, err := Open(t.Context(), optionsIn(dir))
	wantKind(t, err, sdk.NoSpace)
	must(t, os.Remove(ballast))
}

// TestNoRoomForTheCopy must not migrate what it could not copy first, whether
// there is no room at all or some, but not enough.
func TestNoRoomForTheCopy(t *testing.T) {
	for _, spare := range []int64{0, 48 << 10} {
		dir := tinyDisk(t, "4m")
		o := optionsIn(dir)
		want := someDatabase(t, o)
		ballast := fill(t, dir)
		info, err := os.Stat(ballast)
		must(t, err)
		must(t, os.Truncate(ballast, info.Size()-spare))
		_, err = open(t.Context(), o, withStep(t, "DELETE FROM mesh_nodes;"))
		wantKind(t, err, sdk.NoSpace)
		got, err := os.ReadFile(o.Path)
		must(t, err)
		if !bytes.Equal(want, got) {
			t.Error("the file has changed")
		}
		if left := backups(t, o); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}
