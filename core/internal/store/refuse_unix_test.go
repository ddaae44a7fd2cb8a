//go:build unix

package store

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nobody is an unprivileged user and group.
const nobody = 65534

// TestUnwritable opens as an ordinary user what that user may not write; to
// root every file is writable, so a child without privileges does it.
func TestUnwritable(t *testing.T) {
	self, err := os.Executable()
	must(t, err)
	if os.Getuid() == 0 {
		self = reachableCopy(t, self)
	}
	for name, test := range map[string]struct {
		exists               bool
		fileMode, folderMode os.FileMode
	}{
		"file read-only":              {true, 0o444, 0o755},
		"folder read-only":            {true, 0o644, 0o555},
		"both read-only":              {true, 0o444, 0o555},
		"nothing there, and no place": {false, 0, 0o555},
	} {
		t.Run(name, func(t *testing.T) {
			o := optionsIn(t.TempDir())
			if test.exists {
				someDatabase(t, o)
				must(t, os.Remove(o.Path+lockSuffix))
				must(t, os.Chmod(o.Path, test.fileMode))
			}
			dir := filepath.Dir(o.Path)
			before := snapshot(t, dir)
			giveAway(t, dir)
			must(t, os.Chmod(dir, test.folderMode))
			got := openUnprivileged(t, self, dir)
			must(t, os.Chmod(dir, 0o700))
			if !strings.HasPrefix(got, "internal|Salita can't save its data on this device.|open store: ") {
				t.Errorf("child said %q", got)
			}
			diff(t, before, snapshot(t, dir))
		})
	}
}

// giveAway makes the folder and its files those of the user that the child
// runs as.
func giveAway(t *testing.T, dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		return // they are ours, and so is the child
	}
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		must(t, os.Chown(filepath.Join(dir, e.Name()), nobody, nobody))
	}
	must(t, os.Chown(dir, nobody, nobody))
}

// openUnprivileged opens the store in a child and returns what it said.
func openUnprivileged(t *testing.T, self, dir string) string {
	t.Helper()
	cmd := child(t, "open", dir)
	cmd.Path = self
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		cmd.Dir = "/"
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("child: %v: %s", err, out)
	}
	return string(out)
}

// reachableCopy puts the test binary where every user may run it.
func reachableCopy(t *testing.T, binary string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "salita-store-test")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	from, err := os.Open(binary)
	must(t, err)
	defer from.Close()
	path := filepath.Join(dir, "child")
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	must(t, err)
	_, err = io.Copy(to, from)
	must(t, err)
	must(t, to.Close())
	return path
}
