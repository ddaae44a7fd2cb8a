package core

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/config"
	"github.com/salita-mesh/salita/core/internal/devices"
	"github.com/salita-mesh/salita/core/internal/identity"
	"github.com/salita-mesh/salita/core/internal/mesh"
)

// setting is one thing that can be configured.
type setting struct {
	name string            // as people write it: "server.address"
	at   func(*Config) any // a pointer to its value
	// apply makes the value count that a.config() has by now; nil for what counts
	// from the next start on.
	apply func(*App) error
}

// settings are everything that the file can say. Those whose change can fail come
// first, so that a configuration is taken over as a whole or not at all.
func settings() []setting {
	return []setting{
		{"certificate", func(c *Config) any { return &c.Certificate }, (*App).applyCertificate},
		{"device.name", func(c *Config) any { return &c.Device.Name }, (*App).applyName},
		{"server.names", func(c *Config) any { return &c.Server.Names }, (*App).applyNames},
		{"tokens.lifetime", func(c *Config) any { return &c.Tokens.Lifetime }, (*App).applyTokens},
		{"tokens.renew_within", func(c *Config) any { return &c.Tokens.RenewWithin }, (*App).applyTokens},
		{"discovery.interval", func(c *Config) any { return &c.Discovery.Interval }, (*App).applyDiscovery},
		{"discovery.timeout", func(c *Config) any { return &c.Discovery.Timeout }, (*App).applyDiscovery},
		{"pairing.window", func(c *Config) any { return &c.Pairing.Window }, (*App).applyPairing},
		{"pairing.attempts", func(c *Config) any { return &c.Pairing.Attempts }, (*App).applyPairing},
		{"pairing.grant", func(c *Config) any { return &c.Pairing.Grant }, (*App).applyPairing},
		{"log.level", func(c *Config) any { return &c.Log.Level }, (*App).applyLevel},
		{"plugin_dirs", func(c *Config) any { return &c.PluginDirs }, (*App).applyPlugins},
		{"plugin", func(c *Config) any { return &c.Plugins }, (*App).applyPlugins},

		{"server.address", func(c *Config) any { return &c.Server.Address }, nil},
		{"discovery.mdns", func(c *Config) any { return &c.Discovery.MDNS }, nil},
		{"storage.path", func(c *Config) any { return &c.Storage.Path }, nil},
		{"log.format", func(c *Config) any { return &c.Log.Format }, nil},
	}
}

// value is the setting's value in a configuration.
func (s setting) value(c *Config) reflect.Value { return reflect.ValueOf(s.at(c)).Elem() }

// changes finds what is different: what can count at once, and what counts from
// the next start on.
func changes(old, new Config) (live, restart []setting) {
	for _, s := range settings() {
		switch {
		case reflect.DeepEqual(s.value(&old).Interface(), s.value(&new).Interface()):
		case s.apply == nil:
			restart = append(restart, s)
		default:
			live = append(live, s)
		}
	}
	return live, restart
}

// names are the settings as a person would list them. A plugin's block is named
// if it says something else now, and not if it only stands elsewhere.
func names(changed []setting, old, new Config) []string {
	var out []string
	for _, s := range changed {
		if s.name == "plugin" {
			out = append(out, pluginNames(old.Plugins, new.Plugins)...)
			continue
		}
		out = append(out, s.name)
	}
	return out
}

func pluginNames(old, new []config.Plugin) []string {
	blocks := map[string][2]config.Plugin{}
	for i, plugins := range [][]config.Plugin{old, new} {
		for _, p := range plugins {
			p.Block.Line, p.Block.Column, p.Block.Byte, p.Block.Filename = 0, 0, 0, ""
			pair := blocks[p.Name]
			pair[i] = p
			blocks[p.Name] = pair
		}
	}
	var out []string
	for name, pair := range blocks {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			out = append(out, fmt.Sprintf("plugin %q", name))
		}
	}
	slices.SortFunc(out, cmp.Compare[string])
	return out
}

func (a *App) applyCertificate() error {
	return a.identity.UseCertificate(identity.CertificateFiles(a.config().Certificate))
}

// applyName takes the name to the plugins as well, which tell it to people.
func (a *App) applyName() error {
	err := a.identity.Configured(a.config().Device.Name)
	a.plugins.Refresh()
	return err
}

// applyNames puts the names into the certificate; a request's are looked up.
func (a *App) applyNames() error { return a.identity.RefreshCertificate() }

func (a *App) applyTokens() error {
	policy := tokenPolicy(a.config())
	if err := a.tokens.SetPolicy(policy); err != nil {
		return err
	}
	return a.sessions.SetPolicy(policy)
}

func tokenPolicy(c Config) mesh.TokenPolicy {
	return mesh.TokenPolicy{Lifetime: c.Tokens.Lifetime, RenewWithin: c.Tokens.RenewWithin}
}

func (a *App) applyDiscovery() error {
	c := a.config().Discovery
	a.devices.SetSchedule(devices.Schedule{Interval: c.Interval, Timeout: c.Timeout})
	return nil
}

func (a *App) applyPairing() error {
	a.pairing.SetPolicy(pairingPolicy(a.config()))
	return nil
}

func (a *App) applyLevel() error {
	a.log.SetLevel(hclog.LevelFromString(a.config().Log.Level))
	return nil
}
