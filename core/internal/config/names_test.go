package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestServerNames(t *testing.T) {
	load := func(names string) (Config, error) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "config.hcl"), []byte("server {\n  names = "+names+"\n}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return Load(Options{DataDir: dir, WorkDir: dir, Env: func(string) string { return "" }})
	}
	c, err := load(`["nas.example.org", "nas.lan"]`)
	if err != nil || !slices.Equal(c.Server.Names, []string{"nas.example.org", "nas.lan"}) {
		t.Errorf("names are %v, %v", c.Server.Names, err)
	}
	for _, wrong := range []string{`[""]`, `["https://nas.lan"]`, `["nas.lan:443"]`, `"nas.lan"`, `[7]`} {
		if _, err := load(wrong); err == nil || !strings.Contains(err.Error(), "names") || !strings.Contains(err.Error(), "^") {
			t.Errorf("names = %s: %v", wrong, err)
		}
	}
}
