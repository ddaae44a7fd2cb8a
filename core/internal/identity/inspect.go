package identity

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/sdk"
)

// Inspect looks at a data folder as Open would, but takes no lock and changes
// nothing: the gateway may be running on it. An error is one that Open would give
// as well. Remarks are sentences on what Open would mend by itself. A folder that
// is not there yet is fine if it can be made.
func Inspect(dir string) (remarks []string, err error) {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, inspectParent(dir)
	}
	switch {
	case err != nil:
		return nil, sdk.Errorf(sdk.Internal, "The data folder %s can't be read.", dir).Because(err)
	case !info.IsDir():
		return nil, sdk.Errorf(sdk.Invalid, "The data folder %s is a file, not a folder.", dir)
	case !writable(dir):
		return nil, mayNotWrite(dir)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&^folderMode != 0 {
		remarks = append(remarks, "Other users of this computer can open the data folder "+dir+". Salita makes it private when it starts.")
	}
	_, _, err = readRecord(filepath.Join(dir, recordFile))
	return remarks, err
}

// inspectParent checks that a folder could be made.
func inspectParent(dir string) error {
	for parent := filepath.Dir(dir); ; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if errors.Is(err, fs.ErrNotExist) && parent != filepath.Dir(parent) {
			continue
		}
		if err != nil || !info.IsDir() || !writable(parent) {
			return sdk.Errorf(sdk.Forbidden, "The data folder %s can't be made: %s is not a folder that Salita may write into.", dir, parent).Because(err)
		}
		return nil
	}
}

// Check reads the files as UseCertificate would. The zero value is fine.
func (f CertificateFiles) Check(now time.Time) error {
	if f == (CertificateFiles{}) {
		return nil
	}
	_, err := readOwn(f, now, hclog.NewNullLogger())
	return err
}
