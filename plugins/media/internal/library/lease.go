package library

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// leases tells the staging files of a living library from those that a crash
// left behind. Each open library holds the lock of one file in dir, and the
// names of its staging files begin with the name of that file; the system frees
// the lock however the process ends.
type leases struct {
	dir   string
	guard *flock.Flock // held while leases are taken or judged
}

// lease is one library's lock.
type lease struct {
	name string
	lock *flock.Flock
}

func openLeases(ctx context.Context, dir string) (*leases, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create lock folder: %w", err)
	}
	guard := flock.New(filepath.Join(dir, "guard"))
	if _, err := guard.TryLockContext(ctx, 5*time.Millisecond); err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return &leases{dir: dir, guard: guard}, nil
}

func (ls *leases) close() error { return ls.guard.Close() }

// take makes a new lease.
func (ls *leases) take() (*lease, error) {
	var random [8]byte
	rand.Read(random[:])
	name := hex.EncodeToString(random[:])
	lock := flock.New(ls.path(name))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("take upload lock: %w", err)
	}
	if !locked {
		return nil, errors.New("take upload lock: somebody else has it")
	}
	return &lease{name: name, lock: lock}, nil
}

// alive reports whether the library that made this staging file is still open.
// A doubtful case counts as alive: its file is only left lying.
func (ls *leases) alive(staged string) bool {
	name, _, _ := strings.Cut(staged, ".")
	if !isLease(name) {
		return false
	}
	if _, err := os.Lstat(ls.path(name)); errors.Is(err, fs.ErrNotExist) {
		return false
	}
	lock := flock.New(ls.path(name))
	defer lock.Close()
	locked, err := lock.TryLock()
	return err != nil || !locked
}

// sweep deletes the files of leases that nobody holds and counts the others.
func (ls *leases) sweep() (alive int, err error) {
	entries, err := os.ReadDir(ls.dir)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		name, isLock := strings.CutSuffix(e.Name(), ".lock")
		switch {
		case !isLock || !isLease(name):
		case ls.alive(name):
			alive++
		default:
			err = errors.Join(err, os.Remove(ls.path(name)))
		}
	}
	return alive, err
}

func (ls *leases) path(name string) string { return filepath.Join(ls.dir, name+".lock") }

func isLease(name string) bool {
	raw, err := hex.DecodeString(name)
	return err == nil && len(raw) == 8
}

// release gives the lease up.
func (l *lease) release() error {
	if l == nil {
		return nil
	}
	err := l.lock.Close()
	if removed := os.Remove(l.lock.Path()); !errors.Is(removed, fs.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	return err
}
