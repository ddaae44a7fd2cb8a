package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// configState is what the gateway says about its configuration.
type configState struct {
	File          string
	Error         string
	RestartNeeded []string `json:"restart_needed"`
}

// awaitConfig waits until the gateway says of its configuration what is wanted.
func (g *gateway) awaitConfig(what string, wanted func(configState) bool) configState {
	g.t.Helper()
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		var c configState
		if err := g.get("/api/config", &c); err != nil {
			g.t.Fatal(err)
		}
		if wanted(c) {
			return c
		}
		if time.Since(begin) > patience {
			g.t.Fatalf("the configuration is %+v, want %s", c, what)
		}
	}
}

// ownName is the gateway's name for itself.
func (g *gateway) ownName() string {
	g.t.Helper()
	var identity struct{ Name string }
	if err := g.get("/api/node/identity", &identity); err != nil {
		g.t.Fatal(err)
	}
	return identity.Name
}

func (g *gateway) awaitName(name string) {
	g.t.Helper()
	for begin := time.Now(); g.ownName() != name; time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > patience {
			g.t.Fatalf("it is called %q, want %q", g.ownName(), name)
		}
	}
}

// edit changes the gateway's file in place, as some editors do.
func (g *gateway) edit(change func(string) string) {
	g.t.Helper()
	file := filepath.Join(g.dir, "config.hcl")
	data, err := os.ReadFile(file)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(change(string(data))), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// replaced is an edit that puts one text in the place of another.
func replaced(old, new string) func(string) string {
	return func(file string) string { return strings.Replace(file, old, new, 1) }
}

func TestConfigIsAppliedWhileRunning(t *testing.T) {
	g := newGateway(t, "Desktop")
	g.edit(replaced(`"Desktop"`, `"Attic"`))
	g.awaitName("Attic")

	g.edit(replaced(g.address, "127.0.0.1:1"))
	c := g.awaitConfig("a restart needed", func(c configState) bool { return len(c.RestartNeeded) > 0 })
	if c.RestartNeeded[0] != "server.address" || c.File != filepath.Join(g.dir, "config.hcl") {
		t.Errorf("says %+v", c)
	}
	g.awaitLog("server.address", 1)
	if _, err := browserLike().Get("https://" + g.address + "/livez"); err != nil {
		t.Errorf("the old address does not answer any more: %v", err)
	}

	// A wrong edit changes nothing, and says where it is wrong.
	g.edit(replaced(`name = "Attic"`, `nmae = "Cellar"`))
	c = g.awaitConfig("a mistake", func(c configState) bool { return c.Error != "" })
	for _, want := range []string{"config.hcl:2:3", "nmae", "^^^^", `Did you mean "name"?`} {
		if !strings.Contains(c.Error, want) {
			t.Errorf("the error lacks %q: %s", want, c.Error)
		}
	}
	g.awaitLog("configuration not applied", 1)
	g.awaitLog("config.hcl:2:3", 1)
	if name := g.ownName(); name != "Attic" {
		t.Errorf("it is called %q", name)
	}
	if n := strings.Count(g.log.String(), "configuration not applied"); n != 1 {
		t.Errorf("the mistake is logged %d times", n)
	}
	g.edit(replaced(`nmae = "Cellar"`, `name = "Cellar"`))
	g.awaitName("Cellar")
	g.awaitConfig("no mistake", func(c configState) bool { return c.Error == "" })
}

// TestConfigAppears is about a gateway that had no file at first.
func TestConfigAppears(t *testing.T) {
	g := newGateway(t, "Desktop")
	g.stop()
	if err := os.Remove(filepath.Join(g.dir, "config.hcl")); err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	g.startIn(work, "--address", g.address)
	for _, dir := range []string{g.dir, work} { // the one in the working folder comes first
		name := "from " + filepath.Base(dir)
		if err := os.WriteFile(filepath.Join(dir, "config.hcl"), []byte(fmt.Sprintf("device {\n  name = %q\n}\n", name)), 0o600); err != nil {
			t.Fatal(err)
		}
		g.awaitName(name)
	}
	var log struct{ RestartNeeded []string }
	status, body := g.ask(http.MethodGet, "/api/config", "")
	if err := json.Unmarshal([]byte(body), &log); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	if len(log.RestartNeeded) != 0 {
		t.Errorf("--address beats the file, but %s", body)
	}
}
