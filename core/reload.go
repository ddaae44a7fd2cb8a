package core

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/salita-mesh/salita/core/internal/config"
	"github.com/salita-mesh/salita/core/internal/httpapi"
	"github.com/salita-mesh/salita/core/internal/plugins"
	"github.com/salita-mesh/salita/sdk"
)

// reloads keeps the configuration that is in force and what is to be told about
// the one in the file.
type reloads struct {
	source *config.Source

	mu     sync.Mutex     // one reading, edit or reload at a time; guards last
	last   config.Reading // what was looked at last
	config atomic.Pointer[Config]
	status atomic.Pointer[httpapi.ConfigStatus]
}

func newReloads(source *config.Source, first config.Reading) *reloads {
	r := &reloads{source: source, last: first}
	r.config.Store(&first.Config)
	r.status.Store(&httpapi.ConfigStatus{File: first.File})
	return r
}

// config is the configuration in force: that of the start, with what could be
// changed since.
func (a *App) config() Config { return *a.reloads.config.Load() }

// watchConfig applies each change of the file until ctx ends.
func (a *App) watchConfig(ctx context.Context) error {
	a.reloads.mu.Lock()
	last := a.reloads.last
	a.reloads.mu.Unlock()
	return a.reloads.source.Watch(ctx, last, a.log.Named("config"), func(r config.Reading) {
		a.reloads.mu.Lock()
		defer a.reloads.mu.Unlock()
		// What was overtaken by an edit of our own meanwhile is told again.
		if r.SameContent(a.reloads.source.Read()) {
			a.reload(r, false)
		}
	})
}

// Reload reads the configuration again and applies it as an edit would, also if
// nothing changed since: a certificate that could not be read then may be there
// by now. What is wrong is logged.
func (a *App) Reload() {
	a.reloads.mu.Lock()
	defer a.reloads.mu.Unlock()
	a.reload(a.reloads.source.Read(), true)
}

// reload brings the gateway in line with what was read. A reading that is known
// already is passed over unless somebody asks. The caller holds the lock.
func (a *App) reload(r config.Reading, asked bool) {
	if r.Same(a.reloads.last) && !asked {
		return
	}
	mended := a.reloads.status.Load().Error != ""
	a.reloads.last = r
	status := httpapi.ConfigStatus{File: r.File}
	before := a.config()
	live, restart := changes(before, r.Config)
	if r.Err == nil {
		r.Err = a.takeOver(live, r.Config)
	}
	if r.Err != nil {
		status.Error = a.refuse(r)
		status.RestartNeeded = a.reloads.status.Load().RestartNeeded
		a.tellConfig(status)
		return
	}
	if changed := names(live, before, r.Config); len(changed) > 0 || mended || asked {
		a.log.Info("configuration applied", "file", r.File, "changed", strings.Join(changed, ", "))
	}
	status.RestartNeeded = names(restart, before, r.Config)
	if waiting := status.RestartNeeded; len(waiting) > 0 && !slices.Equal(waiting, a.reloads.status.Load().RestartNeeded) {
		a.log.Warn("these settings count from the next start on", "settings", strings.Join(waiting, ", "))
	}
	a.tellConfig(status)
}

// takeOver makes the settings count one after the other. One that fails stays as
// it was, and so do those after it.
func (a *App) takeOver(live []setting, next Config) error {
	before, after := a.config(), a.config()
	after.File = next.File
	for _, s := range live {
		s.value(&after).Set(s.value(&next))
	}
	a.reloads.config.Store(&after)
	for i, s := range live {
		err := s.apply(a)
		if err == nil {
			continue
		}
		partly := after
		for _, s := range live[i:] {
			s.value(&partly).Set(s.value(&before))
		}
		a.reloads.config.Store(&partly)
		return err
	}
	return nil
}

// refuse logs why a configuration is not applied, and returns it for the owner.
func (a *App) refuse(r config.Reading) string {
	var mistake *config.Error
	if !errors.As(r.Err, &mistake) {
		e := sdk.AsError(r.Err)
		a.log.Error("configuration not applied, the one before stays in force", "file", r.File, "error", r.Err)
		return e.Friendly()
	}
	// The text begins with file, line and column.
	a.log.Error("configuration not applied, the one before stays in force", "mistake", mistake.Error())
	return mistake.Error()
}

// tellConfig keeps the state for whoever asks and tells those who watch.
func (a *App) tellConfig(status httpapi.ConfigStatus) {
	a.reloads.status.Store(&status)
	if err := a.events.Publish("config.changed", status); err != nil {
		a.log.Warn("event not published", "error", err)
	}
}

// configAPI is what the owner sees and changes of the configuration.
type configAPI struct{ *App }

var _ httpapi.Config = configAPI{}

// Status tells about the file and what is wrong with it.
func (c configAPI) Status() httpapi.ConfigStatus { return *c.reloads.status.Load() }

// EnablePlugin writes into the file whether the plugin is enabled, and applies
// it. The plugin may need a moment after that.
func (c configAPI) EnablePlugin(name string, enabled bool) error {
	if err := knowsPlugin(c.config(), name); err != nil {
		return err
	}
	if enabled {
		c.awaitProgram(name)
	}
	c.reloads.mu.Lock()
	defer c.reloads.mu.Unlock()
	file, changed, err := c.reloads.source.SetEnabled(name, enabled)
	if changed && err == nil {
		c.log.Info("plugin set in the configuration", "plugin", name, "enabled", enabled, "file", file)
	}
	c.reload(c.reloads.source.Read(), false)
	return err
}

// noticedWithin bounds the wait for a program that has only just been put into
// its folder: the plugin host lets it rest for a moment before it counts.
const noticedWithin = 3 * time.Second

// awaitProgram waits until the plugin host has the program, so that a plugin is
// not said to have none right after somebody put it there.
func (a *App) awaitProgram(name string) {
	late := time.NewTimer(noticedWithin)
	defer late.Stop()
	for plugins.HasProgram(pluginDirs(a.config()), name) {
		changed := a.plugins.Changed()
		listed := func(s plugins.Status) bool { return s.Name == name && s.Path != "" }
		if slices.ContainsFunc(a.plugins.Plugins(), listed) {
			return
		}
		select {
		case <-changed:
		case <-late.C:
			return
		}
	}
}

// EnablePlugin is for a gateway that does not run: it writes into config.hcl
// whether the plugin is enabled from the next start on, and returns the file. A
// mistake in the file is a *ConfigError.
func EnablePlugin(options LoadOptions, name string, enabled bool) (file string, err error) {
	source, err := config.NewSource(options)
	if err != nil {
		return "", err
	}
	r := source.Read()
	if r.Err != nil {
		return r.File, r.Err
	}
	if err := knowsPlugin(r.Config, name); err != nil {
		return r.File, err
	}
	file, _, err = source.SetEnabled(name, enabled)
	return file, err
}

// knowsPlugin fails unless the file or a plugin folder has the plugin.
func knowsPlugin(c Config, name string) error {
	inFile := func(p config.Plugin) bool { return p.Name == name }
	if slices.ContainsFunc(c.Plugins, inFile) || plugins.HasProgram(pluginDirs(c), name) {
		return nil
	}
	return plugins.NoProgram(pluginDirs(c), name)
}
