package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	_ "modernc.org/sqlite" // the driver named "sqlite"
)

// The errors that callers act on. Others are unforeseen.
var (
	// ErrNotFound means that there is no such post or comment.
	ErrNotFound = errors.New("no such entry")
	// ErrNotYours means that somebody else wrote what was to be removed.
	ErrNotYours = errors.New("written by somebody else")
	// ErrFull means that the drive has no room for the change.
	ErrFull = errors.New("no room on the drive")
	// ErrUnreachable means that the drive cannot be read or written.
	ErrUnreachable = errors.New("drive does not work")
	// ErrDamaged means that the file is not what was once written.
	ErrDamaged = errors.New("file is damaged")
	// ErrNewer means that a newer version of this program wrote the file.
	ErrNewer = errors.New("file was written by a newer version")
)

// Store is an open file of posts. It is safe for concurrent use.
type Store struct {
	writer *sql.DB // one connection
	reader *sql.DB
	place  place
	now    func() time.Time
	state  state
}

// Open opens the file and creates it when it is missing. A damaged file is an
// error and stays as it is: somebody may still save what is in it. On a full drive
// Open succeeds, so that people can at least read.
func Open(ctx context.Context, path string) (*Store, error) {
	s := &Store{now: time.Now}
	var err error
	if s.writer, err = connect(path, 1, "_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_txlock=immediate"); err != nil {
		return nil, err
	}
	if s.reader, err = connect(path, 2, "_pragma=query_only(1)&mode=rw"); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.start(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, classify(err)), s.Close())
	}
	_ = s.tryWriting(ctx) // Check tells
	return s, nil
}

func (s *Store) start(ctx context.Context, path string) (err error) {
	if err := upgrade(ctx, s.writer); err != nil {
		return err
	}
	if s.place, err = look(path); err != nil {
		return err
	}
	return s.inspect(ctx)
}

// connect prepares connections to the file; the first use opens one. Their caches
// are small (in KiB): posts are short, and the program idles most of its life. The
// busy timeout (in milliseconds) is for another process, see the package.
func connect(path string, connections int, options string) (*sql.DB, error) {
	u := url.URL{Path: path}
	db, err := sql.Open("sqlite", "file:"+u.EscapedPath()+"?_pragma=busy_timeout(10000)&_pragma=cache_size(-256)&"+options)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(1)
	return db, nil
}

// Close closes the file.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.reader, s.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// change makes a change wholly or not at all. It can be given up while it waits
// for its turn; once begun it is finished, whoever hangs up meanwhile.
func (s *Store) change(ctx context.Context, what string, work func(context.Context, *sql.Tx) error) error {
	conn, err := s.writer.Conn(ctx)
	if err != nil {
		return s.outcome(what, err)
	}
	defer conn.Close()
	ctx = context.WithoutCancel(ctx)
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return s.outcome(what, err)
	}
	err = work(ctx, tx)
	if err == nil {
		err = s.place.check()
	}
	if err != nil {
		return s.outcome(what, errors.Join(err, tx.Rollback()))
	}
	return s.outcome(what, tx.Commit())
}
