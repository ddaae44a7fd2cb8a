package plugins

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/salita-mesh/salita/sdk"
)

// newVault is a vault beside a plugin folder with one program.
func newVault(t *testing.T) (v *vault, program string) {
	t.Helper()
	root := t.TempDir()
	v, err := openVault(filepath.Join(root, "cache", "plugins"), discard())
	must(t, err)
	dir := filepath.Join(root, "plugins")
	must(t, os.Mkdir(dir, 0o755))
	program = filepath.Join(dir, "salita-plugin-x")
	must(t, os.WriteFile(program, []byte("one"), 0o755))
	return v, program
}

func (v *vault) mustTake(t *testing.T, path string) *programCopy {
	t.Helper()
	c, err := v.take(path)
	must(t, err)
	return c
}

// folders are the copies that exist.
func (v *vault) folders(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(v.dir)
	must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, filepath.Join(v.dir, e.Name()))
	}
	return names
}

func TestVaultCopiesAnUnchangedProgramOnce(t *testing.T) {
	v, program := newVault(t)
	first := v.mustTake(t, program)
	if again := v.mustTake(t, program); again != first {
		t.Error("another copy of the same file")
	}
	info, err := os.Stat(first.path)
	must(t, err)
	if info.Mode().Perm() != 0o500 || filepath.Base(first.path) != "salita-plugin-x" {
		t.Errorf("%s has mode %v", first.path, info.Mode())
	}
	// Another time of change, another mode, another file: the content counts.
	must(t, os.Chtimes(program, time.Time{}, time.Unix(1, 0)))
	if again := v.mustTake(t, program); again != first {
		t.Error("another copy after touch")
	}
	must(t, os.WriteFile(program+".new", []byte("one"), 0o755))
	must(t, os.Rename(program+".new", program))
	if again := v.mustTake(t, program); again != first {
		t.Error("another copy after the same content was put there again")
	}
	if n := len(v.folders(t)); n != 1 {
		t.Errorf("%d copies", n)
	}
}

func TestVaultRemovesWhatNobodyUses(t *testing.T) {
	v, program := newVault(t)
	first := v.mustTake(t, program)
	second := v.mustTake(t, program)
	must(t, os.WriteFile(program, []byte("two"), 0o755))
	newer := v.mustTake(t, program)
	if newer == first {
		t.Fatal("the old copy for a new program")
	}
	first.release()
	if n := len(v.folders(t)); n != 2 {
		t.Errorf("%d copies, one of the old has still a user", n)
	}
	second.release()
	newer.release()
	if got := v.folders(t); !slices.Equal(got, []string{newer.dir}) {
		t.Errorf("left: %v, want the newest alone: %s", got, newer.dir)
	}
	must(t, os.WriteFile(program, []byte("three"), 0o755))
	v.mustTake(t, program)
	if n := len(v.folders(t)); n != 1 {
		t.Errorf("%d copies", n)
	}
	must(t, v.close())
	if _, err := os.Stat(v.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}

func TestVaultMakesALostCopyAgain(t *testing.T) {
	v, program := newVault(t)
	lost := v.mustTake(t, program)
	must(t, os.RemoveAll(lost.dir))
	c := v.mustTake(t, program)
	if text, err := os.ReadFile(c.path); string(text) != "one" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestVaultIsEmptyAtFirst(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	must(t, os.MkdirAll(filepath.Join(dir, "123"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, "salita-plugin-x.abc"), nil, 0o500))
	v, err := openVault(dir, discard())
	must(t, err)
	if left := v.folders(t); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestVaultLinksWhatLiesBeside(t *testing.T) {
	v, program := newVault(t)
	beside := filepath.Join(filepath.Dir(program), "module.py")
	must(t, os.WriteFile(beside, []byte("x = 1"), 0o644))
	c := v.mustTake(t, program)
	if text, err := os.ReadFile(filepath.Join(c.dir, "module.py")); string(text) != "x = 1" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
	must(t, os.WriteFile(filepath.Join(filepath.Dir(program), "later.py"), []byte("y"), 0o644))
	v.mustTake(t, program)
	if _, err := os.Stat(filepath.Join(c.dir, "later.py")); err != nil {
		t.Error(err)
	}
	if info, err := os.Lstat(c.path); err != nil || !info.Mode().IsRegular() {
		t.Errorf("the copy itself: %v, %v", info, err)
	}
}

func TestVaultRefuses(t *testing.T) {
	v, program := newVault(t)
	if _, err := v.take(program + "-missing"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	self, err := os.ReadFile(must1(os.Executable()))
	must(t, err)
	must(t, os.WriteFile(program, self[:len(self)/2], 0o755))
	if _, err := v.take(program); !isPermanent(err) || sdk.AsError(err).Friendly() != program+" is not complete. Copy it again." {
		t.Errorf("half a program: %v", err)
	}
	if left := v.folders(t); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func must1[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestVaultDoesWithoutCopies has no room for one, and a place in which nothing
// can be executed.
func TestVaultDoesWithoutCopies(t *testing.T) {
	for name, spoil := range map[string]func(v *vault){
		"full":    func(v *vault) { v.copier = func(io.Reader, string) error { return syscall.ENOSPC } },
		"no exec": func(v *vault) { v.noExec = true },
	} {
		t.Run(name, func(t *testing.T) {
			v, program := newVault(t)
			spoil(v)
			c := v.mustTake(t, program)
			if c.path != program {
				t.Errorf("runs %s", c.path)
			}
			if err := checkPin(c, ""); err != nil {
				t.Error(err)
			}
			if err := checkPin(c, digest(t, program)); err == nil || isPermanent(err) {
				t.Errorf("pinned: %v", err)
			}
			again := v.mustTake(t, program)
			must(t, os.WriteFile(program, []byte("two"), 0o755))
			if next := v.mustTake(t, program); !c.same(again) || c.same(next) {
				t.Errorf("the same: %v, another: %v", c.same(again), !c.same(next))
			}
			c.release()
			if text, err := os.ReadFile(program); string(text) != "two" || err != nil {
				t.Errorf("the program: %q, %v", text, err)
			}
			if left := v.folders(t); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestSameContent(t *testing.T) {
	dir := t.TempDir()
	big := make([]byte, 600<<10)
	other := slices.Clone(big)
	other[len(other)-1] = 1
	for _, c := range []struct {
		a, b []byte
		want bool
	}{
		{nil, nil, true},
		{[]byte("a"), []byte("a"), true},
		{[]byte("a"), nil, false},
		{big, big, true},
		{big, other, false},
		{big, big[:512<<10], false},
		{big[:512<<10], big[:512<<10], true},
	} {
		a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
		must(t, os.WriteFile(a, c.a, 0o600))
		must(t, os.WriteFile(b, c.b, 0o600))
		if got := sameContent(a, b); got != c.want {
			t.Errorf("%d and %d bytes: %v", len(c.a), len(c.b), got)
		}
	}
	if sameContent(filepath.Join(dir, "missing"), filepath.Join(dir, "missing")) {
		t.Error("two missing files are the same")
	}
}
