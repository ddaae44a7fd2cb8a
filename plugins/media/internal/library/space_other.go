//go:build !(linux || darwin || freebsd)

package library

import (
	"errors"
	"math"
	"os"
)

// freeSpace is not known here; a full drive is noticed by the write that fails.
func freeSpace(dir string) (int64, error) {
	_, err := os.Stat(dir)
	return math.MaxInt64, err
}

// writable reports whether files can be created in dir, by doing it.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".salita-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
