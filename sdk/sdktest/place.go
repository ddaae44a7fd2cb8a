package sdktest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// place is the folders of one plugin in a test. The base is short, because the
// path of a socket may have about a hundred bytes.
type place struct {
	base    string
	data    string // the plugin's data folder and its working folder
	home    string // what it is told is the owner's home
	tmp     string // its TMPDIR
	sockets string
}

// newPlace makes the folders; data may be one that exists already.
func newPlace(data string) (place, error) {
	base, err := makeBase()
	if err != nil {
		return place{}, err
	}
	p := place{base: base, data: data, home: filepath.Join(base, "home"), tmp: filepath.Join(base, "tmp"), sockets: filepath.Join(base, "s")}
	if data == "" {
		p.data = filepath.Join(base, "data")
	}
	for _, dir := range []string{p.data, p.home, p.tmp, p.sockets} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return place{}, errors.Join(err, p.remove())
		}
	}
	return p, nil
}

func makeBase() (string, error) {
	const longest = 103 - len("/s/plugin0123456789")
	base, err := os.MkdirTemp("", "salita-test-")
	if err != nil || len(base) <= longest {
		return base, err
	}
	if err := os.Remove(base); err != nil {
		return "", err
	}
	return os.MkdirTemp("/tmp", "salita-test-")
}

func (p place) remove() error { return os.RemoveAll(p.base) }

// contents lists everything below the folder with its size and time of change,
// but not what lies in the skipped folders.
func contents(dir string, skipped ...string) (map[string]string, error) {
	found := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it went while we looked
		}
		if err != nil {
			return err
		}
		for _, s := range skipped {
			if path == s {
				return skip(d)
			}
		}
		if path == dir {
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		found[path] = info.Mode().String()
		if !d.IsDir() {
			found[path] += info.ModTime().String()
		}
		return nil
	})
	return found, err
}

func skip(d fs.DirEntry) error {
	if d.IsDir() {
		return fs.SkipDir
	}
	return nil
}
