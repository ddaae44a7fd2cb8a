package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"
)

// state is what is known of the file's health: the error of the last change, if
// it was the fault of the drive or of the file.
type state struct {
	mu      sync.Mutex
	failure error
}

func (s *state) learn(err error) {
	if !errors.Is(err, ErrFull) && !errors.Is(err, ErrUnreachable) && !errors.Is(err, ErrDamaged) {
		return // a request's own fault, or nobody's
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = err
}

// works forgets a failure. Damage is remembered: a change in another place of the
// file does not repair it.
func (s *state) works() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !errors.Is(s.failure, ErrDamaged) {
		s.failure = nil
	}
}

func (s *state) get() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

// inspection bounds the search for damage. A moment is enough for tens of
// thousands of posts; in a larger file damage may be found only when it is read.
const inspection = 500 * time.Millisecond

// inspect looks for damage in the file, as far as it comes. Writing into a damaged
// file would make it worse.
func (s *Store) inspect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, inspection)
	defer cancel()
	var finding string
	err := s.reader.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&finding)
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return err
	case finding != "ok":
		return fmt.Errorf("%w: %s", ErrDamaged, finding)
	}
	return nil
}

// Check reports whether posts can be read and written. It writes only if the
// last change failed, to see whether that is over: a healthy drive must not be
// woken and worn by questions.
func (s *Store) Check(ctx context.Context) error {
	if err := s.place.check(); err != nil {
		return err
	}
	var one int
	err := s.reader.QueryRowContext(ctx, "SELECT 1 FROM posts LIMIT 1").Scan(&one)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return s.reading("read posts", err)
	}
	if failure := s.state.get(); failure == nil || errors.Is(failure, ErrDamaged) {
		return failure
	}
	return s.tryWriting(ctx)
}
