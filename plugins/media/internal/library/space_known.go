//go:build linux || darwin || freebsd

package library

import "golang.org/x/sys/unix"

// freeSpace is the number of bytes that this process may still write to the
// file system dir is on.
func freeSpace(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}

// writable reports whether files can be created in dir. It asks the system and
// writes nothing, so that a health check does not wake a sleeping drive.
func writable(dir string) error { return unix.Access(dir, unix.W_OK|unix.X_OK) }
