package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// fileMagic is how every SQLite file begins
// (https://www.sqlite.org/fileformat.html, section 1.3).
const fileMagic = "SQLite format 3\x00"

// versionTable is where the migration runner notes the steps it has done.
const versionTable = "goose_db_version"

// contents is what a look into the file found.
type contents struct {
	fresh   bool   // nothing in it yet
	legacy  string // the schema of the earlier Salita; "" when it is ours
	version int64  // our schema's number
	unswept bool   // an import is done but for the sweeping
	copied  bool   // a copy of how it was before has just been made
}

// prepare makes the file if there is none and otherwise looks into it without
// changing it.
func prepare(ctx context.Context, path string) (contents, error) {
	// Made here and not by SQLite, so that nobody else can ever read it; the
	// files that SQLite puts beside it take over its mode.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err == nil {
		return contents{fresh: true}, f.Close()
	}
	if !errors.Is(err, fs.ErrExist) {
		return contents{}, unwritable(fmt.Errorf("create database: %w", err))
	}
	empty, err := checkFile(path)
	if err != nil || empty {
		return contents{fresh: empty}, err
	}
	found, err := inspect(ctx, path)
	if err != nil {
		return contents{}, err
	}
	if err := os.Chmod(path, fileMode); err != nil {
		return contents{}, unwritable(err)
	}
	return found, nil
}

// fileMode lets nobody but the owner read a database or a copy of it.
const fileMode = 0o600

// checkFile tells apart, before SQLite touches it, a file that cannot be ours or
// cannot be written. It reports whether the file is empty.
func checkFile(path string) (empty bool, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return false, unwritable(fmt.Errorf("open database: %w", err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, unwritable(fmt.Errorf("open database: %w", err))
	}
	if !info.Mode().IsRegular() {
		return false, foreignFile("not a regular file: " + path)
	}
	if info.Size() == 0 {
		return true, nil
	}
	var magic [len(fileMagic)]byte
	if _, err := io.ReadFull(f, magic[:]); err != nil || string(magic[:]) != fileMagic {
		return false, foreignFile("not an SQLite file: " + path)
	}
	return false, nil
}

// inspect finds out whose database it is, reads its version and checks it
// through.
func inspect(ctx context.Context, path string) (contents, error) {
	db, err := sql.Open(driverName, dsn(path, inspectionSetup(path)))
	if err != nil {
		return contents{}, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	var objects, managed int
	if err := db.QueryRowContext(ctx,
		`SELECT count(*), coalesce(sum(name = ?), 0) FROM sqlite_schema WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\'`,
		versionTable).Scan(&objects, &managed); err != nil {
		return contents{}, fmt.Errorf("read schema: %w", err)
	}
	switch {
	case objects == 0:
		return contents{fresh: true}, nil
	case managed == 0:
		return inspectLegacy(ctx, db, path)
	}
	var found contents
	if err := db.QueryRowContext(ctx,
		`SELECT coalesce(max(version_id), 0), (SELECT user_version = ? FROM pragma_user_version) FROM `+versionTable+` WHERE is_applied`,
		unswept).Scan(&found.version, &found.unswept); err != nil {
		return contents{}, fmt.Errorf("read schema version: %w", err)
	}
	return found, checkIntegrity(ctx, db)
}

// inspectLegacy tells a database of the earlier Salita from other programs'.
func inspectLegacy(ctx context.Context, db *sql.DB, path string) (contents, error) {
	level, err := legacyLevel(ctx, db)
	if err != nil {
		return contents{}, err
	}
	if level == "" {
		return contents{}, foreignFile("no table " + versionTable + " in " + path)
	}
	return contents{legacy: level}, checkIntegrity(ctx, db)
}

// inspectionSetup opens the file in the way that leaves the fewest traces.
func inspectionSetup(path string) string {
	if exists(path + "-journal") {
		return commonSetup // a crash left an undo log: SQLite has to apply it first
	}
	if exists(path + "-wal") {
		return commonSetup + "&mode=ro" // a crash left changes there: they count
	}
	return commonSetup + "&mode=ro&immutable=1" // makes no file beside it
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func checkIntegrity(ctx context.Context, db *sql.DB) error {
	var verdict string
	if err := db.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&verdict); err != nil {
		return fmt.Errorf("check integrity: %w", err)
	}
	if verdict != "ok" {
		return damaged(fmt.Errorf("check integrity: %s", verdict))
	}
	return nil
}
