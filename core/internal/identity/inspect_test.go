package identity

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/sdk"
)

// states lists a folder with modes and times, to see that nothing changed.
func states(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			out[path] = info.Mode().String() + info.ModTime().String()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestInspectChangesNothing(t *testing.T) {
	dir := t.TempDir()
	open(t, dir) // and goes on running
	before := states(t, dir)
	if remarks, err := Inspect(dir); err != nil || len(remarks) != 0 {
		t.Errorf("%q, %v", remarks, err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	remarks, err := Inspect(dir)
	if err != nil || len(remarks) != 1 || !strings.Contains(remarks[0], dir) {
		t.Errorf("%q, %v", remarks, err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, states(t, dir)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	missing := filepath.Join(dir, "a", "b")
	if remarks, err := Inspect(missing); err != nil || len(remarks) != 0 {
		t.Errorf("a folder to be made: %q, %v", remarks, err)
	}
	if _, err := os.Stat(filepath.Dir(missing)); err == nil {
		t.Error("the folder was made")
	}
}

func TestInspectFindsWhatOpenWouldRefuse(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	write(t, file, "")
	damaged := filepath.Join(dir, "damaged")
	locked := filepath.Join(dir, "locked")
	for path, mode := range map[string]os.FileMode{damaged: 0o700, locked: 0o500} {
		if err := os.Mkdir(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(damaged, recordFile), "{")
	for name, path := range map[string]string{
		"a file": file, "below a file": filepath.Join(file, "x"), "a damaged identity": damaged,
		"not ours to write": locked, "below one not ours to write": filepath.Join(locked, "x"),
	} {
		if strings.Contains(name, "not ours") && os.Geteuid() == 0 {
			continue // root may write everywhere
		}
		_, err := Inspect(path)
		if err == nil || !strings.Contains(sdk.AsError(err).Friendly(), dir) {
			t.Errorf("%s: %v", name, err)
		}
		if i, err := Open(path, testOptions()); err == nil {
			t.Errorf("%s: Open takes it", name)
			i.Close()
		}
	}
}

func TestCertificateFilesCheck(t *testing.T) {
	if err := (CertificateFiles{}).Check(time.Now()); err != nil {
		t.Errorf("none at all: %v", err)
	}
	err := CertificateFiles{File: "/no/such.pem", Key: "/no/such.key"}.Check(time.Now())
	if err == nil || !strings.Contains(err.Error(), "/no/such.") {
		t.Errorf("missing files: %v", err)
	}
}
