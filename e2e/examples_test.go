package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/salita-mesh/salita/sdk/sdktest"
)

// install puts a program into the gateway's plugin folder.
func (g *gateway) install(program string) {
	g.t.Helper()
	data, err := os.ReadFile(program)
	if err != nil {
		g.t.Fatal(err)
	}
	dir := filepath.Join(g.dir, "plugins")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		g.t.Fatal(err)
	}
	// Under another name first: a half-written program is not to be seen.
	target := filepath.Join(dir, filepath.Base(program))
	if err := os.WriteFile(target+".part", data, 0o700); err != nil {
		g.t.Fatal(err)
	}
	if err := os.Rename(target+".part", target); err != nil {
		g.t.Fatal(err)
	}
}

// pluginState is what salita plugins says about one plugin.
type pluginState struct {
	Name      string `json:"name"`
	State     string `json:"state"`
	Version   string `json:"version"`
	LastError string `json:"last_error"`
}

func (g *gateway) pluginState(name string) pluginState {
	g.t.Helper()
	var all []pluginState
	if err := json.Unmarshal([]byte(g.must("plugins", "--json")), &all); err != nil {
		g.t.Fatal(err)
	}
	for _, p := range all {
		if p.Name == name {
			return p
		}
	}
	return pluginState{Name: name}
}

// awaitPlugin waits until a plugin is in the state.
func (g *gateway) awaitPlugin(name, state string) pluginState {
	g.t.Helper()
	var p pluginState
	g.await("plugin "+name+" is "+state, func() bool {
		p = g.pluginState(name)
		return p.State == state
	})
	return p
}

// ask sends a request as the owner and returns status and body.
func (g *gateway) ask(method, path, body string) (int, string) {
	g.t.Helper()
	req, err := http.NewRequest(method, "http://salita"+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	resp, err := g.owner().Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

const clipboard = "../examples/clipboard-node/salita-plugin-clipboard"

// needNode skips where the example's runtime is missing. scripts/install-test-tools
// installs it for make test.
func needNode(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("Node is not installed here: the example in JavaScript cannot run (scripts/install-test-tools installs it)")
	}
}

// TestPluginInJavaScript runs a plugin that shares no code with the SDK.
func TestPluginInJavaScript(t *testing.T) {
	needNode(t)
	g := newGateway(t, "Desktop")
	g.install(clipboard)
	g.configure("pairing {\n  grant = [\"clipboard:*\"]\n}\nplugin \"clipboard\" {\n  config {\n    limit = 20\n  }\n}\n")
	g.awaitPlugin("clipboard", "running")

	if status, body := g.ask("GET", "/clipboard", ""); status != http.StatusNotFound || !strings.Contains(body, "Nothing has been copied yet.") {
		t.Errorf("before: %d %s", status, body)
	}
	if status, body := g.ask("PUT", "/clipboard", "grüße"); status != http.StatusNoContent {
		t.Errorf("copy: %d %s", status, body)
	}
	phone := g.pairScript(t, "Phone").PeerNode.AccessToken
	if status, body, err := g.with(phone, "GET", "/clipboard", nil); status != http.StatusOK || string(body) != "grüße" {
		t.Errorf("paste: %d %q %v", status, body, err)
	}
	if status, body := g.ask("HEAD", "/clipboard", ""); status != http.StatusOK || body != "" {
		t.Errorf("head: %d %q", status, body)
	}
	if status, body := g.ask("PUT", "/clipboard", strings.Repeat("x", 21)); status != http.StatusRequestEntityTooLarge || !strings.Contains(body, `"too_large"`) {
		t.Errorf("too long: %d %s", status, body)
	}
	var health struct{ Capabilities []string }
	if status, body, _ := g.with(phone, "GET", "/health", nil); status != http.StatusOK || json.Unmarshal(body, &health) != nil || len(health.Capabilities) != 1 {
		t.Errorf("health: %d %s", status, body)
	}

	// A wrong setting is refused, with its line, and nothing changes.
	g.configure("plugin \"clipboard\" {\n  config {\n    limit = \"many\"\n  }\n}\n")
	g.await("the mistake is logged", func() bool { return strings.Contains(g.log.String(), "The limit is a whole number of bytes") })
	if status, body := g.ask("GET", "/clipboard", ""); status != http.StatusOK || body != "grüße" {
		t.Errorf("with a wrong setting in the file: %d %q", status, body)
	}
}

// await waits until something is so.
func (g *gateway) await(what string, so func() bool) {
	g.t.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			g.t.Fatalf("waited in vain: %s", what)
		}
	}
}

// TestVerifyGoodPlugins lets the command judge plugins that are in order, with
// settings and without.
func TestVerifyGoodPlugins(t *testing.T) {
	g := &gateway{t: t, dir: t.TempDir()}
	settings := filepath.Join(g.dir, "settings.hcl")
	if err := os.WriteFile(settings, []byte("library = \"files\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	media := filepath.Join(bin, "plugins", "salita-plugin-media")
	for _, args := range [][]string{{media}, {media, "--config-file", settings}} {
		out := g.must(append([]string{"plugins", "verify"}, args...)...)
		if !strings.Contains(out, "Photos 0.1.0 (media)\n✓ starts") || strings.Contains(out, "✗") {
			t.Errorf("verify %v:\n%s", args, out)
		}
	}
	if err := os.WriteFile(settings, []byte("libary = \"files\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := g.cli("", "plugins", "verify", media, "--config-file", settings); r.code != 1 || !strings.Contains(r.out, "libary") {
		t.Errorf("wrong settings: exit %d\n%s%s", r.code, r.out, r.err)
	}
}

// TestJavaScriptConforms holds the example to the rules for all plugins.
func TestJavaScriptConforms(t *testing.T) {
	needNode(t)
	sdktest.Conformance(t, clipboard, sdktest.CheckOptions{})
}
