package media

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/salita-mesh/salita/sdk"
)

// Config is the plugin's part of the user's config.hcl.
type Config struct {
	// Library is the folder for received files: absolute, below the owner's home
	// folder as "~/...", or relative to the plugin's data folder. It is created
	// when it is missing. Empty means "library".
	Library string `hcl:"library,optional"`
}

var _ sdk.Validator = Config{}

// Validate reports what is wrong with the configuration.
func (c Config) Validate() error {
	switch {
	case strings.ContainsFunc(c.Library, unicode.IsControl):
		return errors.New("library must not contain control characters")
	case c.Library == "", filepath.IsAbs(c.Library), strings.HasPrefix(c.Library, "~/"):
		return nil
	case strings.HasPrefix(c.Library, "~"):
		return fmt.Errorf(`library = %q: only "~/" at the beginning stands for a home folder`, c.Library)
	case !filepath.IsLocal(c.Library):
		return fmt.Errorf("library = %q leads out of the data folder; give the whole path", c.Library)
	}
	return nil
}

// dir is the absolute path of the library.
func (c Config) dir(env sdk.Env) (string, error) {
	dir := c.Library
	below, inHome := strings.CutPrefix(dir, "~/")
	switch {
	case dir == "":
		dir = filepath.Join(env.DataDir, "library")
	case inHome && env.HomeDir == "":
		return "", errors.New(`library begins with "~/", but the home folder is not known`)
	case inHome:
		dir = filepath.Join(env.HomeDir, below)
	case !filepath.IsAbs(dir):
		dir = filepath.Join(env.DataDir, dir)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("library: %w", err)
	}
	if dir == filepath.Clean(env.DataDir) {
		return "", errors.New("library must not be the data folder itself; choose a folder in it")
	}
	return dir, nil
}
