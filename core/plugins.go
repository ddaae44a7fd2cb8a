package core

import (
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/config"
	"github.com/salita-mesh/salita/core/internal/outbound"
	"github.com/salita-mesh/salita/core/internal/plugins"
)

func (a *App) newPlugins() *plugins.Host {
	// The folder is there from the start, for those who look for it, and because
	// one that is there is watched. Without it everything else works.
	if err := os.MkdirAll(a.inDataDir("plugins"), 0o700); err != nil {
		a.log.Warn("no folder for plugins", "error", err)
	}
	options := pluginOptions(a.config(), a.log.Named("plugins"))
	options.DeviceName = a.identity.Name
	options.Mesh = outbound.New(outbound.Options{Devices: a.devices, Caller: a.peers, Log: a.log.Named("outbound")})
	options.Publish = a.publishForPlugin
	return plugins.New(options)
}

// pluginOptions are what can be told about plugins without a running gateway.
func pluginOptions(c Config, log hclog.Logger) plugins.Options {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "" // "~/" in a plugin's configuration is then an error there
	}
	return plugins.Options{Dirs: pluginDirs(c), DataDir: c.DataDir, HomeDir: home, Version: Version, Log: log}
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

func (a *App) applyPlugins() error {
	a.plugins.Apply(pluginSpecs(a.config().Plugins), pluginDirs(a.config()))
	return nil
}

func pluginSpecs(configured []config.Plugin) []plugins.Spec {
	specs := make([]plugins.Spec, len(configured))
	for i, p := range configured {
		specs[i] = plugins.Spec{
			Name: p.Name, Enabled: p.Enabled, SHA256: p.SHA256, Env: p.Env, Unconfined: p.Unconfined,
			Config: plugins.Block(p.Block),
		}
	}
	return specs
}
