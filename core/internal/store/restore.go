package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// What a restore adds to the database's path while it is under way.
const (
	// restoringSuffix is a folder in which the copy is looked through.
	restoringSuffix = ".restoring"
	// restoredSuffix is a whole database that is to take the place: once it is
	// there, the restore is decided, and whoever opens the database completes it.
	restoredSuffix = ".restored"
)

// sides are what SQLite keeps beside a database. The third is made anew from the
// first.
var sides = []string{"-wal", "-journal", "-shm"}

// Restore puts a copy of the database in the place of the one at o.Path, which
// nobody may have open. The copy is not changed. It has to be a database of
// Salita's that is whole, not from a newer Salita, and of this very device, unless
// device is ""; anything else is an *sdk.Error, and nothing was changed. What was
// in the place before is kept in o.BackupDir under the path that is returned, ""
// if there was nothing.
//
// Wherever it is interrupted, the next Open finds either the database as it was
// or the restored one.
func Restore(ctx context.Context, o Options, file string, device mesh.DeviceID) (kept string, err error) {
	s, err := openClosed(o)
	if err != nil {
		return "", wrap("restore database", err)
	}
	defer func() { err = wrap("restore database", errors.Join(err, s.Close())) }()
	folder := s.Path + restoringSuffix
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if err := os.Mkdir(folder, 0o700); err != nil {
		return "", unwritable(err)
	}
	whole, err := s.wholeCopy(ctx, file, folder, device)
	if err != nil {
		return "", err
	}
	if kept, err = s.keepPresent(ctx); err != nil {
		return "", fmt.Errorf("keep the present database: %w", err)
	}
	if err := os.Rename(whole, s.Path+restoredSuffix); err != nil {
		return kept, unwritable(err)
	}
	return kept, takeRestored(s.Path)
}

// openClosed takes the lock of a database that is to stay closed, and tidies up
// after a restore that was interrupted.
func openClosed(o Options) (*Store, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	s := &Store{Options: o}
	if s.lock, err = acquireLock(o.Path); err != nil {
		return nil, err
	}
	if err := finishRestore(o.Path); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// finishRestore completes a restore that was decided and forgets one that was
// not.
func finishRestore(path string) error {
	if err := os.RemoveAll(path + restoringSuffix); err != nil {
		return unwritable(err)
	}
	if !exists(path + restoredSuffix) {
		return nil
	}
	return takeRestored(path)
}

// takeRestored gives the restored database its place. SQLite would play the log
// of the earlier one into it, so that goes first.
func takeRestored(path string) error {
	dir := filepath.Dir(path)
	if err := syncFolder(dir); err != nil { // the decision comes before its consequences
		return unwritable(err)
	}
	for _, side := range sides {
		if err := removeAll(path + side); err != nil {
			return unwritable(err)
		}
	}
	if err := syncFolder(dir); err != nil {
		return unwritable(err)
	}
	if err := os.Rename(path+restoredSuffix, path); err != nil {
		return unwritable(err)
	}
	return syncFolder(dir)
}

// wholeCopy makes one database file in the folder of what was copied, after
// looking through it and bringing it to the newest schema. SQLite works on a copy
// of the copy, because it may have to change what it reads.
func (s *Store) wholeCopy(ctx context.Context, file, folder string, device mesh.DeviceID) (string, error) {
	staged := filepath.Join(folder, "copy.db")
	if err := s.stage(file, staged); err != nil {
		return "", err
	}
	if err := s.judge(ctx, staged, device); err != nil {
		return "", unfit(file, err)
	}
	whole := filepath.Join(folder, "whole.db")
	return whole, copyDatabase(ctx, staged, whole)
}

// stage copies the file, and what SQLite left beside it.
func (s *Store) stage(file, staged string) error {
	info, err := os.Stat(file)
	if errors.Is(err, os.ErrNotExist) {
		return noCopy(file, err)
	}
	if err != nil {
		return unreadableCopy(file, err)
	}
	if present, err := os.Stat(s.Path); err == nil && os.SameFile(info, present) {
		return sameCopy(file)
	}
	if !info.Mode().IsRegular() {
		return unfit(file, foreignFile("not a regular file"))
	}
	for _, side := range append([]string{""}, sides[:2]...) {
		err := copyFile(file+side, staged+side)
		if side != "" && errors.Is(err, os.ErrNotExist) {
			continue
		}
		switch {
		case isDiskFull(err):
			return err
		case err != nil:
			return unreadableCopy(file, err)
		}
	}
	return nil
}

// judge fails unless the file can become the database of the device. It brings
// the file to the newest schema, as an Open would; one of the earlier Salita is
// left to Open, which takes it over.
func (s *Store) judge(ctx context.Context, file string, device mesh.DeviceID) error {
	empty, err := checkFile(file)
	if err != nil {
		return err
	}
	if empty {
		return foreignFile("an empty file")
	}
	found, err := inspect(ctx, file)
	if err != nil || found.legacy != "" {
		return err
	}
	if found.fresh {
		return foreignFile("a database without tables")
	}
	if err := belongs(ctx, file, device); err != nil {
		return err
	}
	found.copied = true // the copy itself stays where it is
	staged := &Store{Options: s.Options}
	staged.Path = file
	return staged.migrate(ctx, embeddedSteps(), found)
}

// belongs fails unless the database is Salita's and this device's.
func belongs(ctx context.Context, file string, device mesh.DeviceID) (err error) {
	db, err := sql.Open(driverName, dsn(file, copySetup))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tables, err := column(ctx, db, `SELECT name FROM sqlite_schema WHERE name IN ('mesh_nodes', 'issued_tokens', 'current_node')`)
	if err != nil {
		return err
	}
	if len(tables) != 3 {
		return foreignFile("another program's tables")
	}
	owners, err := column(ctx, db, `SELECT node_id FROM current_node`)
	if err != nil || device == "" {
		return err
	}
	for _, owner := range owners {
		if owner != string(device) {
			return otherDevice(fmt.Errorf("database of %q, and this is %q", owner, device))
		}
	}
	return nil
}

// keepPresent copies what is in the place now, as far as it can be read.
func (s *Store) keepPresent(ctx context.Context) (path string, err error) {
	if info, err := os.Stat(s.Path); errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return "", nil
	}
	path, err = s.copyPath("salita-before-restore-")
	if err != nil {
		return "", err
	}
	if _, err := inspect(ctx, s.Path); err == nil {
		if copyDatabase(ctx, s.Path, path) == nil {
			return path, nil
		}
	}
	// Damaged, or not a database: then it is kept as it is.
	for _, side := range []string{"-wal", "-journal", ""} {
		if err := copyFile(s.Path+side, path+side); err != nil && (side == "" || !errors.Is(err, os.ErrNotExist)) {
			return "", err
		}
	}
	return path, nil
}
