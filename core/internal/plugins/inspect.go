package plugins

import (
	"os"
	"path/filepath"

	"github.com/salita-mesh/salita/sdk"
)

// HasProgram reports whether one of the folders holds a program of that name,
// whether or not it may be run.
func HasProgram(dirs []string, name string) bool {
	if !sdk.ValidName(name) {
		return false
	}
	for _, dir := range dirs {
		for _, suffix := range []string{"", ".exe"} {
			if _, err := os.Lstat(filepath.Join(dir, filePrefix+name+suffix)); err == nil {
				return true
			}
		}
	}
	return false
}

// NoProgram is the error for a plugin without a program, which says where one
// would be found.
func NoProgram(dirs []string, name string) *sdk.Error {
	return missing(printable(name, sdk.MaxNameLength), dirs)
}
