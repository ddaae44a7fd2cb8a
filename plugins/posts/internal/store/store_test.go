package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/sdk"
)

// The callers of these tests.
var (
	owner  = sdk.CallerInfo{Name: "NAS", Owner: true}
	anna   = sdk.CallerInfo{DeviceID: "device-anna", Name: "Anna's Phone"}
	ben    = sdk.CallerInfo{DeviceID: "device-ben", Name: "Ben's Laptop"}
	nobody = sdk.CallerInfo{}
)

func open(t *testing.T) *Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "posts.db"))
}

func openAt(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func (s *Store) mustPost(t *testing.T, author sdk.CallerInfo, body string) Post {
	t.Helper()
	p, err := s.AddPost(t.Context(), author, body)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (s *Store) mustComment(t *testing.T, post string, author sdk.CallerInfo, body string) Comment {
	t.Helper()
	c, err := s.AddComment(t.Context(), post, author, body)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// bodies are the texts of all posts, newest first.
func (s *Store) bodies(t *testing.T) []string {
	t.Helper()
	posts, _, err := s.Posts(t.Context(), owner, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	bodies := []string{}
	for _, p := range posts {
		bodies = append(bodies, p.Body)
	}
	return bodies
}

func wantError(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("error is %v, want %v", got, want)
	}
}

func TestPostsAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a folder with %20 and ?x=1#y", "posts.db")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, path)
	before := time.Now().Add(-time.Millisecond)
	texts := []string{"first", "<b>\x00'); DROP TABLE posts; --", strings.Repeat("🎉", 2000)}
	var want []Post
	for _, text := range texts {
		want = append(want, s.mustPost(t, anna, text))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, path)
	for i, w := range want {
		got, err := s.Post(t.Context(), w.ID, anna)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(w, got); diff != "" {
			t.Errorf("post changed (-stored +read):\n%s", diff)
		}
		if got.Body != texts[i] || got.AuthorID != anna.DeviceID || got.AuthorName != anna.Name {
			t.Errorf("post is %+v", got)
		}
		if got.CreatedAt.Before(before) || time.Since(got.CreatedAt) < 0 || got.CreatedAt.Location() != time.UTC {
			t.Errorf("written at %v", got.CreatedAt)
		}
	}
}

func TestWhoMayRemoveAPost(t *testing.T) {
	tests := []struct {
		name           string
		author, caller sdk.CallerInfo
		want           error
	}{
		{"its author", anna, anna, nil},
		{"another device", anna, ben, ErrNotYours},
		{"the owner a device's", anna, owner, nil},
		{"the owner their own", owner, owner, nil},
		{"a device the owner's", owner, anna, ErrNotYours},
		{"nobody a device's", anna, nobody, ErrNotYours},
		{"nobody the owner's", owner, nobody, ErrNotYours},
		{"a device of the same name", anna, sdk.CallerInfo{DeviceID: "other", Name: anna.Name}, ErrNotYours},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t)
			p := s.mustPost(t, tt.author, "text")
			c := s.mustComment(t, p.ID, tt.author, "text")
			if got := p.RemovableBy(tt.caller); got != (tt.want == nil) {
				t.Errorf("RemovableBy says %v", got)
			}
			wantError(t, s.RemoveComment(t.Context(), p.ID, c.ID, tt.caller), tt.want)
			wantError(t, s.RemovePost(t.Context(), p.ID, tt.caller), tt.want)
			left := 0
			if tt.want != nil {
				left = 1
			}
			if got := s.bodies(t); len(got) != left {
				t.Errorf("%d posts are left, want %d", len(got), left)
			}
		})
	}
}

func TestRemovingAPostRemovesWhatHangsOnIt(t *testing.T) {
	s := open(t)
	gone, kept := s.mustPost(t, anna, "gone"), s.mustPost(t, anna, "kept")
	for _, p := range []Post{gone, kept} {
		s.mustComment(t, p.ID, ben, "a comment")
		if _, err := s.React(t.Context(), p.ID, Heart, ben); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.RemovePost(t.Context(), gone.ID, anna); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"posts", "comments", "reactions"} {
		var n int
		if err := s.reader.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil || n != 1 {
			t.Errorf("%d rows in %s (%v), want 1", n, table, err)
		}
	}
	wantError(t, s.RemovePost(t.Context(), gone.ID, anna), ErrNotFound)
	_, err := s.Post(t.Context(), gone.ID, anna)
	wantError(t, err, ErrNotFound)
}

