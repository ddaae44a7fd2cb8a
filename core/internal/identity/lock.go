package identity

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// Lock takes the lock of a data folder without opening the identity in it, for
// work that no gateway may be running for. It changes nothing; a folder that is
// not there is sdk.NotFound, one in use sdk.Conflict. Closing it lets go.
func Lock(dir string) (io.Closer, error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, sdk.Errorf(sdk.NotFound, "There is no data folder %s.", dir)
	case err != nil:
		return nil, sdk.Errorf(sdk.Internal, "The data folder %s can't be read.", dir).Because(err)
	case !info.IsDir():
		return nil, sdk.Errorf(sdk.Invalid, "The data folder %s is a file, not a folder.", dir)
	}
	return lockFolder(dir)
}

// ReadID is the id of the device whose data folder this is; "" when it has none
// yet.
func ReadID(dir string) (mesh.DeviceID, error) {
	key, found, err := readKey(filepath.Join(dir, keyFile), hclog.NewNullLogger(), damaged)
	if err != nil || !found {
		return "", err
	}
	hash, err := hashOf(key)
	return hash.DeviceID(), err
}
