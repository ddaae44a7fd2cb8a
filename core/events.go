package core

import (
	"context"
	"encoding/json"

	"github.com/salita-mesh/salita/core/internal/plugins"
)

// keptEvents is how many events a watcher may be behind.
const keptEvents = 1024

// pluginEvent is the data of "plugin.changed". A plugin that is gone has the
// state "gone".
type pluginEvent struct {
	Name      string `json:"name"`
	Title     string `json:"title"`
	State     string `json:"state"`
	LastError string `json:"last_error"`
}

// publishedEvent is the data of an event of a plugin's own.
type publishedEvent struct {
	Plugin string          `json:"plugin"`
	Lost   uint64          `json:"lost,omitempty"` // events of the plugin that are missing before this one
	Data   json.RawMessage `json:"data"`
}

// publishForPlugin tells an event of a plugin to whoever watches this device.
func (a *App) publishForPlugin(plugin, name string, data json.RawMessage, lost uint64) {
	if err := a.events.Publish(name, publishedEvent{Plugin: plugin, Lost: lost, Data: data}); err != nil {
		a.log.Warn("event of a plugin not published", "plugin", plugin, "error", err)
	}
}

// tellPluginChanges publishes every change on the plugin host's board until ctx
// ends.
func (a *App) tellPluginChanges(ctx context.Context) error {
	known := map[string]pluginEvent{}
	for {
		changed := a.plugins.Changed()
		for _, e := range pluginChanges(known, a.plugins.Plugins()) {
			if err := a.events.Publish("plugin.changed", e); err != nil {
				a.log.Warn("event not published", "error", err)
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// pluginChanges brings known up to date and returns what is new.
func pluginChanges(known map[string]pluginEvent, now []plugins.Status) []pluginEvent {
	var changes []pluginEvent
	present := make(map[string]bool, len(now))
	for _, s := range now {
		e := pluginEvent{Name: s.Name, Title: s.Title, State: string(s.State), LastError: s.LastError}
		present[s.Name] = true
		if known[s.Name] != e {
			known[s.Name] = e
			changes = append(changes, e)
		}
	}
	for name, e := range known {
		if !present[name] {
			delete(known, name)
			e.State, e.LastError = "gone", ""
			changes = append(changes, e)
		}
	}
	return changes
}
