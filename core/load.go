package core

import (
	"io"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/config"
)

// Config is everything that can be configured.
type Config = config.Config

// LoadOptions say where the configuration is; see Load.
type LoadOptions = config.Options

// ConfigError is a mistake in the configuration. Its text shows the place.
type ConfigError = config.Error

// Load finds, reads and checks the configuration. What is wrong with it is a
// *ConfigError.
func Load(options LoadOptions) (Config, error) { return config.Load(options) }

// DataDir is the data folder that Load would choose.
func DataDir(options LoadOptions) (string, error) { return config.DataDir(options) }

// newLogger returns the gateway's one logger.
func newLogger(c Config, out io.Writer) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name: "salita", Output: out, Level: hclog.LevelFromString(c.Log.Level), JSONFormat: c.Log.Format == "json",
	})
}
