package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3/database"
)

// importSetup opens the earlier Salita's database. It keeps the file's own
// journal mode, so that a file whose import fails stays as it was. What is
// deleted is overwritten at once.
const importSetup = looseSetup + "&_synchronous=FULL&_txlock=immediate&_foreign_keys=off&_pragma=secure_delete(1)"

// importedSchema is the number of the schema that an import leads to; the
// numbered steps go on from there.
const importedSchema = 1

// importLegacy copies the earlier Salita's database and then turns it into one
// of ours, in a single transaction: after a crash it is the old one or the new.
// It returns what is in the file then.
func (s *Store) importLegacy(ctx context.Context, steps fs.FS, level string) (contents, error) {
	copied, err := s.copyBefore(ctx, "legacy-"+level, importedSchema)
	if err != nil {
		return contents{}, fmt.Errorf("copy before importing: %w", err)
	}
	s.Log.Warn("the copy holds access tokens of the earlier salita in clear text, delete it once all is well",
		"copy", copied, "mode", fmt.Sprintf("%#o", fileMode))
	i, err := s.runImport(ctx, steps)
	if err != nil {
		return contents{}, fmt.Errorf("import schema %s: %w", level, err)
	}
	s.Log.Info("database of the earlier salita imported", "schema", level, "devices", i.devices, "notes", len(i.notes))
	return contents{version: importedSchema, copied: true, unswept: true}, nil
}

func (s *Store) runImport(ctx context.Context, steps fs.FS) (_ *legacyImport, err error) {
	names, err := schemaNames(ctx, steps)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open(driverName, dsn(s.Path, importSetup))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	i := &legacyImport{tx: tx, now: s.now(), ours: names, moved: map[string]string{}, taken: map[string]string{}}
	if err := i.run(ctx, steps); err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	return i, tx.Commit()
}

// legacyImport is one import under way.
type legacyImport struct {
	tx   *sql.Tx
	now  time.Time
	ours map[string]bool // names that our schema needs

	moved   map[string]string // tables of the earlier Salita and what they are called now
	taken   map[string]string // ids of the devices imported and where they were
	devices int
	notes   []ImportNote
}

func (i *legacyImport) run(ctx context.Context, steps fs.FS) error {
	if err := i.clearWay(ctx); err != nil {
		return fmt.Errorf("move earlier tables: %w", err)
	}
	if err := i.createSchema(ctx, steps); err != nil {
		return fmt.Errorf("create schema %d: %w", importedSchema, err)
	}
	if err := i.takeRows(ctx); err != nil {
		return fmt.Errorf("take over rows: %w", err)
	}
	if err := i.dropTables(ctx); err != nil {
		return fmt.Errorf("drop earlier tables: %w", err)
	}
	if err := i.saveNotes(ctx); err != nil {
		return fmt.Errorf("save notes: %w", err)
	}
	return i.exec(ctx, markUnswept)
}

// createSchema does what the first numbered step does in an empty file, and
// notes it as done.
func (i *legacyImport) createSchema(ctx context.Context, steps fs.FS) error {
	names, err := fs.Glob(steps, fmt.Sprintf("%05d_*.sql", importedSchema))
	if err != nil || len(names) != 1 {
		return fmt.Errorf("find step %d: %v, %w", importedSchema, names, err)
	}
	statements, err := fs.ReadFile(steps, names[0])
	if err != nil {
		return err
	}
	if err := i.exec(ctx, string(statements)); err != nil {
		return err
	}
	versions, err := database.NewStore(database.DialectSQLite3, versionTable)
	if err != nil {
		return err
	}
	if err := versions.CreateVersionTable(ctx, i.tx); err != nil {
		return err
	}
	for version := range int64(importedSchema + 1) { // the runner counts from a step 0
		if err := versions.Insert(ctx, i.tx, database.InsertRequest{Version: version}); err != nil {
			return err
		}
	}
	return nil
}

func (i *legacyImport) exec(ctx context.Context, statement string, args ...any) error {
	_, err := i.tx.ExecContext(ctx, statement, args...)
	return err
}

// note keeps what could not be taken over as it was.
func (i *legacyImport) note(what, why, old string) {
	i.notes = append(i.notes, ImportNote{What: what, Why: why, Old: old})
}
