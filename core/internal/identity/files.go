package identity

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// maxFile is more than any file of this room can need, in bytes.
const maxFile = 64 << 10

// temporaryPrefix begins the names of files that are not finished. A crash may
// leave one; the next start removes it.
const temporaryPrefix = ".identity-"

// readFile reads a small regular file; found is false when there is none.
func readFile(path string) (data []byte, info fs.FileInfo, found bool, err error) {
	info, err = os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, false, nil
	}
	if err != nil {
		return nil, nil, false, err
	}
	// Opening a pipe or a device could block for ever.
	if !info.Mode().IsRegular() {
		return nil, nil, false, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, false, err
	}
	defer f.Close()
	data, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return data, info, err == nil, err
}

// replaceFile writes the file so that a reader, or a crash at any moment, finds
// the old content or the new, never a mixture. The file is private.
func replaceFile(path string, data []byte) error {
	return stage(path, data, os.Rename)
}

// createFile is replaceFile for a file that must not exist yet: whatever stands
// there is left alone and the error is fs.ErrExist.
func createFile(path string, data []byte) error {
	return stage(path, data, func(temporary, path string) error {
		// A link, unlike a rename, never overwrites.
		err := os.Link(temporary, path)
		if err == nil || errors.Is(err, fs.ErrExist) {
			return err
		}
		// Without hard links (exFAT, some network folders) the folder's lock is
		// what keeps others from creating the file in between.
		if _, statErr := os.Lstat(path); !errors.Is(statErr, fs.ErrNotExist) {
			return err
		}
		return os.Rename(temporary, path)
	})
}

// stage puts the data on disk under a temporary name beside path and then
// publishes it.
func stage(path string, data []byte, publish func(temporary, path string) error) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, temporaryPrefix+"*") // mode 0600, O_EXCL
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	// Without the sync a crash could leave an empty file under the final name.
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := publish(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(dir)
}

// syncFolder makes a new name in the folder survive a power cut.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" { // cannot sync a folder, and need not
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// sweepTemporary removes what an interrupted write left behind. It must run
// under the folder's lock.
func sweepTemporary(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look for unfinished files: %w", err)
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), temporaryPrefix) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil {
			return fmt.Errorf("remove unfinished file: %w", err)
		}
	}
	return nil
}
