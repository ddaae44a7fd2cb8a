// Package index remembers what is stored: one row for each file, in an SQLite
// database of its own. A row exists exactly when a file has been accepted in
// full. The package never looks at the files themselves.
package index

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver named "sqlite"
)

// ErrNotFound means that no such item is stored.
var ErrNotFound = errors.New("no such item")

// ErrFileTaken means that another item already has that file name.
var ErrFileTaken = errors.New("file name is taken")

// ErrFull means that the drive of the index has no room for a change.
var ErrFull = errors.New("no room for the index")

// Item is one stored file.
type Item struct {
	ID         string
	Name       string // as given by the sender
	Size       int64  // bytes
	SHA256     string // 64 lower-case hexadecimal digits
	Type       string // media type
	CreatedAt  time.Time
	File       string // name in the library
	Staged     string // name in the staging folder until the file is placed
	ModifiedAt int64  // modification time of the file, Unix nanoseconds
	RejectedAt int64  // a modification time at which the file held other bytes; 0: never
}

// Index is an open index. It is safe for concurrent use, also by several
// processes.
type Index struct {
	writer *sql.DB // one connection
	reader *sql.DB
}

// schema is the whole history of the format; PRAGMA user_version counts how
// many steps a database has behind it. Steps are never changed, only added.
var schema = []string{`
CREATE TABLE items (
	id          TEXT PRIMARY KEY,
	name        TEXT NOT NULL,
	size        INTEGER NOT NULL,
	sha256      TEXT NOT NULL,
	type        TEXT NOT NULL,
	created_at  INTEGER NOT NULL,
	file        TEXT NOT NULL UNIQUE,
	staged      TEXT NOT NULL UNIQUE,
	modified_at INTEGER NOT NULL,
	rejected_at INTEGER NOT NULL DEFAULT 0,
	removed     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX items_removed ON items (id) WHERE removed = 1;
CREATE TABLE libraries (
	path TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
`}

// Open opens the index in the file at path and creates it when it is missing.
// A commit is on the disk when it returns: the journal is a write-ahead log,
// synced each time.
func Open(ctx context.Context, path string) (*Index, error) {
	if err := reserve(path); err != nil {
		return nil, fmt.Errorf("create index: %w", err)
	}
	writer, err := connect(path, 1, "&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	if err := upgrade(ctx, writer); err != nil {
		writer.Close()
		return nil, fmt.Errorf("open index %s: %w", path, err)
	}
	reader, err := connect(path, 2, "&_pragma=query_only(1)")
	if err != nil {
		writer.Close()
		return nil, err
	}
	return &Index{writer: writer, reader: reader}, nil
}

// reserve makes a new index readable for its owner alone. It must not open one
// that exists: closing that would release SQLite's locks on it in this process.
func reserve(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// connect keeps the page caches small: rows are few and short, and the process
// idles most of its life.
func connect(path string, connections int, options string) (*sql.DB, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_pragma=busy_timeout(10000)&_pragma=cache_size(-512)" + options
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(1)
	return db, nil
}

// upgrade writes nothing to a database that is up to date: files must be
// readable when the drive is full.
func upgrade(ctx context.Context, db *sql.DB) error {
	if version, err := version(ctx, db); err != nil || version == len(schema) {
		return err
	}
	return inTx(ctx, db, func(tx *sql.Tx) error {
		version, err := version(ctx, tx)
		if err != nil {
			return err
		}
		if version > len(schema) {
			return fmt.Errorf("made by a newer version (format %d, this one knows %d)", version, len(schema))
		}
		for _, step := range schema[version:] {
			if _, err := tx.ExecContext(ctx, step); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", len(schema)))
		return err
	})
}

// version takes a database or a transaction.
func version(ctx context.Context, q interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
},
) (v int, err error) {
	err = q.QueryRowContext(ctx, "PRAGMA user_version").Scan(&v)
	return v, err
}

func inTx(ctx context.Context, db *sql.DB, work func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := work(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// Ping reports whether the index can be read.
func (x *Index) Ping(ctx context.Context) error {
	var one int
	if err := x.reader.QueryRowContext(ctx, "SELECT 1 FROM items LIMIT 1").Scan(&one); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read index: %w", err)
	}
	return nil
}

// Close closes the index.
func (x *Index) Close() error {
	return errors.Join(x.reader.Close(), x.writer.Close())
}

// SQLite's result codes (https://www.sqlite.org/rescode.html).
const (
	codeFull   = 13
	codeUnique = 2067
)

// describe turns the errors that callers act on into this package's.
func describe(doing string, err error) error {
	var coded interface{ Code() int }
	if errors.As(err, &coded) {
		switch {
		case coded.Code() == codeUnique && strings.Contains(err.Error(), "items.file"):
			return ErrFileTaken
		case coded.Code()&0xff == codeFull:
			err = errors.Join(ErrFull, err)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
