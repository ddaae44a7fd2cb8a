package store

import (
	"context"
	"database/sql"

	"github.com/salita-mesh/salita/sdk"
)

// Reaction is a kind of reaction to a post.
type Reaction string

// The kinds of reactions there are.
const (
	Like  Reaction = "like"
	Heart Reaction = "heart"
)

// Known reports whether there is that kind of reaction.
func (r Reaction) Known() bool { return r == Like || r == Heart }

// React notes that the caller reacts so to a post, and returns the post. Doing it
// again changes nothing. The error is ErrNotFound when there is no such post.
func (s *Store) React(ctx context.Context, post string, kind Reaction, caller sdk.CallerInfo) (Post, error) {
	const statement = "INSERT OR IGNORE INTO reactions (post_id, kind, author_id) VALUES (?, ?, ?)"
	return s.changeReaction(ctx, statement, post, kind, caller)
}

// Unreact takes the caller's reaction of that kind back, if there is one, and
// returns the post. The error is ErrNotFound when there is no such post.
func (s *Store) Unreact(ctx context.Context, post string, kind Reaction, caller sdk.CallerInfo) (Post, error) {
	const statement = "DELETE FROM reactions WHERE post_id = ? AND kind = ? AND author_id = ?"
	return s.changeReaction(ctx, statement, post, kind, caller)
}

func (s *Store) changeReaction(ctx context.Context, statement, post string, kind Reaction, caller sdk.CallerInfo) (p Post, err error) {
	err = s.change(ctx, "change reaction", func(ctx context.Context, tx *sql.Tx) error {
		if err := mustExist(ctx, tx, post); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, statement, post, kind, caller.DeviceID); err != nil {
			return err
		}
		p, err = findPost(ctx, tx, post, caller)
		return err
	})
	return p, err
}
