package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPluginReachesAnotherDevice lets a plugin of one gateway store a file with
// a plugin of another, through both gateways and without ever seeing a token.
func TestPluginReachesAnotherDevice(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	pairUp(t, laptop, desktop)
	desktop.installCourier()
	news := desktop.events()

	file := bytes.Repeat([]byte("courier "), 1<<17) // 1 MiB
	resp, err := desktop.owner().Post("http://salita/capabilities/courier.delivery?filename=letter.bin", "application/octet-stream", bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("delivery: %d %s %v", resp.StatusCode, answer, err)
	}
	if got, err := os.ReadFile(filepath.Join(laptop.library, "letter.bin")); err != nil || !bytes.Equal(got, file) {
		t.Errorf("the laptop holds %d bytes, want %d (%v)", len(got), len(file), err)
	}
	if data := news("courier.delivered"); !strings.Contains(data, `"plugin":"courier"`) || !strings.Contains(data, `"to":"Laptop"`) {
		t.Errorf("event: %s", data)
	}

	laptop.kill()
	resp, err = desktop.owner().Post("http://salita/courier/deliveries?filename=late.bin", "application/octet-stream", bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var refusal struct{ Error, Code string }
	if err := json.NewDecoder(resp.Body).Decode(&refusal); err != nil || refusal.Code != "offline" {
		t.Errorf("to a device that is gone: %d %+v %v", resp.StatusCode, refusal, err)
	}
}

// installCourier builds the test's own plugin and enables it while the gateway
// runs.
func (g *gateway) installCourier() {
	g.t.Helper()
	folder := filepath.Join(g.dir, "plugins")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		g.t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", filepath.Join(folder, "salita-plugin-courier"), "./courier")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		g.t.Fatalf("build: %v\n%s", err, out)
	}
	if err := os.Chmod(filepath.Join(folder, "salita-plugin-courier"), 0o755); err != nil {
		g.t.Fatal(err)
	}
	g.must("plugins", "enable", "courier")
}

// events follows the owner's event stream; what it returns waits for the next
// event of a name and gives its data.
func (g *gateway) events() func(name string) string {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	g.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", "http://salita/api/events", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	client := g.owner()
	client.Timeout = 0
	resp, err := client.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	return func(name string) string {
		g.t.Helper()
		for wanted := false; lines.Scan(); {
			if event, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				wanted = event == name
			}
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && wanted {
				return data
			}
		}
		g.t.Fatalf("no event %s: %v", name, lines.Err())
		return ""
	}
}
