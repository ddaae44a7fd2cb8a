package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// Backup writes a whole and consistent copy of the database to path, which must
// not exist yet, with mode 0600. The copy appears under that name only when it
// is complete and on disk. Tokens and secrets in it stay sealed.
func (s *Store) Backup(ctx context.Context, path string) error {
	return wrap("back up database", s.backup(ctx, path))
}

// BackUp is Backup into the folder for copies, under a name that tells when it
// was. It returns the path.
func (s *Store) BackUp(ctx context.Context) (path string, err error) {
	path, err = s.copyPath(backupPrefix)
	if err == nil {
		err = s.backup(ctx, path)
	}
	return path, wrap("back up database", err)
}

// BackUpClosed is BackUp of the database at o.Path, which nobody may have open.
// No database is sdk.NotFound, a damaged one is refused.
func BackUpClosed(ctx context.Context, o Options) (path string, err error) {
	s, err := openClosed(o)
	if err != nil {
		return "", wrap("back up database", err)
	}
	defer func() { err = wrap("back up database", errors.Join(err, s.Close())) }()
	if !exists(s.Path) {
		return "", nothingYet()
	}
	if empty, err := checkFile(s.Path); err != nil || empty {
		return "", cmp.Or(err, nothingYet())
	}
	if _, err := inspect(ctx, s.Path); err != nil {
		return "", err
	}
	if path, err = s.copyPath(backupPrefix); err != nil {
		return "", err
	}
	return path, copyDatabase(ctx, s.Path, path)
}

// backup refuses to copy another file than the one that is open.
func (s *Store) backup(ctx context.Context, path string) error {
	if err := s.place.check(); err != nil {
		return movedAway(err)
	}
	if err := copyDatabase(ctx, s.Path, path); err != nil {
		return err
	}
	if err := s.place.check(); err != nil {
		return errors.Join(movedAway(err), removeAll(path))
	}
	return nil
}

const (
	// backupPrefix begins the names of copies that the owner asked for.
	backupPrefix = "salita-"
	// stamp is the time in the name of a copy; names sort by it.
	stamp = "20060102T150405.000000Z"
)

// copyPath is where a copy of this kind goes that is made now. It makes the
// folder.
func (s *Store) copyPath(kind string) (string, error) {
	if err := os.MkdirAll(s.BackupDir, 0o700); err != nil {
		return "", unwritable(err)
	}
	return filepath.Join(s.BackupDir, kind+s.now().Format(stamp)+".db"), nil
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
	kind := fmt.Sprintf("salita-%s-before-v%d-", from, to)
	if path, err = s.copyPath(kind); err != nil {
		return "", err
	}
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

// copyFile copies a file byte by byte; the copy appears when it is whole and on
// disk.
func copyFile(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	tmp := to + ".tmp"
	if err := removeAll(tmp); err != nil { // left by a crash
		return err
	}
	target, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	if err = errors.Join(err, target.Sync(), target.Close()); err == nil {
		err = os.Rename(tmp, to)
	}
	if err != nil {
		return errors.Join(err, removeAll(tmp))
	}
	return syncFolder(filepath.Dir(to))
}