func TestNothingHangsOnAPostThatIsNotThere(t *testing.T) {
	s := open(t)
	p := s.mustPost(t, anna, "gone")
	c := s.mustComment(t, p.ID, ben, "gone too")
	if err := s.RemovePost(t.Context(), p.ID, anna); err != nil {
		t.Fatal(err)
	}
	_, err := s.AddComment(t.Context(), p.ID, ben, "too late")
	wantError(t, err, ErrNotFound)
	_, err = s.React(t.Context(), p.ID, Like, ben)
	wantError(t, err, ErrNotFound)
	_, err = s.Unreact(t.Context(), p.ID, Like, ben)
	wantError(t, err, ErrNotFound)
	_, _, err = s.Comments(t.Context(), p.ID, "", 10)
	wantError(t, err, ErrNotFound)
	wantError(t, s.RemoveComment(t.Context(), p.ID, c.ID, ben), ErrNotFound)
}

func TestACommentBelongsToItsPost(t *testing.T) {
	s := open(t)
	one, other := s.mustPost(t, anna, "one"), s.mustPost(t, anna, "other")
	c := s.mustComment(t, one.ID, ben, "on one")
	wantError(t, s.RemoveComment(t.Context(), other.ID, c.ID, ben), ErrNotFound)
	got, next, err := s.Comments(t.Context(), one.ID, "", 10)
	if diff := cmp.Diff([]Comment{c}, got); diff != "" || next != "" || err != nil {
		t.Errorf("next %q, error %v, comments (-want +got):\n%s", next, err, diff)
	}
	got, _, err = s.Comments(t.Context(), other.ID, "", 10)
	if err != nil || got == nil || len(got) != 0 {
		t.Errorf("comments %v, error %v, want none", got, err)
	}
}

func TestReactions(t *testing.T) {
	s := open(t)
	p := s.mustPost(t, anna, "text")
	steps := []struct {
		do     func(*Store) (Post, error)
		likes  int
		hearts int
		ben    []Reaction
	}{
		{func(s *Store) (Post, error) { return s.Unreact(t.Context(), p.ID, Like, ben) }, 0, 0, nil},
		{func(s *Store) (Post, error) { return s.React(t.Context(), p.ID, Like, ben) }, 1, 0, []Reaction{Like}},
		{func(s *Store) (Post, error) { return s.React(t.Context(), p.ID, Like, ben) }, 1, 0, []Reaction{Like}},
		{func(s *Store) (Post, error) { return s.React(t.Context(), p.ID, Like, owner) }, 2, 0, []Reaction{Like}},
		{func(s *Store) (Post, error) { return s.React(t.Context(), p.ID, Heart, ben) }, 2, 1, []Reaction{Like, Heart}},
		{func(s *Store) (Post, error) { return s.Unreact(t.Context(), p.ID, Like, ben) }, 1, 1, []Reaction{Heart}},
		{func(s *Store) (Post, error) { return s.Unreact(t.Context(), p.ID, Like, ben) }, 1, 1, []Reaction{Heart}},
		{func(s *Store) (Post, error) { return s.Unreact(t.Context(), p.ID, Like, owner) }, 0, 1, []Reaction{Heart}},
	}
	for i, step := range steps {
		if _, err := step.do(s); err != nil {
			t.Fatal(err)
		}
		got, err := s.Post(t.Context(), p.ID, ben)
		if err != nil {
			t.Fatal(err)
		}
		if got.Reactions[Like] != step.likes || got.Reactions[Heart] != step.hearts {
			t.Errorf("after step %d: %v, want %d likes and %d hearts", i, got.Reactions, step.likes, step.hearts)
		}
		if diff := cmp.Diff(step.ben, got.Reacted); diff != "" {
			t.Errorf("after step %d, what Ben did (-want +got):\n%s", i, diff)
		}
	}
	got, err := s.Post(t.Context(), p.ID, anna)
	if err != nil || len(got.Reacted) != 0 || got.Reactions[Heart] != 1 {
		t.Errorf("Anna sees %+v (%v)", got, err)
	}
}

// TestReactionAnswers: the answer is the post as the caller sees it right then.
func TestReactionAnswers(t *testing.T) {
	s := open(t)
	p := s.mustPost(t, anna, "text")
	s.mustComment(t, p.ID, ben, "a comment")
	for _, change := range []func() (Post, error){
		func() (Post, error) { return s.React(t.Context(), p.ID, Heart, ben) },
		func() (Post, error) { return s.Unreact(t.Context(), p.ID, Heart, ben) },
	} {
		answer, err := change()
		if err != nil {
			t.Fatal(err)
		}
		now, err := s.Post(t.Context(), p.ID, ben)
		if diff := cmp.Diff(now, answer); diff != "" || err != nil || answer.Comments != 1 {
			t.Errorf("error %v, answer (-want +got):\n%s", err, diff)
		}
	}
}

// TestCommitsReachTheDisk: what no test can provoke, a power cut, rests on these.
func TestCommitsReachTheDisk(t *testing.T) {
	s := open(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
		var got string
		if err := s.writer.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q (%v), want %q", pragma, got, err, want)
		}
	}
	if _, err := s.reader.Exec("DELETE FROM posts"); err == nil {
		t.Error("a reading connection can write")
	}
}
