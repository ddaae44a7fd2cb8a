package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Backup writes a whole and consistent copy of the database to path, which must
// not exist yet, with mode 0600. The copy appears under that name only when it
// is complete and on disk. Tokens and secrets in it stay sealed.
func (s *Store) Backup(ctx context.Context, path string) error {
	return wrap("back up database", copyDatabase(ctx, s.Path, path))
}

// copyDatabase has SQLite write the copy: reading the live file by hand would
// miss what is still in the log beside it, and closing it would drop SQLite's
// locks. It reads what is there when it begins; writers need not wait.
func copyDatabase(ctx context.Context, source, path string) (err error) {
	if exists(path) {
		return fmt.Errorf("copy to %s: %w", path, os.ErrExist)
	}
	tmp := path + ".tmp"
	if err := removeAll(tmp, tmp+"-journal"); err != nil { // left by a crash
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, removeAll(tmp, tmp+"-journal"))
		}
	}()
	// An empty file is a valid target, and this one is private from the start.
	f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := vacuumInto(ctx, source, tmp); err != nil {
		return err
	}
	if err := syncFile(tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func vacuumInto(ctx context.Context, source, target string) (err error) {
	db, err := sql.Open(driverName, dsn(source, copySetup))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, `VACUUM INTO ?`, target)
	return err
}

// copiesKept bounds the copies kept of one and the same migration: one that
// keeps failing, with a restart each time, must not fill the disk.
const copiesKept = 3

// copyBefore keeps a copy of the file as it is before the steps from one
// version to another.
func (s *Store) copyBefore(ctx context.Context, from string, to int64) (path string, err error) {
	if err := os.MkdirAll(s.BackupDir, 0o700); err != nil {
		return "", unwritable(err)
	}
	kind := fmt.Sprintf("salita-%s-before-v%d-", from, to)
	path = filepath.Join(s.BackupDir, kind+s.now().Format("20060102T150405.000000Z")+".db")
	if err := removeMatches(filepath.Join(s.BackupDir, kind+"*.tmp*")); err != nil { // left by a crash
		return "", err
	}
	if err := copyDatabase(ctx, s.Path, path); err != nil {
		return "", err
	}
	s.Log.Info("database copied before migrating", "copy", path)
	return path, prune(filepath.Join(s.BackupDir, kind+"*.db"))
}

// prune removes all but the newest copies; their names sort by time.
func prune(pattern string) error {
	copies, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	slices.Sort(copies)
	return removeAll(copies[:max(0, len(copies)-copiesKept)]...)
}

func removeMatches(pattern string) error {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	return removeAll(paths...)
}

func removeAll(paths ...string) error {
	var errs []error
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
