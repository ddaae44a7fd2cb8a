package store

import (
	"fmt"

	"github.com/gofrs/flock"
)

// lockSuffix is what the lock file's name adds to the database's. The lock is
// on a file of its own, because closing any handle of the database itself
// would drop the locks that SQLite holds on it.
const lockSuffix = ".lock"

// acquireLock makes this process the only user of the database until the lock
// is closed or the process ends, however it ends.
func acquireLock(path string) (*flock.Flock, error) {
	lock := flock.New(path+lockSuffix, flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, unwritable(fmt.Errorf("lock database: %w", err))
	}
	if !locked {
		return nil, inUse(fmt.Errorf("%s is locked", lock.Path()))
	}
	return lock, nil
}
