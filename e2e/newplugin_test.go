package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// goIn runs the go command in a folder and returns what it printed.
func goIn(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// TestNewPlugin takes a new plugin from nothing to a capability that the other
// devices see.
func TestNewPlugin(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	source := filepath.Join(t.TempDir(), "dog-walks")
	checkout, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	desktop.must("plugins", "new", "dog-walks", "--dir", source, "--sdk", checkout)

	goIn(t, source, "vet", "./...")
	if out, err := exec.Command("gofmt", "-l", source).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("gofmt: %v %s", err, out)
	}
	goIn(t, source, "test", "./...")
	goIn(t, source, "build", "-o", "built/", ".")
	ignored, err := os.ReadFile(filepath.Join(source, ".gitignore"))
	if err != nil || !strings.Contains(string(ignored), "/salita-plugin-dog-walks") {
		t.Errorf(".gitignore: %v %s", err, ignored)
	}

	desktop.install(filepath.Join(source, "built", "salita-plugin-dog-walks"))
	desktop.awaitPlugin("dog-walks", "found")
	desktop.configure("pairing {\n  grant = [\"dog-walks:*\", \"devices:read\"]\n}\nplugin \"dog-walks\" {\n  config {\n    longest = 10\n  }\n}\n")
	desktop.awaitPlugin("dog-walks", "running")

	phone := desktop.pairScript(t, "Phone").PeerNode.AccessToken
	if status, body, err := desktop.with(phone, "POST", "/dog-walks", strings.NewReader(`{"text": "3 km"}`)); status != http.StatusCreated {
		t.Errorf("add: %d %s %v", status, body, err)
	}
	if status, body, err := desktop.with(phone, "POST", "/dog-walks", strings.NewReader(`{"text": "more than ten"}`)); status != http.StatusBadRequest || !strings.Contains(string(body), "between 1 and 10 characters") {
		t.Errorf("too long: %d %s %v", status, body, err)
	}
	if status, body, err := desktop.with(phone, "GET", "/dog-walks", nil); status != http.StatusOK || !strings.Contains(string(body), `"text":"3 km","from":"Phone"`) {
		t.Errorf("list: %d %s %v", status, body, err)
	}
	pairUp(t, desktop, laptop)
	var health struct{ Capabilities []string }
	if status, body, err := desktop.with(phone, "GET", "/health", nil); status != http.StatusOK || json.Unmarshal(body, &health) != nil || !slices.Equal(health.Capabilities, []string{"dog-walks"}) {
		t.Errorf("health: %d %s %v", status, body, err)
	}
	if list := laptop.deviceList(); len(list) != 1 || !slices.Contains(list[0].Capabilities, "dog-walks") {
		t.Errorf("Laptop sees %+v", list)
	}

	// A new version over the old one, while it runs.
	main := filepath.Join(source, "main.go")
	text, err := os.ReadFile(main)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(main, []byte(strings.Replace(string(text), `"0.1.0"`, `"0.2.0"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	goIn(t, source, "build", "-o", "built/", ".")
	desktop.install(filepath.Join(source, "built", "salita-plugin-dog-walks"))
	desktop.await("the new version runs", func() bool { return desktop.pluginState("dog-walks").Version == "0.2.0" })
	if status, body := desktop.ask("GET", "/dog-walks", ""); status != http.StatusOK || !strings.Contains(body, "3 km") {
		t.Errorf("the new version lists %d %s", status, body)
	}
}
