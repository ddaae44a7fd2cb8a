package plugins

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tempName is the folder, in a plugin's data folder, for its temporary files:
// they may be large, and belong on the same drive.
const tempName = ".tmp"

// makeTemp makes a folder for the temporary files of one launch and returns its
// path. run is the name of this gateway's private folder; what gateways before
// this one left behind is removed. The plugin may have put anything in place of
// the folders, so nothing here follows a link out of its data folder.
func makeTemp(dataDir, run string) (string, error) {
	root, err := os.OpenRoot(dataDir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	if info, err := root.Lstat(tempName); err == nil && !info.IsDir() {
		if err := root.Remove(tempName); err != nil {
			return "", err
		}
	}
	if err := root.Mkdir(tempName, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	entries, err := fs.ReadDir(root.FS(), tempName)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), run+".") {
			if err := root.RemoveAll(tempName + "/" + e.Name()); err != nil {
				return "", fmt.Errorf("remove old files: %w", err)
			}
		}
	}
	name := tempName + "/" + run + "." + rand.Text()
	if err := root.Mkdir(name, 0o700); err != nil {
		return "", err
	}
	return filepath.Join(dataDir, name), nil
}

// removeTemp removes what makeTemp made.
func removeTemp(dataDir, path string) error {
	root, err := os.OpenRoot(dataDir)
	if err != nil {
		return err
	}
	defer root.Close()
	return root.RemoveAll(tempName + "/" + filepath.Base(path))
}
