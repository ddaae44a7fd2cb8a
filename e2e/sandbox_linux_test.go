package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPluginCannotBreakOut lets a plugin try to get at what is not its own, in a
// gateway as people run it.
func TestPluginCannotBreakOut(t *testing.T) {
	g := newGateway(t, "Desktop")
	g.buildPlugin("burglar")
	g.must("plugins", "enable", "burglar")
	g.awaitPlugin("burglar", "running")
	if !strings.Contains(g.log.String(), "plugin confined") {
		t.Skip("this kernel does not restrict files")
	}
	status, body := g.ask("GET", "/burglar/attempts", "")
	var got map[string]string
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 {
		t.Fatalf("status %d, %v: %s", status, err, body)
	}
	const denied = "permission denied"
	want := map[string]string{
		"write to its own folder":   "done",
		"read the key":              denied,
		"empty the database":        denied,
		"replace a program":         denied,
		"look at media's data":      denied,
		"look at the home folder":   denied,
		"read what others are told": denied,
		"end the gateway":           "operation not permitted",
		"act as the owner":          "403 Forbidden",
		"ask media for its files":   "no answer",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	// The user may trust it.
	g.edit(func(text string) string {
		return strings.Replace(text, `plugin "burglar" {`, "plugin \"burglar\" {\n  confine = false\n", 1)
	})
	g.await("it is let out", func() bool {
		_, body := g.ask("GET", "/burglar/attempts", "")
		var got map[string]string
		return json.Unmarshal([]byte(body), &got) == nil && got["read the key"] == "done"
	})
}

// buildPlugin builds a plugin of the tests into the gateway's plugin folder.
func (g *gateway) buildPlugin(name string) {
	g.t.Helper()
	folder := filepath.Join(g.dir, "plugins")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		g.t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", filepath.Join(folder, "salita-plugin-"+name), "./"+name)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		g.t.Fatalf("build: %v\n%s", err, out)
	}
}
