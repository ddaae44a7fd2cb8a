package library

import (
	"errors"
	"fmt"
	"sync"
)

var errNoSpace = errors.New("too little free space")

// space watches the free space of the library's drive. What uploads in progress
// have announced and not written yet counts as used, so that two of them are
// not both promised the same last gigabyte.
type space struct {
	dir  string
	keep int64                           // bytes to leave free
	free func(dir string) (int64, error) // freeSpace, but for tests

	mu       sync.Mutex
	promised int64
}

// claim is one upload's share of what is promised.
type claim struct {
	space *space
	left  int64
}

// claim promises an upload its size. The error is errNoSpace when the drive is
// too full for it.
func (s *space) claim(size int64) (*claim, error) {
	free, err := s.free(s.dir)
	if err != nil {
		return nil, fmt.Errorf("read free space: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if free-s.keep-s.promised < size {
		return nil, fmt.Errorf("%w: %d bytes free, %d promised, %d kept, %d needed", errNoSpace, free, s.promised, s.keep, size)
	}
	s.promised += size
	return &claim{space: s, left: size}, nil
}

// check looks again, during an upload. The error is errNoSpace when the drive
// has become too full to go on.
func (s *space) check() error {
	free, err := s.free(s.dir)
	if err != nil {
		return fmt.Errorf("read free space: %w", err)
	}
	if free < s.keep {
		return fmt.Errorf("%w: %d bytes free, %d kept", errNoSpace, free, s.keep)
	}
	return nil
}

// used turns promised bytes into written ones; release gives back the rest.
func (c *claim) used(n int64) {
	c.space.mu.Lock()
	defer c.space.mu.Unlock()
	n = min(n, c.left)
	c.left -= n
	c.space.promised -= n
}

func (c *claim) release() { c.used(c.left) }
