package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"modernc.org/sqlite"
)

// place is where the database lies, and which files lay there when it was
// opened. Whoever deletes or replaces an open file leaves the old one to those
// that have it open: SQLite would go on writing there, and everything it
// acknowledged would be gone at the next start.
type place struct {
	path string
	was  map[string]fs.FileInfo // by what follows the path: the file and its log
}

// look notes what lies there now.
func look(path string) (place, error) {
	p := place{path: path, was: map[string]fs.FileInfo{"": nil, "-wal": nil}}
	for suffix := range p.was {
		info, err := os.Stat(path + suffix)
		if err != nil {
			return place{}, err
		}
		p.was[suffix] = info
	}
	return p, nil
}

// check fails when one of the files is not there or is another.
func (p place) check() error {
	for suffix, was := range p.was {
		info, err := os.Stat(p.path + suffix)
		if err != nil {
			return err
		}
		if !os.SameFile(was, info) {
			return fmt.Errorf("%s is another file than the one that was opened", p.path+suffix)
		}
	}
	return nil
}

// hold keeps one reading connection until Close and notes which files it has
// open. The log is made anew whenever the last connection went away; with one
// that stays, another log is never SQLite's doing.
func (s *Store) hold() error {
	pool, err := s.read.DB()
	if err != nil {
		return err
	}
	ctx := context.Background()
	if s.held, err = pool.Conn(ctx); err != nil {
		return err
	}
	var objects int // reading makes SQLite open the log
	if err := s.held.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema`).Scan(&objects); err != nil {
		return err
	}
	s.place, err = look(s.Path)
	return err
}

// refuseCommit undoes a change instead of making it durable in a file that
// nobody will find again.
func (s *Store) refuseCommit() int32 {
	if err := s.place.check(); err != nil {
		s.Log.Error("the open database is not where it was, the change is undone", "error", err)
		return 1
	}
	return 0
}

// guarded opens connections to the file that was opened first, and to no other.
type guarded struct {
	driver.Connector
	store *Store
}

// Connect implements driver.Connector.
func (g guarded) Connect(ctx context.Context) (driver.Conn, error) {
	if err := g.store.place.check(); err != nil {
		return nil, movedAway(err)
	}
	conn, err := g.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	hooks, ok := conn.(sqlite.HookRegisterer)
	if !ok {
		return nil, errors.Join(fmt.Errorf("a connection of type %T takes no hooks", conn), conn.Close())
	}
	hooks.RegisterCommitHook(g.store.refuseCommit)
	return conn, nil
}
