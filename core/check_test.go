package core

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// checked is a folder with a config.hcl, a data folder and plugins, to be
// checked.
type checked struct {
	t    *testing.T
	dir  string
	data string
}

func newChecked(t *testing.T) *checked {
	t.Helper()
	dir := t.TempDir()
	c := &checked{t: t, dir: dir, data: filepath.Join(dir, "data")}
	if err := os.MkdirAll(filepath.Join(c.data, "plugins"), 0o700); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *checked) write(path, content string, mode os.FileMode) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, path), []byte(content), 0o600); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(c.dir, path), mode); err != nil {
		c.t.Fatal(err)
	}
}

func (c *checked) check() Report {
	c.t.Helper()
	r, err := Check(c.t.Context(), LoadOptions{
		DataDir: c.data, WorkDir: c.dir,
		Env: func(key string) string { return map[string]string{"HOME": c.dir, "USERPROFILE": c.dir}[key] },
	}, io.Discard)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the plugins of this test are shell scripts")
	}
	const plugin = "data/plugins/salita-plugin-x"
	tests := map[string]struct {
		prepare func(c *checked)
		config  bool   // the configuration is to be mended
		about   string // what the first error is about
		line    int    // where it is shown; 0: nowhere
		text    string // part of what is said
	}{
		"misspelt":   {func(c *checked) { c.write("config.hcl", "device {\n  nmae = \"x\"\n}\n", 0o600) }, true, "configuration", 2, "^^^^"},
		"not closed": {func(c *checked) { c.write("config.hcl", "device {", 0o600) }, true, "configuration", 1, "^"},
		"certificate": {func(c *checked) {
			c.write("config.hcl", "certificate {\n  file = \"no.pem\"\n  key = \"no.key\"\n}\n", 0o600)
		}, true, "certificate", 2, "no.pem"},
		"no such plugin": {func(c *checked) { c.write("config.hcl", "\nplugin \"x\" {}\n", 0o600) }, true, "x", 2, "No program salita-plugin-x"},
		"not the pinned": {func(c *checked) {
			c.write(plugin, "#!/bin/sh\n", 0o700)
			c.write("config.hcl", "plugin \"x\" {\n  sha256 = \""+strings.Repeat("ab", 32)+"\"\n}\n", 0o600)
		}, true, "x", 2, "set sha256 = "},
		"not executable": {func(c *checked) {
			c.write(plugin, "#!/bin/sh\n", 0o600)
			c.write("config.hcl", "plugin \"x\" {}\n", 0o600)
		}, false, "x", 0, "chmod +x"},
		"others may change": {func(c *checked) {
			c.write(plugin, "#!/bin/sh\n", 0o777)
			c.write("config.hcl", "plugin \"x\" {}\n", 0o600)
		}, false, "x", 0, "chmod go-w"},
		"ends at once": {func(c *checked) {
			c.write(plugin, "#!/bin/sh\necho no disk >&2\nexit 3\n", 0o700)
			c.write("config.hcl", "plugin \"x\" {}\n", 0o600)
		}, false, "x", 0, "no disk"},
		"no interpreter": {func(c *checked) {
			c.write(plugin, "#!/no/such/shell\n", 0o700)
			c.write("config.hcl", "plugin \"x\" {}\n", 0o600)
		}, false, "x", 0, "isn't installed"},
		"damaged identity": {func(c *checked) { c.write("data/node_identity.json", "{", 0o600) }, false, "data folder", 0, "damaged"},
		"data is a file":   {func(c *checked) { os.RemoveAll(c.data); c.write("data", "", 0o600) }, false, "data folder", 0, "not a folder"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := newChecked(t)
			tt.prepare(c)
			r := c.check()
			if r.OK || r.WrongConfig() != tt.config {
				t.Fatalf("ok %v, wrong configuration %v: %+v", r.OK, r.WrongConfig(), r.Problems)
			}
			p := r.Problems[0]
			if p.About != tt.about || p.Line != tt.line || !strings.Contains(p.String(), tt.text) || p.Severity != SeverityError {
				t.Errorf("said of %s, line %d: %s", p.About, p.Line, p)
			}
		})
	}
}

func TestCheckIsContent(t *testing.T) {
	c := newChecked(t)
	c.write("data/plugins/salita-plugin-x", "#!/bin/sh\n", 0o777) // nobody wants to run it
	c.write("config.hcl", "plugin_dirs = [\"later\"]\nplugin \"y\" {\n  enabled = false\n}\n", 0o600)
	r := c.check()
	if !r.OK || r.WrongConfig() || r.File != filepath.Join(c.dir, "config.hcl") || r.DataDir != c.data {
		t.Errorf("report %+v", r)
	}
	var said []string
	for _, p := range r.Problems {
		said = append(said, p.Severity+" "+p.About)
	}
	if got := strings.Join(said, ", "); got != "warning plugin_dirs, warning x" {
		t.Errorf("said %s", got)
	}
	if len(r.Plugins) != 2 || r.Plugins[0].OK || r.Plugins[0].Enabled || r.Plugins[1].Path != "" {
		t.Errorf("plugins %+v", r.Plugins)
	}
}

func TestCheckNeedsNothingAtAll(t *testing.T) {
	c := newChecked(t)
	if err := os.RemoveAll(c.data); err != nil {
		t.Fatal(err)
	}
	r := c.check()
	out, err := json.Marshal(r)
	if err != nil || !r.OK || strings.Contains(string(out), "null") {
		t.Errorf("%s, %v", out, err)
	}
	if entries, _ := os.ReadDir(c.dir); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}
