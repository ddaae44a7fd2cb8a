package core

import (
	"os"
	"path/filepath"

	"github.com/salita-mesh/salita/core/internal/config"
	"github.com/salita-mesh/salita/core/internal/plugins"
)

func (a *App) newPlugins() *plugins.Host {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "" // "~/" in a plugin's configuration is then an error there
	}
	return plugins.New(plugins.Options{
		Dirs:       pluginDirs(a.config()),
		DataDir:    a.config().DataDir,
		HomeDir:    home,
		DeviceName: a.identity.Name,
		Version:    Version,
		Log:        a.log.Named("plugins"),
	})
}

// pluginDirs are the folders with plugin programs: what a person put into the
// data folder comes before what is bundled with the gateway.
func pluginDirs(c Config) []string {
	dirs := append([]string{filepath.Join(c.DataDir, "plugins")}, c.PluginDirs...)
	if self, err := os.Executable(); err == nil {
		dirs = append(dirs, filepath.Join(filepath.Dir(self), "plugins"))
	}
	return dirs
}

// applier is a plugin host that takes over another configuration while it runs.
type applier interface {
	Apply(specs []plugins.Spec, dirs []string)
}

func (a *App) applyPlugins() error {
	if host, ok := any(a.plugins).(applier); ok {
		host.Apply(pluginSpecs(a.config().Plugins), pluginDirs(a.config()))
	}
	return nil
}

func pluginSpecs(configured []config.Plugin) []plugins.Spec {
	specs := make([]plugins.Spec, len(configured))
	for i, p := range configured {
		specs[i] = plugins.Spec{
			Name: p.Name, Enabled: p.Enabled, SHA256: p.SHA256, Env: p.Env,
			Config: plugins.Block(p.Block),
		}
	}
	return specs
}
