package index

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func open(t *testing.T) *Index {
	t.Helper()
	// A folder that has to be escaped in the database's address.
	dir := filepath.Join(t.TempDir(), "ü 50%?#&")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return openAt(t, filepath.Join(dir, "media.db"))
}

func openAt(t *testing.T, path string) *Index {
	t.Helper()
	x, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v, want mode 0600", info, err)
	}
	return x
}

func item(n int) Item {
	return Item{
		ID:         fmt.Sprintf("%026d", n),
		Name:       fmt.Sprintf("photo %d.jpg", n),
		Size:       int64(n),
		SHA256:     fmt.Sprintf("%064d", n),
		Type:       "image/jpeg",
		CreatedAt:  time.UnixMilli(1767225600000 + int64(n)).UTC(),
		File:       fmt.Sprintf("file-%d.jpg", n),
		Staged:     fmt.Sprintf("lease.%d", n),
		ModifiedAt: 1767225600123456789,
	}
}

func TestItemsComeBackAsStored(t *testing.T) {
	x := open(t)
	if id, err := x.LastID(t.Context()); id != "" || err != nil {
		t.Errorf("LastID() = %q, %v on an empty index", id, err)
	}
	want := []Item{item(2), item(1)}
	if err := x.Add(t.Context(), []Item{item(1), item(2)}); err != nil {
		t.Fatal(err)
	}
	got, err := x.List(t.Context(), "", 10)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("List() differs (-want +got):\n%s", diff)
	}
	one, err := x.Get(t.Context(), item(1).ID)
	if err != nil || one != item(1) {
		t.Errorf("Get() = %v, %v", one, err)
	}
	if id, err := x.LastID(t.Context()); id != item(2).ID || err != nil {
		t.Errorf("LastID() = %q, %v", id, err)
	}
	if err := x.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAddIsAllOrNothing(t *testing.T) {
	x := open(t)
	if err := x.Add(t.Context(), []Item{item(1)}); err != nil {
		t.Fatal(err)
	}
	clash := item(3)
	clash.File = item(1).File
	if err := x.Add(t.Context(), []Item{item(2), clash}); !errors.Is(err, ErrFileTaken) {
		t.Errorf("Add() = %v, want ErrFileTaken", err)
	}
	double := item(2)
	double.ID = item(1).ID
	if err := x.Add(t.Context(), []Item{double}); err == nil || errors.Is(err, ErrFileTaken) {
		t.Errorf("Add() of a known id = %v, want another error", err)
	}
	if got, err := x.List(t.Context(), "", 10); len(got) != 1 || err != nil {
		t.Errorf("List() = %v, %v, want one item", got, err)
	}
	if err := x.SetFile(t.Context(), item(1).ID, "other"); err != nil {
		t.Fatal(err)
	}
	if err := x.Add(t.Context(), []Item{clash}); err != nil {
		t.Errorf("Add() after the name became free = %v", err)
	}
	if err := x.SetFile(t.Context(), item(1).ID, clash.File); !errors.Is(err, ErrFileTaken) {
		t.Errorf("SetFile() = %v, want ErrFileTaken", err)
	}
}

func TestListPages(t *testing.T) {
	x := open(t)
	for n := range 10 {
		if err := x.Add(t.Context(), []Item{item(n)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.MarkRemoved(t.Context(), item(4).ID); err != nil {
		t.Fatal(err)
	}
	var got []int64
	before := ""
	for {
		page, err := x.List(t.Context(), before, 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, i := range page {
			got = append(got, i.Size)
		}
		before = page[len(page)-1].ID
	}
	if diff := cmp.Diff([]int64{9, 8, 7, 6, 5, 3, 2, 1, 0}, got); diff != "" {
		t.Error(diff)
	}
}

func TestRemoval(t *testing.T) {
	x := open(t)
	ctx, i := t.Context(), item(1)
	if err := x.Add(ctx, []Item{i}); err != nil {
		t.Fatal(err)
	}
	check := func(step string, visible, named bool, removed int) {
		t.Helper()
		_, err := x.Get(ctx, i.ID)
		if visible != (err == nil) || !visible && !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: Get() error %v", step, err)
		}
		if has, err := x.HasFile(ctx, i.File); has != named || err != nil {
			t.Errorf("%s: HasFile() = %t, %v", step, has, err)
		}
		if _, err := x.ByStaged(ctx, i.Staged); named != (err == nil) {
			t.Errorf("%s: ByStaged() error %v", step, err)
		}
		if all, err := x.Removed(ctx); len(all) != removed || err != nil {
			t.Errorf("%s: Removed() = %v, %v", step, all, err)
		}
	}
	check("stored", true, true, 0)
	if err := x.MarkRemoved(ctx, i.ID); err != nil {
		t.Fatal(err)
	}
	check("marked", false, true, 1)
	if err := x.Restore(ctx, i.ID); err != nil {
		t.Fatal(err)
	}
	check("restored", true, true, 0)
	if err := errors.Join(x.MarkRemoved(ctx, i.ID), x.Forget(ctx, i.ID)); err != nil {
		t.Fatal(err)
	}
	check("forgotten", false, false, 0)
}

func TestConfirmAndReject(t *testing.T) {
	x := open(t)
	ctx, i := t.Context(), item(1)
	if err := x.Add(ctx, []Item{i}); err != nil {
		t.Fatal(err)
	}
	if err := x.Reject(ctx, i.ID, 77); err != nil {
		t.Fatal(err)
	}
	if got, _ := x.Get(ctx, i.ID); got.RejectedAt != 77 || got.ModifiedAt != i.ModifiedAt {
		t.Errorf("after Reject: %+v", got)
	}
	if err := x.Confirm(ctx, i.ID, 88); err != nil {
		t.Fatal(err)
	}
	if got, _ := x.Get(ctx, i.ID); got.RejectedAt != 0 || got.ModifiedAt != 88 {
		t.Errorf("after Confirm: %+v", got)
	}
}

func TestTwoProcessesShareAnIndex(t *testing.T) {
	path := filepath.Join(t.TempDir(), "media.db")
	a, b := openAt(t, path), openAt(t, path)
	if err := a.Add(t.Context(), []Item{item(1)}); err != nil {
		t.Fatal(err)
	}
	if err := b.Add(t.Context(), []Item{item(2)}); err != nil {
		t.Fatal(err)
	}
	if got, err := a.List(t.Context(), "", 10); len(got) != 2 || err != nil {
		t.Errorf("List() = %v, %v, want both", got, err)
	}
	if err := a.AddLibrary(t.Context(), "/a"); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{"/a": true, "/b": false} {
		if got, err := b.KnowsLibrary(t.Context(), path); got != want || err != nil {
			t.Errorf("KnowsLibrary(%q) = %t, %v", path, got, err)
		}
	}
}

func TestCommitsAreSynced(t *testing.T) {
	x := open(t)
	for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal"} {
		var got string
		if err := x.writer.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, %v, want %q", pragma, got, err, want)
		}
	}
	if _, err := x.reader.Exec("DELETE FROM items"); err == nil {
		t.Error("a reader could write")
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "media.db")
	x := openAt(t, path)
	if _, err := x.writer.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path); err == nil {
		t.Error("Open() accepted a database of a newer version")
	}
	if err := os.WriteFile(path, []byte("this is not a database, it is a text of some length"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path); err == nil {
		t.Error("Open() accepted a text file")
	}
}
