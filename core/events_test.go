package core

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/core/internal/plugins"
)

func TestPluginChanges(t *testing.T) {
	known := map[string]pluginEvent{}
	steps := []struct {
		name string
		now  []plugins.Status
		want []pluginEvent
	}{
		{"nothing yet", nil, nil},
		{"one found", []plugins.Status{{Name: "media", Title: "media", State: plugins.Found}}, []pluginEvent{{"media", "media", "found", ""}}},
		{"no change", []plugins.Status{{Name: "media", Title: "media", State: plugins.Found}}, nil},
		{
			"it runs, another fails",
			[]plugins.Status{{Name: "media", Title: "Photos", State: plugins.Running}, {Name: "posts", Title: "posts", State: plugins.Failed, LastError: "No."}},
			[]pluginEvent{{"media", "Photos", "running", ""}, {"posts", "posts", "failed", "No."}},
		},
		{"one is gone", []plugins.Status{{Name: "media", Title: "Photos", State: plugins.Running}}, []pluginEvent{{"posts", "posts", "gone", ""}}},
		{"the other too", nil, []pluginEvent{{"media", "Photos", "gone", ""}}},
	}
	for _, s := range steps {
		if diff := cmp.Diff(s.want, pluginChanges(known, s.now)); diff != "" {
			t.Errorf("%s: %s", s.name, diff)
		}
	}
}
