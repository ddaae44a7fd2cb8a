package store

import (
	"os"
	"testing"

	"github.com/salita-mesh/salita/sdk"
)

// TestNoRoomForTheImport imports on disks with more and more room. Where it is
// too little the file must be the old one in the same bytes, or the new one when
// only what comes after the import failed; with room again all is well.
func TestNoRoomForTheImport(t *testing.T) {
	const step = 128 << 10
	c := newCrashCase(t, "008")
	failed, opened := 0, 0
	for spare := int64(0); opened < 2; spare += step {
		if spare > 8<<20 {
			t.Fatal("it never opened")
		}
		dir := tinyDisk(t, "12m")
		o := c.in(t, dir)
		ballast := fill(t, dir)
		info, err := os.Stat(ballast)
		must(t, err)
		must(t, os.Truncate(ballast, info.Size()-spare))

		s, err := Open(t.Context(), o)
		if err == nil {
			opened++
			must(t, s.Close())
		} else {
			failed++
			wantKind(t, err, sdk.NoSpace)
		}
		must(t, os.Remove(ballast))
		if state := c.after(t, o); err == nil && state != imported {
			t.Error("opened without an import")
		}
		c.afterStart(t, o)
	}
	t.Logf("%d disks were too small", failed)
}
