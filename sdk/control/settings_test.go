package control

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	pluginv1 "github.com/salita-mesh/salita/sdk/internal/wire/salita/plugin/v1"
)

func TestSettingsAsJSON(t *testing.T) {
	for _, c := range []struct{ name, source, want string }{
		{"none", "", `{}`},
		{"comments only", "# library = 1\n", `{}`},
		{"simple values", "a = \"x\"\nb = 1.5\nc = true\nd = null\n", `{"a":"x","b":1.5,"c":true,"d":null}`},
		{"large number", "n = 9007199254740993", `{"n":9007199254740993}`},
		{"lists and objects", `a = ["x", 2]` + "\n" + `o = { k = "v" }`, `{"a":["x",2],"o":{"k":"v"}}`},
		{"blocks", "b {\n  x = 1\n}\nb {}\n", `{"b":[{"x":1},{}]}`},
		{"labels", "b \"k\" \"l\" {\n  x = 1\n}\n", `{"b":[{"k":{"l":{"x":1}}}]}`},
		{"heredoc", "t = <<E\none\ntwo\nE\n", `{"t":"one\ntwo\n"}`},
		{"sum", "n = 60 * 60", `{"n":3600}`},
		{"unknown name", "a = other", ``},
		{"unknown name in a block", "b {\n  a = other\n}\n", ``},
		{"attribute and block", "b = 1\nb {}\n", ``},
		{"function", "a = upper(\"x\")", ``},
		{"endless number", "a = 1e2000000", ``},
		{"syntax", "a = ", ``},
		{"not text", "\xff\x00", ``},
	} {
		got := settingsJSON(Config{Filename: "f", Source: []byte(c.source)})
		if string(got) != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func FuzzSettingsAsJSON(f *testing.F) {
	for _, seed := range []string{"", "a = 1", "b \"l\" {\n x = [1, {}]\n}", "a = \"${b}\"", "a = <<E\nE\n", "a = 1e999999"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		if got := settingsJSON(Config{Source: source}); got != nil && !json.Valid(got) {
			t.Errorf("%q becomes %q", source, got)
		}
	})
}

// TestRemarkByAttribute lets a plugin that read JSON name an attribute: the
// person is shown the line.
func TestRemarkByAttribute(t *testing.T) {
	at := Position{Line: 12, Column: 11, Byte: 200}
	config := Config{Filename: "config.hcl", Source: []byte("\n  limit = -1\n"), Start: at, Revision: "r"}
	f := &fakePlugin{validate: &pluginv1.ValidateConfigResponse{Diagnostics: []*pluginv1.Diagnostic{
		{Severity: pluginv1.Severity_SEVERITY_WARNING, Summary: "A", Attribute: "limit"},
		{Severity: pluginv1.Severity_SEVERITY_WARNING, Summary: "B", Attribute: "nothing"},
		{
			Severity: pluginv1.Severity_SEVERITY_WARNING, Summary: "C", Attribute: "limit",
			Subject: &pluginv1.Range{Filename: "own", Start: &pluginv1.Position{Line: 1}, End: &pluginv1.Position{Line: 2}},
		},
	}}}
	got, err := dial(t, f).ValidateConfig(t.Context(), config)
	must(t, err)
	want := []Diagnostic{
		{Severity: Warning, Summary: "A", Subject: &Range{"config.hcl", Position{13, 3, 203}, Position{13, 13, 213}}},
		{Severity: Warning, Summary: "B"},
		{Severity: Warning, Summary: "C", Subject: &Range{"own", Position{Line: 1}, Position{Line: 2}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := string(configToWire(config).GetJson()); got != `{"limit":-1}` {
		t.Errorf("the plugin reads %s", got)
	}
}
