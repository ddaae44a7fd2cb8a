package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// embeddedSteps are the numbered steps from an empty file to the newest schema.
// A step that has been in a release never changes again.
func embeddedSteps() fs.FS {
	steps, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder's name is a constant
	}
	return steps
}

// migrate takes the file from what was found in it to the newest schema. Each
// step is one transaction with the note that it is done, so a crash leaves a
// whole number of steps. A file that has data is copied before the first one.
func (s *Store) migrate(ctx context.Context, steps fs.FS, before contents) (err error) {
	db, err := sql.Open(driverName, dsn(s.Path, migrationSetup))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	runner, err := goose.NewProvider(goose.DialectSQLite3, db, steps,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	newest := latest(runner)
	switch {
	case before.version > newest:
		return newerSchema(before.version, newest)
	case before.version == newest:
		return nil
	}
	if !before.fresh {
		if err := s.copyBefore(ctx, db, before.version, newest); err != nil {
			return fmt.Errorf("copy before migrating: %w", err)
		}
	}
	if err := run(ctx, runner, db); err != nil {
		return fmt.Errorf("migrate from %d to %d: %w", before.version, newest, err)
	}
	s.Log.Info("database migrated", "from", before.version, "to", newest)
	return nil
}

func latest(runner *goose.Provider) int64 {
	sources := runner.ListSources()
	return sources[len(sources)-1].Version
}

// run does the steps that are missing and checks what they left, because they
// run without foreign keys.
func run(ctx context.Context, runner *goose.Provider, db *sql.DB) error {
	if _, err := runner.Up(ctx); err != nil {
		return err
	}
	rows, err := db.QueryContext(ctx, `PRAGMA foreign_key_check`)
	if err != nil {
		return fmt.Errorf("check foreign keys: %w", err)
	}
	defer rows.Close()
	if rows.Next() {
		return damaged(errors.New("rows refer to others that do not exist"))
	}
	return rows.Err()
}
