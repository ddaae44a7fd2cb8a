package plugins

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/hashicorp/go-hclog"
)

const (
	runPrefix = "salita-run-"
	newPrefix = "salita-new-" // until it is locked; as long as runPrefix
	lockName  = "lock"
	// newAge is from when on a folder without a lock counts as abandoned.
	newAge = time.Minute
	// maxRunPath leaves room, within the 103 bytes that a socket's path may have
	// everywhere, for "/plugin-dir<10 digits>/plugin<10 digits>".
	maxRunPath = 103 - 22 - 17
	// runSuffix is the most that os.MkdirTemp adds to a prefix.
	runSuffix = 10
)

// runDir is the gateway's private folder for sockets, mode 0700. Its lock file
// is held as long as the gateway lives, so that the next one can tell a folder
// in use from one that a crash left behind.
type runDir struct {
	base string
	path string
	lock *flock.Flock
}

// openRunDir sweeps what crashed gateways left in the bases, and makes a new
// folder in the first base that is usable and short enough.
func openRunDir(bases []string, log hclog.Logger) (*runDir, error) {
	var errs []error
	for _, base := range bases {
		if base == "" {
			continue
		}
		sweep(base, log)
		d := &runDir{base: base}
		err := d.create()
		if err == nil {
			return d, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("make private folder for sockets: %w", errors.Join(errs...))
}

// runBases are where the folder may be: the user's runtime folder first, because
// nobody tidies that up by age.
func runBases() []string {
	return []string{os.Getenv("XDG_RUNTIME_DIR"), os.TempDir(), "/tmp"}
}

// create makes the folder under another name and gives it the one that sweeps
// look for when it is locked.
func (d *runDir) create() error {
	if n := len(filepath.Join(d.base, runPrefix)) + runSuffix; n > maxRunPath {
		return fmt.Errorf("%s: a socket's path in it would be too long", d.base)
	}
	fresh, err := os.MkdirTemp(d.base, newPrefix)
	if err != nil {
		return err
	}
	lock, err := acquire(fresh, os.O_CREATE|os.O_RDWR)
	if err != nil {
		return errors.Join(err, os.RemoveAll(fresh))
	}
	path := filepath.Join(d.base, runPrefix+strings.TrimPrefix(filepath.Base(fresh), newPrefix))
	if err := os.Rename(fresh, path); err != nil {
		return errors.Join(err, os.RemoveAll(fresh), lock.Close())
	}
	d.path, d.lock = path, lock
	return nil
}

var errInUse = errors.New("in use")

// acquire locks the folder through its lock file, which is opened with the flag;
// errInUse when a gateway holds it.
func acquire(path string, flag int) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(path, lockName), flock.SetFlag(flag), flock.SetPermissions(0o600))
	held, err := lock.TryLock()
	if err != nil {
		return nil, err
	}
	if !held {
		return nil, errors.Join(errInUse, lock.Close())
	}
	return lock, nil
}

// ensure makes a new folder when somebody removed the old one.
func (d *runDir) ensure() error {
	if _, err := os.Lstat(d.path); err == nil {
		return nil
	}
	_ = d.lock.Close()
	return d.create()
}

// close removes the folder.
func (d *runDir) close() error {
	return errors.Join(os.RemoveAll(d.path), d.lock.Close())
}

// sweep removes the folders whose gateway is gone. It touches only folders of
// this user.
func sweep(base string, log hclog.Logger) {
	quoted := globQuote(base)
	running, _ := filepath.Glob(filepath.Join(quoted, runPrefix+"*"))
	unfinished, _ := filepath.Glob(filepath.Join(quoted, newPrefix+"*"))
	for _, path := range slices.Concat(running, unfinished) {
		err := sweepOne(path)
		if err != nil && !errors.Is(err, errInUse) && !errors.Is(err, fs.ErrNotExist) {
			log.Debug("stale folder not swept", "folder", path, "error", err)
		}
	}
}

func sweepOne(path string) error {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() || !ownedByMe(info) {
		return err
	}
	// Without a lock file it is just being made or removed, or a crash cut that
	// short long ago.
	_, err = os.Lstat(filepath.Join(path, lockName))
	unlocked := errors.Is(err, fs.ErrNotExist) || strings.HasPrefix(filepath.Base(path), newPrefix)
	if unlocked {
		if time.Since(info.ModTime()) < newAge {
			return nil
		}
		return os.RemoveAll(path)
	}
	lock, err := acquire(path, os.O_RDONLY)
	if err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(path), lock.Close())
}

// globQuote keeps the special characters of a folder's name from matching.
func globQuote(path string) string {
	var out []byte
	for i := range len(path) {
		if c := path[i]; c == '*' || c == '?' || c == '[' || c == '\\' {
			out = append(out, '\\')
		}
		out = append(out, path[i])
	}
	return string(out)
}
