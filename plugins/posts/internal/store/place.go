package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ErrMoved means that the file is not where it was opened. Whoever deletes or
// replaces an open file leaves the old one to those that have it open: SQLite would
// go on writing there, and everything acknowledged would be gone at the next start.
var ErrMoved = errors.New("file was moved or deleted")

// place is where the file lies, and which file lay there when it was opened.
type place struct {
	path string
	was  fs.FileInfo
}

func look(path string) (place, error) {
	info, err := os.Stat(path)
	return place{path, info}, err
}

func (p place) check() error {
	info, err := os.Stat(p.path)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrMoved, err)
	case !os.SameFile(p.was, info):
		return fmt.Errorf("%w: %s is another file now", ErrMoved, p.path)
	}
	return nil
}
