package library

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/plugins/media/internal/index"
	"github.com/salita-mesh/salita/sdk"
)

func options(t *testing.T) Options {
	t.Helper()
	dir := t.TempDir()
	return Options{
		Dir:        filepath.Join(dir, "library"),
		DataDir:    dir,
		DeviceName: "NAS",
		Log:        slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

func open(t *testing.T, o Options) *Library {
	t.Helper()
	l, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(t.Context()) })
	return l
}

// reopen is what a restart does.
func reopen(t *testing.T, l *Library, o Options) *Library {
	t.Helper()
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return open(t, o)
}

// put stores files given as name, content, name, content...
func put(t *testing.T, l *Library, files ...string) []index.Item {
	t.Helper()
	b, err := l.Begin(-1)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Abort()
	for i := 0; i < len(files); i += 2 {
		if _, err := b.Add(files[i], strings.NewReader(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	items, err := b.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return items
}

func read(t *testing.T, l *Library, id string) (string, error) {
	t.Helper()
	_, f, err := l.Open(t.Context(), id)
	if err != nil {
		return "", err
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(content), nil
}

func wantContent(t *testing.T, l *Library, id, want string) {
	t.Helper()
	if got, err := read(t, l, id); got != want || err != nil {
		t.Errorf("content of %s = %.40q, %v, want %.40q", id, got, err, want)
	}
}

func wantKind(t *testing.T, err error, want sdk.Kind) {
	t.Helper()
	if got := sdk.KindOf(err); got != want {
		t.Errorf("error = %v, want kind %q", err, want)
	}
}

// names lists what is in the library's folder, and what is being received.
func names(t *testing.T, l *Library) (files, staged []string) {
	t.Helper()
	for _, dir := range []string{l.dir, l.staging} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			switch {
			case dir == l.staging:
				staged = append(staged, e.Name())
			case e.Name() != stagingName:
				files = append(files, e.Name())
			}
		}
	}
	return files, staged
}

func wantNames(t *testing.T, l *Library, want ...string) {
	t.Helper()
	files, staged := names(t, l)
	slices.Sort(want)
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("files in the library (-want +got):\n%s", diff)
	}
	if len(staged) != 0 {
		t.Errorf("left in the staging folder: %q", staged)
	}
}

func listed(t *testing.T, l *Library) (names []string) {
	t.Helper()
	items, next, err := l.List(t.Context(), "", 100)
	if err != nil || next != "" {
		t.Fatalf("List() = %q, %v", next, err)
	}
	for _, i := range items {
		names = append(names, i.Name)
	}
	return names
}

func TestStoredFilesComeBack(t *testing.T) {
	o := options(t)
	l := open(t, o)
	big := strings.Repeat("0123456789abcdef", 100_000)
	items := put(t, l, "a.jpg", "first", "leer.txt", "", "big é.bin", big)
	put(t, l, "later.jpg", "\xff\xd8\xff and so on")
	for range 2 {
		for i, want := range []string{"first", "", big} {
			wantContent(t, l, items[i].ID, want)
			sum := sha256.Sum256([]byte(want))
			if items[i].SHA256 != hex.EncodeToString(sum[:]) || items[i].Size != int64(len(want)) {
				t.Errorf("item %d has checksum %s and size %d", i, items[i].SHA256, items[i].Size)
			}
		}
		if diff := cmp.Diff([]string{"later.jpg", "big é.bin", "leer.txt", "a.jpg"}, listed(t, l)); diff != "" {
			t.Errorf("list (-want +got):\n%s", diff)
		}
		wantNames(t, l, "a.jpg", "big é.bin", "later.jpg", "leer.txt")
		l = reopen(t, l, o)
	}
	for _, dir := range []string{l.dir, l.staging} {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v, %v, want 0700", dir, info.Mode(), err)
		}
	}
}

