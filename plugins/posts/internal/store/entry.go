package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/salita-mesh/salita/plugins/posts/internal/entryid"
	"github.com/salita-mesh/salita/sdk"
)

// Entry is what posts and comments have in common.
type Entry struct {
	ID         string
	AuthorID   string // of a device; "" for the owner at this machine
	AuthorName string // at the time of writing
	Body       string
	CreatedAt  time.Time
}

// RemovableBy reports whether that caller may remove the entry: whoever wrote it,
// and the owner at this machine, where all of it is kept.
func (e Entry) RemovableBy(caller sdk.CallerInfo) bool {
	return caller.Owner || caller.DeviceID == e.AuthorID && caller.DeviceID != ""
}

func newEntry(author sdk.CallerInfo, body string) Entry {
	return Entry{AuthorID: author.DeviceID, AuthorName: author.Name, Body: body}
}

// stamp gives a new entry its time and its identifier, which sorts after all
// others of its table. Only within a change nobody can come in between.
func (s *Store) stamp(ctx context.Context, tx *sql.Tx, e *Entry, queryLast string) error {
	var last string
	if err := tx.QueryRowContext(ctx, queryLast).Scan(&last); err != nil {
		return err
	}
	e.CreatedAt = s.now().UTC().Truncate(time.Millisecond)
	e.ID = entryid.Next(e.CreatedAt, last)
	return nil
}

// removable decides whether the caller may remove an entry that was looked up with
// that error.
func (e Entry) removable(caller sdk.CallerInfo, lookup error) error {
	switch {
	case errors.Is(lookup, sql.ErrNoRows):
		return ErrNotFound
	case lookup != nil:
		return lookup
	case !e.RemovableBy(caller):
		return ErrNotYours
	}
	return nil
}

// row is a *sql.Row or *sql.Rows.
type row interface{ Scan(dest ...any) error }

// collect reads all rows. It never returns nil without an error.
func collect[T any](rows *sql.Rows, scan func(row) (T, error)) ([]T, error) {
	defer rows.Close()
	all := []T{}
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// cut shortens a list that was read with one entry more than limit. If that one
// was there, next is the place to go on from, else "".
func cut[T any](all []T, limit int, id func(T) string) (page []T, next string) {
	if len(all) <= limit {
		return all, ""
	}
	return all[:limit], id(all[limit-1])
}
