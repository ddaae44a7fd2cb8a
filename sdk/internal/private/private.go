// Package private makes and checks folders that belong to one user alone, which
// is all the protection that a socket in them needs. It does not care for what
// is inside.
package private

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Make makes the folder with mode 0700, or takes the one that is there if Check
// has nothing against it. The folder above must exist.
func Make(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		return err
	}
	return Check(dir)
}

// Check refuses everything but a real folder at an absolute path that belongs to
// this user and that nobody else may enter.
func Check(dir string) error {
	if !filepath.IsAbs(dir) || filepath.Clean(dir) != dir {
		return fmt.Errorf("%q is not the plain absolute path of a folder", dir)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", dir)
	}
	return checkOwner(dir, info)
}

// CheckSocket refuses everything but a socket of this user at the path.
func CheckSocket(path string) error {
	if err := IsSocket(path); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	return checkOwner(path, info)
}

// IsSocket refuses everything but a socket at the path, whoever owns it.
func IsSocket(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is not a socket", path)
	}
	return nil
}
