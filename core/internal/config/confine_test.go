package config

import (
	"os"
	"path/filepath"
	"testing"
)

func TestPluginsAreConfinedUnlessSaid(t *testing.T) {
	dir := t.TempDir()
	text := "plugin \"a\" {}\nplugin \"b\" {\n  confine = true\n}\nplugin \"c\" {\n  confine = false\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "config.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(Options{DataDir: dir, WorkDir: dir, Env: func(string) string { return "" }})
	if err != nil || len(c.Plugins) != 3 {
		t.Fatalf("plugins %+v, %v", c.Plugins, err)
	}
	for i, want := range []bool{false, false, true} {
		if p := c.Plugins[i]; p.Unconfined != want {
			t.Errorf("plugin %s: unconfined %v, want %v", p.Name, p.Unconfined, want)
		}
	}
}
