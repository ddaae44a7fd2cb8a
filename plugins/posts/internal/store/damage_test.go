package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sample is the content of a file with some posts, cleanly closed.
func sample(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "posts.db")
	s := openAt(t, path)
	for n := range 60 {
		p := s.mustPost(t, anna, strings.Repeat(fmt.Sprint(n, " "), 300))
		s.mustComment(t, p.ID, ben, "a comment")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func overwritten(content []byte, at, n int) []byte {
	content = bytes.Clone(content)
	copy(content[at:at+n], bytes.Repeat([]byte{0x5a}, n))
	return content
}

// TestDamagedFile: a damaged file is refused in so many words and stays as it is.
func TestDamagedFile(t *testing.T) {
	good := sample(t)
	tests := map[string][]byte{
		"not a database":     []byte(strings.Repeat("Dear diary, ", 1000)),
		"a few bytes":        []byte("hello"),
		"first bytes":        overwritten(good, 0, 16),
		"first page":         overwritten(good, 100, 3000),
		"second page":        overwritten(good, 4096, 4096),
		"a page of posts":    overwritten(good, len(good)/2&^4095, 4096),
		"the last page":      overwritten(good, len(good)-4096, 4096),
		"cut in the middle":  good[:len(good)/2&^4095],
		"only the beginning": good[:300],
	}
	for name, content := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "posts.db")
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(t.Context(), path)
			if err == nil {
				t.Cleanup(func() { s.Close() })
			}
			wantError(t, err, ErrDamaged)
			after, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(after, content) {
				t.Errorf("the file was changed (%v)", err)
			}
		})
	}
}

// TestDamageWhileRunning: once damage was seen, the store does not call itself
// healthy any more, even if other parts of the file still work.
func TestDamageWhileRunning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "posts.db")
	good := sample(t)
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, path)
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The write-ahead log holds the first page only; the others are read from here.
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for at := int64(2 * 4096); at < int64(len(good)); at += 4096 {
		if _, err := f.WriteAt(bytes.Repeat([]byte{0x5a}, 4096), at); err != nil {
			t.Fatal(err)
		}
	}
	s.reader.SetMaxIdleConns(0) // forget what was read before
	_, _, err = s.Posts(t.Context(), anna, "", 200)
	wantError(t, err, ErrDamaged)
	wantError(t, s.Check(t.Context()), ErrDamaged)
	if err := s.tryWriting(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.Check(t.Context()), ErrDamaged)
}

func TestFileOfANewerVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "posts.db")
	s := openAt(t, path)
	s.mustPost(t, anna, "text")
	if _, err := s.writer.Exec(fmt.Sprintf("PRAGMA user_version = %d", len(schema)+1)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), path)
	wantError(t, err, ErrNewer)
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v does not name the file", err)
	}
}

func TestFolderThatIsNotThere(t *testing.T) {
	_, err := Open(t.Context(), filepath.Join(t.TempDir(), "missing", "posts.db"))
	wantError(t, err, ErrUnreachable)
}

// TestCrashWhileCreating: an empty file, and one whose schema was not committed,
// are those of a store that nobody has written to yet.
func TestCrashWhileCreating(t *testing.T) {
	path := filepath.Join(t.TempDir(), "posts.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, path)
	s.mustPost(t, anna, "text")
	if got := s.bodies(t); len(got) != 1 {
		t.Errorf("holds %q", got)
	}
}

// TestFileThatIsMovedAway: nothing is acknowledged into a file that nobody will
// find again, and putting it back is enough.
func TestFileThatIsMovedAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "posts.db")
	s := openAt(t, path)
	kept := s.mustPost(t, anna, "kept")
	away := func() error { return os.Rename(path, path+".away") }
	tests := map[string]func() error{
		"moved": away,
		"replaced": func() error {
			return errors.Join(away(), os.WriteFile(path, nil, 0o600))
		},
	}
	for name, remove := range tests {
		t.Run(name, func(t *testing.T) {
			if err := remove(); err != nil {
				t.Fatal(err)
			}
			_, err := s.AddPost(t.Context(), anna, "lost")
			wantError(t, err, ErrMoved)
			wantError(t, s.RemovePost(t.Context(), kept.ID, anna), ErrMoved)
			wantError(t, s.Check(t.Context()), ErrMoved)
			if err := os.Rename(path+".away", path); err != nil {
				t.Fatal(err)
			}
			if err := s.Check(t.Context()); err != nil {
				t.Errorf("after it is back: %v", err)
			}
			if got := s.bodies(t); len(got) != 1 || got[0] != "kept" {
				t.Errorf("holds %q", got)
			}
		})
	}
}
