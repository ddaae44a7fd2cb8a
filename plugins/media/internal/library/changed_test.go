package library

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/sdk"
)

// What people do to the library with their own programs.

func overwrite(t *testing.T, path, content string, at time.Time) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func TestFileDeletedByHand(t *testing.T) {
	l := open(t, options(t))
	items := put(t, l, "a.jpg", "a", "b.jpg", "b")
	path, away := filepath.Join(l.dir, "a.jpg"), filepath.Join(t.TempDir(), "a.jpg")
	if err := os.Rename(path, away); err != nil {
		t.Fatal(err)
	}
	_, err := read(t, l, items[0].ID)
	wantKind(t, err, sdk.NotFound)
	wantKind(t, l.Remove(t.Context(), items[0].ID), sdk.NotFound)
	if diff := cmp.Diff([]string{"b.jpg"}, listed(t, l)); diff != "" {
		t.Error(diff)
	}
	// Taken out of the waste bin again.
	if err := os.Rename(away, path); err != nil {
		t.Fatal(err)
	}
	wantContent(t, l, items[0].ID, "a")
	if diff := cmp.Diff([]string{"b.jpg", "a.jpg"}, listed(t, l)); diff != "" {
		t.Error(diff)
	}
}

func TestFileChangedByHand(t *testing.T) {
	then := time.Now().Add(-time.Hour)
	tests := map[string]func(t *testing.T, path string){
		"other size": func(t *testing.T, path string) { overwrite(t, path, "longer than before", then) },
		"same size":  func(t *testing.T, path string) { overwrite(t, path, "CONTENT", then) },
		"a folder": func(t *testing.T, path string) {
			if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
				t.Fatal(err)
			}
		},
		"a link to the same bytes": func(t *testing.T, path string) {
			if err := errors.Join(os.Rename(path, path+"x"), os.Symlink(path+"x", path)); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			l := open(t, options(t))
			item := put(t, l, "a.jpg", "content")[0]
			path := filepath.Join(l.dir, "a.jpg")
			change(t, path)
			for range 2 {
				_, err := read(t, l, item.ID)
				wantKind(t, err, sdk.NotFound)
			}
			if got := listed(t, l); got != nil {
				t.Errorf("listed: %q", got)
			}
			wantKind(t, l.Remove(t.Context(), item.ID), sdk.NotFound)
			if _, err := os.Lstat(path); err != nil {
				t.Errorf("what is there now was deleted: %v", err)
			}
		})
	}
}

func TestChangeTakenBack(t *testing.T) {
	l := open(t, options(t))
	item := put(t, l, "a.jpg", "content")[0]
	path := filepath.Join(l.dir, "a.jpg")
	overwrite(t, path, "CONTENT", time.Now().Add(-time.Hour))
	_, err := read(t, l, item.ID)
	wantKind(t, err, sdk.NotFound)
	overwrite(t, path, "content", time.Now().Add(-time.Minute))
	wantContent(t, l, item.ID, "content")
	if got := listed(t, l); len(got) != 1 {
		t.Errorf("listed: %q", got)
	}
}

// TestLibraryCopied is the move to another drive, by a program that does not
// keep modification times.
func TestLibraryCopied(t *testing.T) {
	o := options(t)
	l := open(t, o)
	items := put(t, l, "a.jpg", "a", "b.jpg", "b")
	elsewhere := filepath.Join(t.TempDir(), "new drive")
	if err := os.CopyFS(elsewhere, os.DirFS(l.dir)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.jpg", "b.jpg"} {
		at := time.Now().Add(time.Hour)
		if err := os.Chtimes(filepath.Join(elsewhere, name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	o.Dir = elsewhere
	l = reopen(t, l, o)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { wantContent(t, l, items[0].ID, "a") })
	}
	wg.Wait()
	now, err := l.index.Get(t.Context(), items[0].ID)
	if err != nil || now.ModifiedAt == items[0].ModifiedAt {
		t.Errorf("the new time was not remembered: %v, %v", now, err)
	}
	if err := l.Remove(t.Context(), items[1].ID); err != nil {
		t.Error(err)
	}
	wantNames(t, l, "a.jpg")
}

func TestRemove(t *testing.T) {
	o := options(t)
	l := open(t, o)
	items := put(t, l, "a.jpg", "a", "b.jpg", "b")
	if err := l.Remove(t.Context(), items[0].ID); err != nil {
		t.Fatal(err)
	}
	wantNames(t, l, "b.jpg")
	_, err := read(t, l, items[0].ID)
	wantKind(t, err, sdk.NotFound)
	wantKind(t, l.Remove(t.Context(), items[0].ID), sdk.NotFound)
	put(t, l, "a.jpg", "another")
	wantNames(t, l, "a.jpg", "b.jpg")
}

func TestRemoveBeforeThePlaceIsTaken(t *testing.T) {
	l := open(t, options(t))
	item := staged(t, l, "a.jpg", "content")
	if err := l.Remove(t.Context(), item.ID); err != nil {
		t.Fatal(err)
	}
	wantNames(t, l)
}

func TestLibraryGone(t *testing.T) {
	l := open(t, options(t))
	item := put(t, l, "a.jpg", "a")[0]
	away := l.dir + "-away"
	if err := os.Rename(l.dir, away); err != nil {
		t.Fatal(err)
	}
	_, err := read(t, l, item.ID)
	wantKind(t, err, sdk.PluginUnavailable)
	_, _, err = l.List(t.Context(), "", 10)
	wantKind(t, err, sdk.PluginUnavailable)
	_, err = l.Begin(1)
	wantKind(t, err, sdk.PluginUnavailable)
	wantKind(t, l.Remove(t.Context(), item.ID), sdk.PluginUnavailable)
	wantKind(t, l.Check(t.Context()), sdk.PluginUnavailable)
	if _, err := os.Lstat(l.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder was made again: %v", err)
	}
	if err := os.Rename(away, l.dir); err != nil {
		t.Fatal(err)
	}
	wantContent(t, l, item.ID, "a")
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestStagingFolderDeleted(t *testing.T) {
	l := open(t, options(t))
	if err := os.Remove(l.staging); err != nil {
		t.Fatal(err)
	}
	item := put(t, l, "a.jpg", "a")[0]
	wantContent(t, l, item.ID, "a")
}

// TestLibraryGoneDuringUpload: what was received is on a drive that is not
// there any more, so nothing may be acknowledged.
func TestLibraryGoneDuringUpload(t *testing.T) {
	l := open(t, options(t))
	b, err := l.Begin(-1)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Abort()
	if _, err := b.Add("a.jpg", zeroFile(1000)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(l.dir, l.dir+"-away"); err != nil {
		t.Fatal(err)
	}
	_, err = b.Commit(t.Context())
	wantKind(t, err, sdk.PluginUnavailable)
	if err := os.Rename(l.dir+"-away", l.dir); err != nil {
		t.Fatal(err)
	}
	b.Abort()
	if got := listed(t, l); got != nil {
		t.Errorf("listed: %q", got)
	}
}
