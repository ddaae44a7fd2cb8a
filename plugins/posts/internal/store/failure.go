package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Result codes of SQLite (https://www.sqlite.org/rescode.html). The lowest eight
// bits of an extended code are the code.
const (
	codeReadOnly  = 8
	codeIO        = 10
	codeIOShmSize = 4874 // no room for the index of the write-ahead log
	codeCorrupt   = 11
	codeFull      = 13
	codeCantOpen  = 14
	codeNotADB    = 26
)

// classify adds one of this package's errors to an error of SQLite.
func classify(err error) error {
	var coded interface{ Code() int }
	if !errors.As(err, &coded) {
		return err
	}
	kind := func() error {
		if coded.Code() == codeIOShmSize {
			return ErrFull
		}
		switch coded.Code() & 0xff {
		case codeFull:
			return ErrFull
		case codeIO, codeReadOnly, codeCantOpen:
			return ErrUnreachable
		case codeCorrupt, codeNotADB:
			return ErrDamaged
		}
		return nil
	}()
	if kind == nil {
		return err
	}
	return fmt.Errorf("%w: %w", kind, err)
}

// outcome is what a change's method returns: nil, or the error with what was
// being done. On the way it learns how the file is doing.
func (s *Store) outcome(what string, err error) error {
	if err == nil {
		s.state.works()
		return nil
	}
	err = classify(err)
	s.state.learn(err)
	return fmt.Errorf("%s: %w", what, err)
}

// reading is what a reading method returns: nil, or the error with what was being
// read.
func (s *Store) reading(what string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	err = classify(err)
	if errors.Is(err, ErrDamaged) {
		s.state.learn(err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// tryWriting commits something that changes nothing, and so learns whether
// changes are possible: SQLite writes a page for it all the same.
func (s *Store) tryWriting(ctx context.Context) error {
	return s.change(ctx, "try writing", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", len(schema)))
		return err
	})
}
