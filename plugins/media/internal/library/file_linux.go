package library

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// moveNew moves a file within a file system; it never replaces anything at the
// new name, not even a link that leads nowhere.
func moveNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) {
		return linkNew(from, to)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// startWriting tells the system to begin writing a part of the file to the
// drive, so that little is left for the sync at the end. It is a hint: what
// fails here fails again there.
func startWriting(f *os.File, offset, length int64) {
	_ = unix.SyncFileRange(int(f.Fd()), offset, length, unix.SYNC_FILE_RANGE_WRITE)
}
