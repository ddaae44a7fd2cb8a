package index

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

const columns = "id, name, size, sha256, type, created_at, file, staged, modified_at, rejected_at"

// Get returns one item. The error is ErrNotFound when there is none, or no
// longer.
func (x *Index) Get(ctx context.Context, id string) (Item, error) {
	item, err := scan(x.reader.QueryRowContext(ctx, "SELECT "+columns+" FROM items WHERE id = ? AND removed = 0", id))
	if errors.Is(err, sql.ErrNoRows) {
		return Item{}, ErrNotFound
	}
	if err != nil {
		return Item{}, fmt.Errorf("read item: %w", err)
	}
	return item, nil
}

// List returns up to limit items, newest first, that are older than the item
// whose identifier is before; "" starts with the newest. The identifier need
// not be that of an existing item.
func (x *Index) List(ctx context.Context, before string, limit int) ([]Item, error) {
	query, args := "SELECT "+columns+" FROM items WHERE removed = 0 ORDER BY id DESC LIMIT ?", []any{limit}
	if before != "" {
		query = "SELECT " + columns + " FROM items WHERE removed = 0 AND id < ? ORDER BY id DESC LIMIT ?"
		args = []any{before, limit}
	}
	return x.query(ctx, query, args...)
}

// Removed returns the items whose removal was begun and not finished.
func (x *Index) Removed(ctx context.Context) ([]Item, error) {
	return x.query(ctx, "SELECT "+columns+" FROM items WHERE removed = 1")
}

// ByStaged returns the item, removed or not, that was received under that name
// in the staging folder. The error is ErrNotFound when there is none.
func (x *Index) ByStaged(ctx context.Context, staged string) (Item, error) {
	item, err := scan(x.reader.QueryRowContext(ctx, "SELECT "+columns+" FROM items WHERE staged = ?", staged))
	if errors.Is(err, sql.ErrNoRows) {
		return Item{}, ErrNotFound
	}
	if err != nil {
		return Item{}, fmt.Errorf("read item: %w", err)
	}
	return item, nil
}

// HasFile reports whether an item, removed or not, has that file name.
func (x *Index) HasFile(ctx context.Context, file string) (bool, error) {
	var found bool
	err := x.reader.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM items WHERE file = ?)", file).Scan(&found)
	if err != nil {
		return false, fmt.Errorf("look up file name: %w", err)
	}
	return found, nil
}

// LastID returns the greatest identifier there is; "" in an empty index.
func (x *Index) LastID(ctx context.Context) (string, error) {
	var id string
	err := x.reader.QueryRowContext(ctx, "SELECT coalesce(max(id), '') FROM items").Scan(&id)
	if err != nil {
		return "", fmt.Errorf("read last item: %w", err)
	}
	return id, nil
}

// KnowsLibrary reports whether the folder at path has been a library before.
func (x *Index) KnowsLibrary(ctx context.Context, path string) (bool, error) {
	var known bool
	err := x.reader.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM libraries WHERE path = ?)", path).Scan(&known)
	if err != nil {
		return false, fmt.Errorf("look up library: %w", err)
	}
	return known, nil
}

func (x *Index) query(ctx context.Context, query string, args ...any) ([]Item, error) {
	rows, err := x.reader.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read items: %w", err)
	}
	defer rows.Close()
	var items []Item
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("read items: %w", err)
		}
		items = append(items, item)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read items: %w", err)
	}
	return items, nil
}

type row interface{ Scan(dest ...any) error }

func scan(r row) (Item, error) {
	var item Item
	var created int64
	err := r.Scan(&item.ID, &item.Name, &item.Size, &item.SHA256, &item.Type, &created,
		&item.File, &item.Staged, &item.ModifiedAt, &item.RejectedAt)
	item.CreatedAt = time.UnixMilli(created).UTC()
	return item, err
}
