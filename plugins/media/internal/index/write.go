package index

import (
	"context"
	"database/sql"
)

// Add stores all items or none. The error is ErrFileTaken when one of the file
// names belongs to an item already.
func (x *Index) Add(ctx context.Context, items []Item) error {
	return describe("store items", inTx(ctx, x.writer, func(tx *sql.Tx) error {
		for _, item := range items {
			if err := insert(ctx, tx, item); err != nil {
				return err
			}
		}
		return nil
	}))
}

func insert(ctx context.Context, tx *sql.Tx, item Item) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO items
		(id, name, size, sha256, type, created_at, file, staged, modified_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		item.ID, item.Name, item.Size, item.SHA256, item.Type, item.CreatedAt.UnixMilli(),
		item.File, item.Staged, item.ModifiedAt)
	return err
}

// SetFile gives an item another file name. The error is ErrFileTaken when it
// belongs to an item already.
func (x *Index) SetFile(ctx context.Context, id, file string) error {
	return x.exec(ctx, "UPDATE items SET file = ? WHERE id = ?", file, id)
}

// Confirm records that the file with this modification time (Unix nanoseconds)
// holds the item's bytes.
func (x *Index) Confirm(ctx context.Context, id string, modifiedAt int64) error {
	return x.exec(ctx, "UPDATE items SET modified_at = ?, rejected_at = 0 WHERE id = ?", modifiedAt, id)
}

// Reject records that the file with this modification time (Unix nanoseconds)
// holds other bytes than the item's.
func (x *Index) Reject(ctx context.Context, id string, modifiedAt int64) error {
	return x.exec(ctx, "UPDATE items SET rejected_at = ? WHERE id = ?", modifiedAt, id)
}

// MarkRemoved begins the removal of items: from now on they are not found, but
// their file names stay taken until Forget.
func (x *Index) MarkRemoved(ctx context.Context, ids ...string) error {
	return x.each(ctx, "UPDATE items SET removed = 1 WHERE id = ?", ids)
}

// Restore takes back MarkRemoved.
func (x *Index) Restore(ctx context.Context, ids ...string) error {
	return x.each(ctx, "UPDATE items SET removed = 0 WHERE id = ?", ids)
}

// Forget ends the removal of items after their files are gone.
func (x *Index) Forget(ctx context.Context, ids ...string) error {
	return x.each(ctx, "DELETE FROM items WHERE id = ?", ids)
}

// AddLibrary records that the folder at path is a library.
func (x *Index) AddLibrary(ctx context.Context, path string) error {
	return x.exec(ctx, "INSERT OR IGNORE INTO libraries (path) VALUES (?)", path)
}

func (x *Index) each(ctx context.Context, statement string, ids []string) error {
	return describe("change items", inTx(ctx, x.writer, func(tx *sql.Tx) error {
		for _, id := range ids {
			if _, err := tx.ExecContext(ctx, statement, id); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (x *Index) exec(ctx context.Context, statement string, args ...any) error {
	_, err := x.writer.ExecContext(ctx, statement, args...)
	return describe("change index", err)
}
