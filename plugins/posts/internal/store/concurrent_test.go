package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/salita-mesh/salita/sdk"
)

// TestManyAtOnce writes from many sides through two stores on the same file, as
// when a new version of the plugin takes over, and reads all the while.
func TestManyAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "posts.db")
	stores := []*Store{openAt(t, path), openAt(t, path)}
	common := stores[0].mustPost(t, owner, "common")
	const writers, each = 4, 6
	var work sync.WaitGroup
	for n := range writers {
		work.Go(func() { write(t, stores[n%2], common.ID, n, each) })
	}
	reading, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for _, s := range stores {
		readers.Go(func() { read(t, reading, s) })
	}
	work.Wait()
	stop()
	readers.Wait()

	post, err := stores[1].Post(t.Context(), common.ID, owner)
	if err != nil {
		t.Fatal(err)
	}
	if post.Comments != writers*each || post.Reactions[Like] != writers || post.Reactions[Heart] != 0 {
		t.Errorf("%d comments, reactions %v", post.Comments, post.Reactions)
	}
	if got := len(stores[0].bodies(t)); got != 1+writers*each/2 {
		t.Errorf("%d posts, want %d", got, 1+writers*each/2)
	}
}

// write adds posts and removes every second one, comments and reacts.
func write(t *testing.T, s *Store, common string, n, each int) {
	caller := sdk.CallerInfo{DeviceID: fmt.Sprint("device-", n), Name: fmt.Sprint(n)}
	try := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	for i := range each {
		p, err := s.AddPost(t.Context(), caller, fmt.Sprint(n, i))
		try(err)
		_, err = s.AddComment(t.Context(), common, caller, fmt.Sprint(n, i))
		try(err)
		_, err = s.React(t.Context(), common, Like, caller)
		try(err)
		_, err = s.React(t.Context(), common, Heart, caller)
		try(err)
		_, err = s.Unreact(t.Context(), common, Heart, caller)
		try(err)
		if i%2 == 0 {
			try(s.RemovePost(t.Context(), p.ID, caller))
		}
	}
}

// read checks that each list is in order and that everything in it is whole.
func read(t *testing.T, ctx context.Context, s *Store) {
	for ctx.Err() == nil {
		posts, _, err := s.Posts(t.Context(), owner, "", 20)
		if err != nil {
			t.Error(err)
			return
		}
		if !slices.IsSortedFunc(posts, func(a, b Post) int { return cmp.Compare(b.ID, a.ID) }) {
			t.Error("posts are out of order")
		}
		for _, p := range posts {
			if p.Body == "" || p.AuthorName == "" {
				t.Errorf("half a post: %+v", p)
			}
		}
	}
}

// TestGivenUp: a caller that hangs up while waiting changes nothing, and one that
// hangs up later does not undo what was begun.
func TestGivenUp(t *testing.T) {
	s := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.AddPost(ctx, anna, "never"); err == nil {
		t.Error("a change that was given up succeeded")
	}
	ctx, cancel = context.WithCancel(t.Context())
	err := s.change(ctx, "test", func(ctx context.Context, tx *sql.Tx) error {
		cancel()
		_, err := tx.ExecContext(ctx, "INSERT INTO posts VALUES ('x', '', '', 'late', 0)")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.bodies(t); !slices.Equal(got, []string{"late"}) {
		t.Errorf("holds %q", got)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("giving up made the store unhealthy: %v", err)
	}
}
