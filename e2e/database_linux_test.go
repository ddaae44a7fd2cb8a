package e2e

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// newGatewayOnDisk starts a gateway whose data folder is a small disk of its
// own where this user may mount one.
func newGatewayOnDisk(t *testing.T, name string) *gateway {
	t.Helper()
	g := newGateway(t, name)
	g.stop()
	if err := syscall.Mount("tmpfs", g.dir, "tmpfs", 0, "size=16m,mode=700"); err != nil {
		t.Logf("this user may not mount a small disk: %v", err)
	} else {
		dir := g.dir
		t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
		g.configure("plugin \"media\" {\n  config {\n    library = \"" + g.library + "\"\n  }\n}\n")
	}
	g.start()
	return g
}

// fillDisk leaves no room on the data folder's disk.
func fillDisk(t *testing.T, g *gateway) (end func()) {
	t.Helper()
	var disk syscall.Statfs_t
	if err := syscall.Statfs(g.dir, &disk); err != nil {
		t.Fatal(err)
	}
	if disk.Blocks*uint64(disk.Bsize) > 16<<20 {
		t.Skip("this user may not mount a small disk that could be filled")
	}
	ballast := filepath.Join(g.dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	return func() {
		t.Helper()
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}
}
