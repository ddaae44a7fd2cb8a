package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/salita-mesh/salita/sdk"
)

// Comment is a comment on a post.
type Comment struct{ Entry }

const commentQuery = "SELECT id, author_id, author_name, body, created_at FROM comments "

func scanComment(r row) (Comment, error) {
	var c Comment
	var created int64
	err := r.Scan(&c.ID, &c.AuthorID, &c.AuthorName, &c.Body, &created)
	c.CreatedAt = time.UnixMilli(created).UTC()
	return c, err
}

// Comments returns up to limit comments on a post, oldest first as a conversation
// is read, that are newer than the place after; "" begins with the oldest. Places
// are as with Posts. The error is ErrNotFound when there is no such post.
func (s *Store) Comments(ctx context.Context, post, after string, limit int) (comments []Comment, next string, err error) {
	if err := mustExist(ctx, s.reader, post); err != nil {
		return nil, "", s.reading("read post", err)
	}
	rows, err := s.reader.QueryContext(ctx, commentQuery+"WHERE post_id = ? AND id > ? ORDER BY id LIMIT ?", post, after, limit+1)
	if err == nil {
		comments, err = collect(rows, scanComment)
	}
	comments, next = cut(comments, limit, func(c Comment) string { return c.ID })
	return comments, next, s.reading("read comments", err)
}

// AddComment stores a comment of the author's on a post and returns it. The error
// is ErrNotFound when there is no such post.
func (s *Store) AddComment(ctx context.Context, post string, author sdk.CallerInfo, body string) (Comment, error) {
	c := Comment{newEntry(author, body)}
	err := s.change(ctx, "store comment", func(ctx context.Context, tx *sql.Tx) error {
		if err := mustExist(ctx, tx, post); err != nil {
			return err
		}
		if err := s.stamp(ctx, tx, &c.Entry, "SELECT coalesce(max(id), '') FROM comments"); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO comments (id, post_id, author_id, author_name, body, created_at) VALUES (?, ?, ?, ?, ?, ?)",
			c.ID, post, c.AuthorID, c.AuthorName, c.Body, c.CreatedAt.UnixMilli())
		return err
	})
	return c, err
}

// RemoveComment removes a comment on a post. The error is ErrNotFound or
// ErrNotYours when the caller cannot.
func (s *Store) RemoveComment(ctx context.Context, post, id string, caller sdk.CallerInfo) error {
	return s.change(ctx, "remove comment", func(ctx context.Context, tx *sql.Tx) error {
		c, err := scanComment(tx.QueryRowContext(ctx, commentQuery+"WHERE id = ? AND post_id = ?", id, post))
		if err := c.removable(caller, err); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM comments WHERE id = ?", id)
		return err
	})
}
