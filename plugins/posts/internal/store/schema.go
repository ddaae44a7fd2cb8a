package store

import (
	"context"
	"database/sql"
	"fmt"
)

// schema is the whole history of the file's format; the file's user_version
// counts how many steps it has behind it. Steps are never changed, only added.
//
// An author is the id of a device, or "" for the owner at this machine. The name
// is kept as it was at the time of writing: the device may be renamed or removed.
// Times are in Unix milliseconds.
var schema = []string{`
CREATE TABLE posts (
	id          TEXT PRIMARY KEY,
	author_id   TEXT NOT NULL,
	author_name TEXT NOT NULL,
	body        TEXT NOT NULL,
	created_at  INTEGER NOT NULL
) STRICT;
CREATE TABLE comments (
	id          TEXT PRIMARY KEY,
	post_id     TEXT NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
	author_id   TEXT NOT NULL,
	author_name TEXT NOT NULL,
	body        TEXT NOT NULL,
	created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX comments_of_post ON comments (post_id, id);
CREATE TABLE reactions (
	post_id   TEXT NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
	kind      TEXT NOT NULL,
	author_id TEXT NOT NULL,
	PRIMARY KEY (post_id, kind, author_id)
) STRICT, WITHOUT ROWID;
`}

// upgrade brings the file to the present format, in one transaction. It writes
// nothing when there is nothing to do: posts must be readable on a full drive.
func upgrade(ctx context.Context, db *sql.DB) error {
	if v, err := version(ctx, db); err != nil || v == len(schema) {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()        // has no effect after Commit
	v, err := version(ctx, tx) // another process may have been faster
	if err != nil {
		return err
	}
	if v > len(schema) {
		return fmt.Errorf("%w: format %d, this one knows %d", ErrNewer, v, len(schema))
	}
	for _, step := range schema[v:] {
		if _, err := tx.ExecContext(ctx, step); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", len(schema))); err != nil {
		return err
	}
	return tx.Commit()
}

// querier is a database or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func version(ctx context.Context, q querier) (v int, err error) {
	err = q.QueryRowContext(ctx, "PRAGMA user_version").Scan(&v)
	return v, err
}
