package library

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/sdk"
)

// crash leaves a library as a killed process would: nothing is closed in order,
// only the system frees the lock.
func crash(t *testing.T, l *Library) {
	t.Helper()
	if err := errors.Join(l.lease.lock.Close(), l.index.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestCrashBeforeTheRow(t *testing.T) {
	o := options(t)
	l := open(t, o)
	b, err := l.Begin(-1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Add("a.jpg", strings.NewReader("content")); err != nil {
		t.Fatal(err)
	}
	crash(t, l)
	l = open(t, o)
	wantNames(t, l)
	if got := listed(t, l); got != nil {
		t.Errorf("listed: %q", got)
	}
}

func TestCrashBeforeTheMove(t *testing.T) {
	o := options(t)
	l := open(t, o)
	item := staged(t, l, "a.jpg", "content")
	wantContent(t, l, item.ID, "content")
	if diff := cmp.Diff([]string{"a.jpg"}, listed(t, l)); diff != "" {
		t.Error(diff)
	}
	crash(t, l)
	l = open(t, o)
	wantNames(t, l, "a.jpg")
	wantContent(t, l, item.ID, "content")
}

func TestCrashBetweenLinkAndUnlink(t *testing.T) {
	o := options(t)
	l := open(t, o)
	item := staged(t, l, "a.jpg", "content")
	if err := os.Link(filepath.Join(l.staging, item.Staged), filepath.Join(l.dir, item.File)); err != nil {
		t.Fatal(err)
	}
	crash(t, l)
	l = open(t, o)
	wantNames(t, l, "a.jpg")
	wantContent(t, l, item.ID, "content")
}

func TestCrashDuringRemoval(t *testing.T) {
	for _, fileGone := range []bool{false, true} {
		o := options(t)
		l := open(t, o)
		items := put(t, l, "a.jpg", "a", "b.jpg", "b")
		if err := l.index.MarkRemoved(t.Context(), items[0].ID); err != nil {
			t.Fatal(err)
		}
		if fileGone {
			if err := os.Remove(filepath.Join(l.dir, "a.jpg")); err != nil {
				t.Fatal(err)
			}
		}
		crash(t, l)
		l = open(t, o)
		wantNames(t, l, "b.jpg")
		if left, err := l.index.Removed(t.Context()); len(left) != 0 || err != nil {
			t.Errorf("removals left: %v, %v", left, err)
		}
		wantContent(t, l, items[1].ID, "b")
	}
}

// TestTakeover is what happens while a new configuration or version replaces
// the old one: the upload in progress belongs to a library that is still open.
func TestTakeover(t *testing.T) {
	o := options(t)
	old := open(t, o)
	b, err := old.Begin(-1)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Abort()
	if _, err := b.Add("a.jpg", strings.NewReader("content")); err != nil {
		t.Fatal(err)
	}
	next := open(t, o)
	put(t, next, "a.jpg", "from the new one")
	items, err := b.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantContent(t, next, items[0].ID, "content")
	wantNames(t, next, "a.jpg", "a (2).jpg")
	next = reopen(t, next, o)
	wantNames(t, next, "a.jpg", "a (2).jpg")
	locks, err := os.ReadDir(filepath.Join(o.DataDir, "uploads"))
	if err != nil || len(locks) != 2 { // the guard and this library's
		t.Errorf("locks left: %v, %v", locks, err)
	}
}

// TestOldLibraryDiesLater is a gateway that was killed: its plugin is still
// there for a moment when the next one starts.
func TestOldLibraryDiesLater(t *testing.T) {
	o := options(t)
	old := open(t, o)
	item := staged(t, old, "stored.jpg", "content")
	b, err := old.Begin(-1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Add("half.jpg", strings.NewReader("content")); err != nil {
		t.Fatal(err)
	}
	removed := put(t, old, "removed.jpg", "x")[0]
	if err := old.index.MarkRemoved(t.Context(), removed.ID); err != nil {
		t.Fatal(err)
	}
	next := open(t, o)
	if files, staged := names(t, next); len(files) != 1 || len(staged) != 2 {
		t.Fatalf("files %q and staging files %q were touched", files, staged)
	}
	crash(t, old)
	next.workers.Wait()
	wantNames(t, next, "stored.jpg")
	wantContent(t, next, item.ID, "content")
}

func TestRubbishInTheStagingFolder(t *testing.T) {
	o := options(t)
	l := open(t, o)
	outside := filepath.Join(t.TempDir(), "outside.txt")
	lease := strings.Repeat("ab", 8)
	err := errors.Join(
		os.WriteFile(outside, []byte("mine"), 0o600),
		os.WriteFile(filepath.Join(l.staging, "notes.txt"), nil, 0o600),
		os.WriteFile(filepath.Join(l.staging, lease+".1"), nil, 0o600),
		os.Symlink(outside, filepath.Join(l.staging, lease+".2")),
		os.MkdirAll(filepath.Join(l.staging, "folder", "with"), 0o700),
	)
	if err != nil {
		t.Fatal(err)
	}
	l = reopen(t, l, o)
	if _, staged := names(t, l); len(staged) != 1 || staged[0] != "folder" {
		t.Errorf("left in the staging folder: %q, want only the folder with something in it", staged)
	}
	if got, _ := os.ReadFile(outside); string(got) != "mine" {
		t.Errorf("the file behind a link is %q", got)
	}
}

func TestKnownLibraryIsMissing(t *testing.T) {
	o := options(t)
	drive := t.TempDir()
	o.Dir = filepath.Join(drive, "new", "library")
	l := open(t, o)
	put(t, l, "a.jpg", "a")
	if err := errors.Join(l.Close(t.Context()), os.RemoveAll(filepath.Join(drive, "new"))); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), o)
	wantKind(t, err, sdk.PluginUnavailable)
	if _, err := os.Lstat(o.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder was made again: %v", err)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, open(t, o), "b.jpg", "b")
}

func TestDefaultLibraryIsMadeAgain(t *testing.T) {
	o := options(t)
	l := open(t, o)
	put(t, l, "a.jpg", "a")
	if err := errors.Join(l.Close(t.Context()), os.RemoveAll(o.Dir)); err != nil {
		t.Fatal(err)
	}
	l = open(t, o)
	put(t, l, "b.jpg", "b")
	if diff := cmp.Diff([]string{"b.jpg"}, listed(t, l)); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNoFolder(t *testing.T) {
	tests := map[string]func(dir string) error{
		"library is a file": func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
		"staging is a file": func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, stagingName), nil, 0o600))
		},
		"staging is a link": func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Symlink(os.TempDir(), filepath.Join(dir, stagingName)))
		},
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			if err := prepare(o.Dir); err != nil {
				t.Fatal(err)
			}
			if l, err := Open(t.Context(), o); err == nil {
				l.Close(t.Context())
				t.Error("Open() succeeded")
			}
		})
	}
}

// TestLinkedLibrary: a person may well keep the library behind a link.
func TestLinkedLibrary(t *testing.T) {
	o := options(t)
	if err := os.Symlink(t.TempDir(), o.Dir); err != nil {
		t.Fatal(err)
	}
	l := open(t, o)
	wantContent(t, l, put(t, l, "a.jpg", "a")[0].ID, "a")
}
