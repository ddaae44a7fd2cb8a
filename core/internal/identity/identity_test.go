package identity

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// start is the clock of most tests.
var start = time.Date(2026, 11, 3, 10, 20, 30, 0, time.UTC)

func testOptions() Options {
	return Options{
		Name:  "Study",
		Now:   func() time.Time { return start },
		Hosts: func() []string { return []string{"localhost", "192.0.2.7"} },
	}
}

// open is Open with the test's options; the identity is closed with the test.
func open(t *testing.T, dir string, change ...func(*Options)) *Identity {
	t.Helper()
	opts := testOptions()
	for _, f := range change {
		f(&opts)
	}
	i, err := Open(dir, opts)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { i.Close() })
	return i
}

// once opens and closes the folder and returns what was in it.
func once(t *testing.T, dir string, change ...func(*Options)) *Identity {
	t.Helper()
	i := open(t, dir, change...)
	if err := i.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	return i
}

// snapshot reads every file of the folder.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		files[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func modeOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestFirstStartMakesEverything(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "salita")
	i := open(t, dir)

	if got, want := i.ID(), i.Key().DeviceID(); got != want {
		t.Errorf("ID() = %q, want %q, derived from the key", got, want)
	}
	if i.Name() != "Study" || !i.CreatedAt().Equal(start) {
		t.Errorf("Name, CreatedAt = %q, %v", i.Name(), i.CreatedAt())
	}
	var got map[string]string
	if err := json.Unmarshal([]byte(snapshot(t, dir)[recordFile]), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"id": string(i.ID()), "name": "Study", "created_at": "2026-11-03T10:20:30Z", "configured_name": "Study",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", recordFile, diff)
	}
	for name, mode := range map[string]fs.FileMode{
		"": 0o700, keyFile: 0o600, certificateFile: 0o600, recordFile: 0o600, lockFile: 0o600,
	} {
		if got := modeOf(t, filepath.Join(dir, name)); got != mode {
			t.Errorf("mode of %q = %v, want %v", name, got, mode)
		}
	}
}

func TestSecondStartFindsTheSameDeviceAndWritesNothing(t *testing.T) {
	dir := t.TempDir()
	first := once(t, dir)
	before := snapshot(t, dir)
	second := once(t, dir)
	if first.ID() != second.ID() || first.Key() != second.Key() || second.Name() != "Study" {
		t.Errorf("second start is %q %q, want %q", second.ID(), second.Name(), first.ID())
	}
	if diff := cmp.Diff(before, snapshot(t, dir)); diff != "" {
		t.Errorf("the second start changed files:\n%s", diff)
	}
}

func TestOnlyOneInstancePerFolder(t *testing.T) {
	dir := t.TempDir()
	i := open(t, dir)
	_, err := Open(dir, testOptions())
	var e *sdk.Error
	if !errors.As(err, &e) || e.Kind != sdk.Conflict || !strings.Contains(e.Friendly(), dir) {
		t.Fatalf("second Open = %v, want a conflict that names %s", err, dir)
	}
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

func TestAFailedOpenReleasesTheLock(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, recordFile), "{")
	if _, err := Open(dir, testOptions()); err == nil {
		t.Fatal("a damaged identity was accepted")
	}
	if err := os.Remove(filepath.Join(dir, recordFile)); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

