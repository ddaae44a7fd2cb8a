package identity

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/gofrs/flock"
	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/sdk"
)

const (
	folderMode  fs.FileMode = 0o700
	privateMode fs.FileMode = 0o600
)

// prepareFolder makes the data folder, or checks that nobody else can look into
// the one that is there.
func prepareFolder(dir string, log hclog.Logger) error {
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return sdk.Errorf(sdk.Internal, "The data folder %s can't be made.", dir).Because(err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return sdk.Errorf(sdk.Internal, "The data folder %s can't be read.", dir).Because(err)
	}
	if err := makePrivate(dir, info, folderMode, log); err != nil {
		// A disk or folder that cannot be written keeps its permissions, too; what
		// they are is then not what stands in the way.
		if !writable(dir) {
			return mayNotWrite(dir).Because(err)
		}
		return err
	}
	return nil
}

func mayNotWrite(dir string) *sdk.Error {
	e := sdk.Errorf(sdk.Forbidden, "Salita may not write into the data folder %s.", dir)
	e.Hint = "another --data-dir, or making it yours and writable"
	return e
}

// makePrivate takes away what others may do with a file or folder of ours.
func makePrivate(path string, info fs.FileInfo, mode fs.FileMode, log hclog.Logger) error {
	// Windows has no such bits; its user profile folder is private by itself.
	if runtime.GOOS == "windows" || info.Mode().Perm()&^mode == 0 {
		return nil
	}
	was := info.Mode().Perm()
	err := os.Chmod(path, mode)
	if err == nil {
		info, err = os.Stat(path)
	}
	// Some file systems accept a chmod and ignore it.
	if err == nil && info.Mode().Perm()&^mode != 0 {
		err = errors.New("the file system keeps no permissions")
	}
	if err != nil {
		e := sdk.Errorf(sdk.Forbidden, "Other users of this computer can open %s.", path).Because(err)
		e.Hint = "chmod go= " + path + ", or another --data-dir"
		return e
	}
	log.Warn("others could open this, made it private", "path", path, "mode_was", was.String(), "mode", mode.String())
	return nil
}

// lockFolder makes this process the folder's only user until the lock is
// closed or the process ends in any way.
func lockFolder(dir string) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(privateMode))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, sdk.Errorf(sdk.Internal, "The data folder %s can't be locked.", dir).Because(err)
	}
	if !locked {
		e := sdk.Errorf(sdk.Conflict, "Salita is already running with the data folder %s.", dir)
		e.Hint = "salita open, to see the one that runs. A second one needs its own --data-dir."
		return nil, e
	}
	return lock, nil
}
