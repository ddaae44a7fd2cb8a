package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/salita-mesh/salita/sdk"
)

// Post is a post with what others made of it, as one caller sees it.
type Post struct {
	Entry
	Comments  int
	Reactions map[Reaction]int // how many reacted so; every kind is there
	Reacted   []Reaction       // how the caller did
}

// postQuery selects posts as the caller :me sees them. The numbers come from the
// indexes, and everything from one moment.
const postQuery = `SELECT id, author_id, author_name, body, created_at,
	(SELECT count(*) FROM comments WHERE post_id = posts.id),
	(SELECT count(*) FROM reactions WHERE post_id = posts.id AND kind = 'like'),
	(SELECT count(*) FROM reactions WHERE post_id = posts.id AND kind = 'heart'),
	EXISTS (SELECT 1 FROM reactions WHERE post_id = posts.id AND kind = 'like' AND author_id = :me),
	EXISTS (SELECT 1 FROM reactions WHERE post_id = posts.id AND kind = 'heart' AND author_id = :me)
	FROM posts `

func scanPost(r row) (Post, error) {
	var p Post
	var created int64
	var likes, hearts int
	var liked, hearted bool
	err := r.Scan(&p.ID, &p.AuthorID, &p.AuthorName, &p.Body, &created, &p.Comments, &likes, &hearts, &liked, &hearted)
	p.CreatedAt = time.UnixMilli(created).UTC()
	p.Reactions = map[Reaction]int{Like: likes, Heart: hearts}
	if liked {
		p.Reacted = append(p.Reacted, Like)
	}
	if hearted {
		p.Reacted = append(p.Reacted, Heart)
	}
	return p, err
}

func findPost(ctx context.Context, q querier, id string, caller sdk.CallerInfo) (Post, error) {
	return scanPost(q.QueryRowContext(ctx, postQuery+"WHERE id = :id", sql.Named("id", id), sql.Named("me", caller.DeviceID)))
}

// Post returns one post as the caller sees it. The error is ErrNotFound when
// there is none.
func (s *Store) Post(ctx context.Context, id string, caller sdk.CallerInfo) (Post, error) {
	p, err := findPost(ctx, s.reader, id, caller)
	return p, s.reading("read post", err)
}

// newest sorts after every identifier.
const newest = "~"

// Posts returns up to limit posts, newest first, that are older than the place
// before; "" begins with the newest. If there are more, next is the place to go
// on from, else "". A place is a post's identifier, and stays one when the post is
// gone: what is written or removed meanwhile neither shifts nor repeats others.
func (s *Store) Posts(ctx context.Context, caller sdk.CallerInfo, before string, limit int) (posts []Post, next string, err error) {
	if before == "" {
		before = newest
	}
	rows, err := s.reader.QueryContext(ctx, postQuery+"WHERE id < :before ORDER BY id DESC LIMIT :limit",
		sql.Named("me", caller.DeviceID), sql.Named("before", before), sql.Named("limit", limit+1))
	if err == nil {
		posts, err = collect(rows, scanPost)
	}
	posts, next = cut(posts, limit, func(p Post) string { return p.ID })
	return posts, next, s.reading("read posts", err)
}

// AddPost stores a post of the author's and returns it.
func (s *Store) AddPost(ctx context.Context, author sdk.CallerInfo, body string) (Post, error) {
	p := Post{Entry: newEntry(author, body), Reactions: map[Reaction]int{Like: 0, Heart: 0}}
	err := s.change(ctx, "store post", func(ctx context.Context, tx *sql.Tx) error {
		if err := s.stamp(ctx, tx, &p.Entry, "SELECT coalesce(max(id), '') FROM posts"); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO posts (id, author_id, author_name, body, created_at) VALUES (?, ?, ?, ?, ?)",
			p.ID, p.AuthorID, p.AuthorName, p.Body, p.CreatedAt.UnixMilli())
		return err
	})
	return p, err
}

// RemovePost removes a post with its comments and reactions. The error is
// ErrNotFound or ErrNotYours when the caller cannot.
func (s *Store) RemovePost(ctx context.Context, id string, caller sdk.CallerInfo) error {
	return s.change(ctx, "remove post", func(ctx context.Context, tx *sql.Tx) error {
		p, err := findPost(ctx, tx, id, caller)
		if err := p.removable(caller, err); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM posts WHERE id = ?", id)
		return err
	})
}

// mustExist returns ErrNotFound when there is no such post.
func mustExist(ctx context.Context, q querier, post string) error {
	var one int
	err := q.QueryRowContext(ctx, "SELECT 1 FROM posts WHERE id = ?", post).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}