func TestWhichNameCounts(t *testing.T) {
	type step struct{ configured, rename, want string }
	tests := map[string][]step{
		"configured on the first start":              {{"Study", "", "Study"}},
		"a rename outlives a restart":                {{"Study", "Attic", "Study"}, {"Study", "", "Attic"}},
		"an edit of the configuration wins later":    {{"Study", "Attic", "Study"}, {"Cellar", "", "Cellar"}},
		"no configured name keeps the stored one":    {{"Study", "", "Study"}, {"", "", "Study"}, {"", "Attic", "Study"}, {"", "", "Attic"}},
		"a name configured anew counts as an edit":   {{"Study", "Attic", "Study"}, {"", "", "Attic"}, {"Study", "", "Study"}},
		"a configured name of nothing is none":       {{"Study", "", "Study"}, {" \u202e\n", "", "Study"}},
		"unsafe characters never get in":             {{"Stu\x1bdy\n", "At\ttic", "Study"}, {"Stu\x1bdy\n", "", "At tic"}},
		"the host name when nobody says anything":    {{"", "", hostName()}},
		"host name is overruled by the first config": {{"", "", hostName()}, {"Study", "", "Study"}},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for n, s := range steps {
				i := open(t, dir, func(o *Options) { o.Name = s.configured })
				if got := i.Name(); got != s.want {
					t.Fatalf("start %d: Name() = %q, want %q", n+1, got, s.want)
				}
				if s.rename != "" {
					if err := i.Rename(s.rename); err != nil {
						t.Fatal(err)
					}
					if got, want := i.Name(), mesh.CleanName(s.rename); got != want {
						t.Fatalf("after Rename: Name() = %q, want %q", got, want)
					}
				}
				i.Close()
			}
		})
		t.Run(name+", without a restart", func(t *testing.T) {
			dir := t.TempDir()
			i := open(t, dir, func(o *Options) { o.Name = steps[0].configured })
			for n, s := range steps {
				if err := i.Configured(s.configured); err != nil {
					t.Fatal(err)
				}
				if got := i.Name(); got != s.want {
					t.Fatalf("configured %d: Name() = %q, want %q", n+1, got, s.want)
				}
				if s.rename != "" {
					if err := i.Rename(s.rename); err != nil {
						t.Fatal(err)
					}
				}
			}
			name, configured := i.Name(), steps[len(steps)-1].configured
			i.Close()
			if got := open(t, dir, func(o *Options) { o.Name = configured }).Name(); got != name {
				t.Errorf("after a restart: Name() = %q, want %q", got, name)
			}
		})
	}
}

func TestRenameRefusesNothingAndKeepsTheOldNameOnFailure(t *testing.T) {
	dir := t.TempDir()
	i := open(t, dir)
	if err := i.Rename(" \n "); sdk.KindOf(err) != sdk.Invalid {
		t.Errorf("Rename to nothing = %v, want invalid", err)
	}
	// A folder in the file's place makes the write fail.
	path := filepath.Join(dir, recordFile)
	if err := errors.Join(os.Remove(path), os.MkdirAll(filepath.Join(path, "x"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := i.Rename("Attic"); err == nil {
		t.Error("Rename returned nil although nothing could be written")
	}
	if i.Name() != "Study" {
		t.Errorf("Name() = %q after a failed Rename, want the old one", i.Name())
	}
	if err := i.Configured("Cellar"); err == nil || i.Name() != "Study" {
		t.Errorf("Configured: %v, Name() = %q", err, i.Name())
	}
}

func TestConcurrentUse(t *testing.T) {
	i := open(t, t.TempDir())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := errors.Join(i.Rename("Attic"), i.RefreshCertificate()); err != nil {
				t.Error(err)
			}
			_, _ = i.Name(), i.CreatedAt()
			sealed, err := i.Seal([]byte("x"), nil)
			if err == nil {
				_, err = i.Open(sealed, nil)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestOpenFolderIsMended(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	open(t, dir, func(o *Options) { o.Log = hclog.New(&hclog.LoggerOptions{Output: &logged}) })
	if got := modeOf(t, dir); got != 0o700 {
		t.Errorf("folder mode = %v, want 0700", got)
	}
	if !strings.Contains(logged.String(), dir) {
		t.Errorf("the log does not say which folder was mended: %s", &logged)
	}
}

func TestOpenKeyIsMended(t *testing.T) {
	dir := t.TempDir()
	first := once(t, dir)
	path := filepath.Join(dir, keyFile)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	second := open(t, dir)
	if got := modeOf(t, path); got != 0o600 {
		t.Errorf("key mode = %v, want 0600", got)
	}
	if first.Key() != second.Key() {
		t.Error("mending the mode changed the key")
	}
}

func TestAFolderThatStaysOpenIsRefused(t *testing.T) {
	// /proc/self is a folder whose mode nobody can change.
	const dir = "/proc/self"
	info, err := os.Stat(dir)
	if err != nil {
		t.Skip("no /proc on this system")
	}
	err = makePrivate(dir, info, folderMode, hclog.NewNullLogger())
	var e *sdk.Error
	if !errors.As(err, &e) || e.Kind != sdk.Forbidden || !strings.Contains(e.Friendly(), dir) || e.Hint == "" {
		t.Errorf("makePrivate(%s) = %v, want a refusal that names it and says how to mend it", dir, err)
	}
}

func TestAFileInTheFoldersPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "x")
	_, err := Open(path, testOptions())
	var e *sdk.Error
	if !errors.As(err, &e) || !strings.Contains(e.Friendly(), path) {
		t.Errorf("Open = %v, want an error that names %s", err, path)
	}
}
