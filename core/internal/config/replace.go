package config

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/salita-mesh/salita/sdk"
)

// newFileMode is for a file that was not there: it may hold a plugin's secrets.
const newFileMode fs.FileMode = 0o600

// replace writes the file so that a reader, or a crash at any moment, finds the
// old content or the new. A link stays one, and what it leads to is replaced;
// mode and owner stay as far as the system allows. before is what the file held
// when it was read, nil if it was not there: anything else in it by now is
// sdk.Conflict.
func replace(path string, before, after []byte) error {
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) && before == nil {
		target, err = path, nil
	}
	if err == nil {
		err = exchange(target, before, after)
	}
	var known *sdk.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	e := sdk.Errorf(sdk.Internal, "The configuration file %s can't be changed: %v.", path, reason(err)).Because(err)
	e.Hint = "editing the file yourself"
	return e
}

func exchange(path string, before, after []byte) error {
	mode, info, err := modeOf(path)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".config-*.hcl")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(after)
	if info != nil {
		keepOwner(temp, info)
	}
	// Without the sync a crash could leave an empty file under the name.
	if err = errors.Join(err, temp.Chmod(mode), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	now, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !bytes.Equal(now, before) || (now == nil) != (before == nil) {
		return sdk.Errorf(sdk.Conflict, "%s is being changed by somebody else right now. Try again.", path)
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// modeOf is the mode of the file that is to be replaced; info is nil when there
// is none.
func modeOf(path string) (mode fs.FileMode, info fs.FileInfo, err error) {
	info, err = os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return newFileMode, nil, nil
	case err != nil:
		return 0, nil, err
	case !info.Mode().IsRegular():
		return 0, nil, sdk.Errorf(sdk.Invalid, "%s is not a regular file, so it can't be edited.", path)
	}
	return info.Mode().Perm(), info, nil
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
