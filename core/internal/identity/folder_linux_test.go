package identity

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/salita-mesh/salita/sdk"
)

// TestFolderOnAReadOnlyDisk is about the words: that others may look into the
// folder is true, but not what keeps Salita from starting.
func TestFolderOnAReadOnlyDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m,mode=755"); err != nil {
		t.Skipf("this user may not mount a small disk: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "size=1m"); err != nil {
		t.Fatal(err)
	}
	_, err := Open(dir, Options{})
	e := sdk.AsError(err)
	if err == nil || e.Kind != sdk.Forbidden || !strings.Contains(e.Message, "may not write into the data folder") || e.Hint == "" {
		t.Errorf("opened: %v", err)
	}
}
