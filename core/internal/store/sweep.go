package store

import (
	"context"
	"database/sql"
	"errors"
)

// An import overwrites what it deletes, but the earlier Salita did not: pages
// that it freed may still hold its tokens. Sweeping writes the file anew without
// them. That takes room and time, so it comes after the import and is repeated
// at the next start if it fails; the mark says that it is still to do.
const (
	unswept     = 1 // in user_version
	markUnswept = `PRAGMA user_version = 1`
	markSwept   = `PRAGMA user_version = 0`
)

// sweep rewrites the file without anything that was deleted in it. A failure is
// logged: what is left opens nothing any more.
func (s *Store) sweep(ctx context.Context) {
	if err := s.rewrite(ctx); err != nil {
		s.Log.Warn("could not sweep the database after its import, will try again at the next start", "error", err)
	}
}

func (s *Store) rewrite(ctx context.Context) (err error) {
	db, err := sql.Open(driverName, dsn(s.Path, importSetup))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, `VACUUM`); err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, markSwept)
	return err
}
