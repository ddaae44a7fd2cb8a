package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Swept counts what was deleted because its time was over.
type Swept struct {
	Tokens   int // given to others
	Sessions int
	Pairings int // notes of pairings under way
}

// Expire deletes what has been of no use since before the time given: tokens
// given out that expired or were revoked, and sessions that expired. Notes of
// pairings go when they expire. All of it goes, or nothing.
func (s *Store) Expire(ctx context.Context, before time.Time) (Swept, error) {
	var n Swept
	err := s.write.WithContext(ctx).Transaction(func(tx *gorm.DB) (err error) {
		at := stored(before)
		if n.Tokens, err = gorm.G[issuedRow](tx).Where("expires_at <= ? OR revoked_at <= ?", at, at).Delete(ctx); err != nil {
			return err
		}
		if n.Sessions, err = gorm.G[sessionRow](tx).Where("expires_at <= ?", at).Delete(ctx); err != nil {
			return err
		}
		n.Pairings, err = gorm.G[recordRow](tx).Where("expires_at <= ?", s.now()).Delete(ctx)
		return err
	})
	if err != nil {
		return Swept{}, wrap("sweep what has expired", err)
	}
	return n, nil
}

// vacuumPages bounds how many free pages one step gives back, so that other
// changes never wait long.
const vacuumPages = 1000

// incremental is SQLite's auto_vacuum mode that gives pages back when told to.
const incremental = 2

// Optimize keeps the database quick and small: SQLite looks at which of its
// statistics are out of date, and free pages are given back to the disk. It
// returns how many bytes the file can shrink by; it does so at the next
// checkpoint. A file that was made without the bookkeeping for that is written
// anew, once.
func (s *Store) Optimize(ctx context.Context) (freed int64, err error) {
	pool, err := s.write.DB()
	if err != nil {
		return 0, wrap("optimize", err)
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return 0, wrap("optimize", err)
	}
	defer conn.Close()
	if freed, err = vacuum(ctx, conn); err != nil {
		return 0, wrap("give free pages back", err)
	}
	_, err = conn.ExecContext(ctx, `PRAGMA optimize`)
	return freed, wrap("optimize", err)
}

func vacuum(ctx context.Context, conn *sql.Conn) (freed int64, err error) {
	before, mode, err := pages(ctx, conn)
	if err != nil {
		return 0, err
	}
	if mode != incremental {
		if _, err := conn.ExecContext(ctx, fmt.Sprintf(`PRAGMA auto_vacuum = %d`, incremental)); err != nil {
			return 0, err
		}
		if _, err := conn.ExecContext(ctx, `VACUUM`); err != nil {
			return 0, err
		}
	}
	for {
		free, err := number(ctx, conn, `PRAGMA freelist_count`)
		if err != nil {
			return 0, err
		}
		if free == 0 {
			break
		}
		if err := step(ctx, conn); err != nil {
			return 0, err
		}
	}
	after, _, err := pages(ctx, conn)
	if err != nil {
		return 0, err
	}
	size, err := number(ctx, conn, `PRAGMA page_size`)
	return max(0, before-after) * size, err
}

// step gives back the next free pages. SQLite does so row by row: the answer
// has to be read to its end.
func step(ctx context.Context, conn *sql.Conn) error {
	rows, err := conn.QueryContext(ctx, fmt.Sprintf(`PRAGMA incremental_vacuum(%d)`, vacuumPages))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

func pages(ctx context.Context, conn *sql.Conn) (count, mode int64, err error) {
	if count, err = number(ctx, conn, `PRAGMA page_count`); err != nil {
		return 0, 0, err
	}
	mode, err = number(ctx, conn, `PRAGMA auto_vacuum`)
	return count, mode, err
}

func number(ctx context.Context, conn *sql.Conn, query string) (n int64, err error) {
	err = conn.QueryRowContext(ctx, query).Scan(&n)
	return n, err
}
