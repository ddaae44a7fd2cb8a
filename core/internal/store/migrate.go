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
	runner, err := newRunner(db, steps)
	if err != nil {
		return err
	}
	newest := latest(runner)
	switch {
	case before.version > newest:
		return newerSchema(before.version, newest)
	case before.version == newest:
		return nil
	}
	if !before.fresh && !before.copied {
		if _, err := s.copyBefore(ctx, fmt.Sprintf("v%d", before.version), newest); err != nil {
			return fmt.Errorf("copy before migrating: %w", err)
		}
	}
	if _, err := runner.Up(ctx); err != nil {
		return fmt.Errorf("migrate from %d to %d: %w", before.version, newest, err)
	}
	if !before.fresh {
		if err := checkReferences(ctx, db, steps); err != nil {
			return err
		}
	}
	s.Log.Info("database migrated", "from", before.version, "to", newest)
	return nil
}

func latest(runner *goose.Provider) int64 {
	sources := runner.ListSources()
	return sources[len(sources)-1].Version
}

func newRunner(db *sql.DB, steps fs.FS) (*goose.Provider, error) {
	runner, err := goose.NewProvider(goose.DialectSQLite3, db, steps,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return runner, nil
}

// schemaNames are the names of all that the steps add up to, in lower case.
func schemaNames(ctx context.Context, steps fs.FS) (_ map[string]bool, err error) {
	db, err := sql.Open(driverName, "file::memory:?"+commonSetup)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1) // a second one would be another database
	runner, err := newRunner(db, steps)
	if err != nil {
		return nil, err
	}
	if _, err := runner.Up(ctx); err != nil {
		return nil, fmt.Errorf("build schema in memory: %w", err)
	}
	all, err := column(ctx, db, `SELECT lower(name) FROM sqlite_schema WHERE name NOT LIKE 'sqlite\_%' ESCAPE '\'`)
	names := map[string]bool{noteTable: true}
	for _, name := range all {
		names[name] = true
	}
	return names, err
}

// checkReferences looks at what the steps left, because they run without foreign
// keys. Tables that are not ours may be as they are.
func checkReferences(ctx context.Context, db *sql.DB, steps fs.FS) error {
	ours, err := schemaNames(ctx, steps)
	if err != nil {
		return err
	}
	tables, err := column(ctx, db, `SELECT name FROM sqlite_schema WHERE type = 'table'`)
	if err != nil {
		return fmt.Errorf("read schema: %w", err)
	}
	for _, table := range tables {
		if !ours[table] {
			continue
		}
		orphans, err := column(ctx, db, `SELECT parent FROM pragma_foreign_key_check(?)`, table)
		if err != nil {
			return fmt.Errorf("check foreign keys: %w", err)
		}
		if len(orphans) > 0 {
			return damaged(fmt.Errorf("%d rows of %s refer to others that do not exist", len(orphans), table))
		}
	}
	return nil
}

// column returns the one column that the query asks for.
func column(ctx context.Context, db *sql.DB, query string, args ...any) ([]string, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
