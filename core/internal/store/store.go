package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/hashicorp/go-hclog"
	"gorm.io/gorm"
)

// Sealer encrypts what must not lie readable in the file. What was sealed in
// one context must not open in another.
type Sealer interface {
	Seal(plaintext, context []byte) ([]byte, error)
	Open(sealed, context []byte) ([]byte, error)
}

// Options are what a Store needs.
type Options struct {
	Path      string           // the database file; its folder must exist
	BackupDir string           // the folder for copies, made when first needed; "": backups beside the file
	Sealer    Sealer           // seals tokens and secrets of other devices
	Log       hclog.Logger     // nil: silent
	Now       func() time.Time // nil: time.Now
}

// Store is the open database. It is safe for concurrent use.
type Store struct {
	Options

	lock  *flock.Flock
	write *gorm.DB // one connection
	read  *gorm.DB // several, unable to write

	held  *sql.Conn // one of read's, never used again
	place place
	fresh bool
}

// Fresh reports whether there was nothing in the database when it was opened.
func (s *Store) Fresh() bool { return s.fresh }

// Open opens the database, makes it when there is none, and brings it to the
// newest schema; a copy is kept before an existing one is changed. One of the
// earlier Salita (schemas 005 to 008) becomes one of ours. A file that
// it cannot use safely (damaged, from a newer Salita, not ours, in use, not
// writable) is an *sdk.Error, and the file stays as it was. Close ends the
// Store.
func Open(ctx context.Context, o Options) (*Store, error) {
	return open(ctx, o, embeddedSteps())
}

func open(ctx context.Context, o Options, steps fs.FS) (_ *Store, err error) {
	o, err = o.complete()
	if err == nil && o.Sealer == nil {
		err = errors.New("a sealer is required")
	}
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{Options: o}
	defer func() {
		if err != nil {
			err = fmt.Errorf("open store: %w", errors.Join(friendly(err), s.Close()))
		}
	}()
	if s.lock, err = acquireLock(o.Path); err != nil {
		return nil, err
	}
	if err := finishRestore(o.Path); err != nil {
		return nil, err
	}
	before, err := prepare(ctx, o.Path)
	if err != nil {
		return nil, err
	}
	s.fresh = before.fresh
	if before.legacy != "" {
		if before, err = s.importLegacy(ctx, steps, before.legacy); err != nil {
			return nil, err
		}
	}
	if before.unswept {
		s.sweep(ctx)
	}
	if err := s.migrate(ctx, steps, before); err != nil {
		return nil, err
	}
	if err := s.connect(); err != nil {
		return nil, err
	}
	if err := purgeRecords(ctx, s.write, s.now()); err != nil {
		return nil, err
	}
	return s, nil
}

func (o Options) complete() (Options, error) {
	if o.Path == "" {
		return o, errors.New("a path is required")
	}
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return o, fmt.Errorf("find database: %w", err)
	}
	o.Path = path
	if o.BackupDir == "" {
		o.BackupDir = filepath.Join(filepath.Dir(path), "backups")
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}

// now is the time in the form that the database keeps.
func (s *Store) now() time.Time { return stored(s.Now()) }

// Close waits for running statements, writes everything into the one file and
// lets go of it. Further calls do nothing.
func (s *Store) Close() error {
	// The writer goes last: the last connection folds the write-ahead log into
	// the file, which readers are not able to do.
	var errs []error
	if s.held != nil {
		errs = append(errs, s.held.Close())
		s.held = nil
	}
	errs = append(errs, closePool(s.read), closePool(s.write))
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}