func TestAbortKeepsNothing(t *testing.T) {
	l := open(t, options(t))
	b, err := l.Begin(11)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Add("good.jpg", strings.NewReader("content")); err != nil {
		t.Fatal(err)
	}
	broken := &sdk.Error{Kind: sdk.Invalid, Message: "The file didn't arrive whole."}
	_, err = b.Add("bad.jpg", io.MultiReader(strings.NewReader("half"), errReader{broken}))
	if !errors.Is(err, broken) {
		t.Errorf("Add() = %v, want the reader's error", err)
	}
	b.Abort()
	wantNames(t, l)
	if got := listed(t, l); got != nil {
		t.Errorf("listed: %q", got)
	}
	if l.space.promised != 0 {
		t.Errorf("%d bytes are still promised", l.space.promised)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func TestSameNamesAtOnce(t *testing.T) {
	l := open(t, options(t))
	const senders, each = 8, 5
	var mu sync.Mutex
	contents := map[string]string{}
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for n := range each {
				content := fmt.Sprintf("file %d of %d", n, s)
				items := put(t, l, "image.jpg", content, "image.jpg", content+"b")
				mu.Lock()
				contents[items[0].ID], contents[items[1].ID] = content, content+"b"
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(contents) != 2*senders*each {
		t.Fatalf("%d different ids", len(contents))
	}
	for id, want := range contents {
		wantContent(t, l, id, want)
	}
	want := []string{"image.jpg"}
	for n := 2; n <= len(contents); n++ {
		want = append(want, fmt.Sprintf("image (%d).jpg", n))
	}
	wantNames(t, l, want...)
}

func TestNothingIsOverwritten(t *testing.T) {
	l := open(t, options(t))
	outside := filepath.Join(t.TempDir(), "outside.txt")
	if err := os.WriteFile(outside, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"link.jpg": outside, "dangling.jpg": outside + "x"} {
		if err := os.Symlink(target, filepath.Join(l.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(l.dir, "folder.jpg"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(l.dir, "own.jpg"), []byte("own"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"link.jpg", "dangling.jpg", "folder.jpg", "own.jpg", ".salita-staging"} {
		items := put(t, l, name, "received")
		wantContent(t, l, items[0].ID, "received")
	}
	wantNames(t, l, "link.jpg", "link (2).jpg", "dangling.jpg", "dangling (2).jpg", "folder.jpg", "folder (2).jpg",
		"own.jpg", "own (2).jpg", "_salita-staging")
	if got, _ := os.ReadFile(outside); string(got) != "mine" {
		t.Errorf("the file behind the link is now %q", got)
	}
	if _, err := os.Stat(outside + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was written through the link: %v", err)
	}
}

func TestMovesNeverOverwrite(t *testing.T) {
	for name, move := range map[string]func(from, to string) error{"move": moveNew, "link": linkNew, "replace": replaceNew} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := func(name string) string { return filepath.Join(dir, name) }
			for _, name := range []string{"a", "b", "taken"} {
				if err := os.WriteFile(path(name), []byte(name), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink("nowhere", path("link")); err != nil {
				t.Fatal(err)
			}
			for _, to := range []string{"taken", "link"} {
				if err := move(path("a"), path(to)); !errors.Is(err, os.ErrExist) {
					t.Errorf("move to %s = %v, want ErrExist", to, err)
				}
			}
			if err := move(path("a"), path("new")); err != nil {
				t.Fatal(err)
			}
			if err := move(path("missing"), path("x")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("move of a missing file = %v", err)
			}
			for name, want := range map[string]string{"new": "a", "b": "b", "taken": "taken"} {
				if got, err := os.ReadFile(path(name)); string(got) != want {
					t.Errorf("%s = %q, %v, want %q", name, got, err, want)
				}
			}
		})
	}
}

// TestPlaceTakenMeanwhile is the moment between the row and the move: somebody
// puts a file of that name into the library.
func TestPlaceTakenMeanwhile(t *testing.T) {
	l := open(t, options(t))
	item := staged(t, l, "a.jpg", "received")
	if err := os.WriteFile(filepath.Join(l.dir, "a.jpg"), []byte("own"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantContent(t, l, item.ID, "received")
	if err := l.place(t.Context(), &item); err != nil {
		t.Fatal(err)
	}
	wantNames(t, l, "a.jpg", "a (2).jpg")
	wantContent(t, l, item.ID, "received")
}

// staged makes the state between the row and the move.
func staged(t *testing.T, l *Library, name, content string) index.Item {
	t.Helper()
	b, err := l.Begin(-1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Add(name, strings.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	b.items[0].ID = l.ids.Next(b.items[0].CreatedAt)
	if err := l.addRows(t.Context(), b.items); err != nil {
		t.Fatal(err)
	}
	return b.items[0]
}

func TestListPagesAreStable(t *testing.T) {
	l := open(t, options(t))
	var want []string
	for n := range 25 {
		name := fmt.Sprintf("%d.jpg", n)
		put(t, l, name, name)
		if n%3 == 0 {
			if err := os.Remove(filepath.Join(l.dir, name)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want = append(want, name)
	}
	slices.Reverse(want)
	var got []string
	before := ""
	for first := true; first || before != ""; first = false {
		items, next, err := l.List(t.Context(), before, 4)
		if err != nil || len(items) > 4 || len(items) == 0 {
			t.Fatalf("List(%q) = %d items, %v", before, len(items), err)
		}
		for _, i := range items {
			got = append(got, i.Name)
		}
		put(t, l, "new.jpg", "comes on top and shifts nothing")
		before = next
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("all pages (-want +got):\n%s", diff)
	}
}

func TestHumanSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 bytes", 999: "999 bytes", 1000: "1.0 kB", 999_949: "999.9 kB", 999_950: "1.0 MB",
		2_100_000_000: "2.1 GB", 3_500_000_000_000: "3.5 TB", 5e15: "5000.0 TB",
	} {
		if got := humanSize(n); got != want {
			t.Errorf("humanSize(%d) = %q, want %q", n, got, want)
		}
	}
}

func pattern(n int) []byte { return bytes.Repeat([]byte("0123456789abcdeF"), n/16+1)[:n] }
