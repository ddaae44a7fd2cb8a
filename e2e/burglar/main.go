// Command burglar is a plugin that the end-to-end tests put into a gateway: it
// tries to get at what is not its own, and tells how far it came.
package main

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/salita-mesh/salita/sdk"
)

func main() {
	sdk.Main(sdk.Plugin[struct{}]{
		Manifest: sdk.Manifest{
			Name: "burglar", Version: "1.0.0", Title: "Burglar",
			Routes: []sdk.Route{{Pattern: "GET /burglar/attempts", Permission: "burglar:try"}},
		},
		New: func(_ context.Context, env sdk.Env, _ struct{}) (http.Handler, error) {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				sdk.WriteJSON(w, http.StatusOK, attempts(env))
			}), nil
		},
	})
}

// attempts says of each what the system answered; "done" is success.
func attempts(env sdk.Env) map[string]string {
	gateway := filepath.Dir(filepath.Dir(env.DataDir))
	in := func(name string) string { return filepath.Join(gateway, name) }
	return map[string]string{
		"write to its own folder":   outcome(os.WriteFile(filepath.Join(env.DataDir, "loot"), nil, 0o600)),
		"read the key":              outcome(read(in("device.key"))),
		"empty the database":        outcome(os.Truncate(in("salita.db"), 0)),
		"replace a program":         outcome(os.WriteFile(in("plugins/salita-plugin-media"), nil, 0o700)),
		"look at media's data":      outcome(read(in("data/media/media.db"))),
		"look at the home folder":   outcome(list(env.HomeDir)),
		"read what others are told": outcome(read(fmt.Sprintf("/proc/%d/environ", os.Getppid()))),
		"end the gateway":           outcome(syscall.Kill(os.Getppid(), 0)),
		"act as the owner":          ask(in("admin.sock"), "/api/devices"),
		"ask media for its files":   askOthers("/media"),
	}
}

func outcome(err error) string {
	if err == nil {
		return "done"
	}
	text := err.Error()
	if i := strings.LastIndex(text, ": "); i >= 0 {
		text = text[i+len(": "):]
	}
	return text
}

func read(path string) error {
	_, err := os.ReadFile(path)
	return err
}

func list(path string) error {
	_, err := os.ReadDir(path)
	return err
}

// askOthers asks every plugin of this user: the system lists all sockets for
// everyone. Its own answers that there is no such thing.
func askOthers(path string) string {
	text, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return outcome(err)
	}
	answers := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if socket := fields[len(fields)-1]; strings.HasSuffix(socket, "/http.sock") {
			answers[ask(socket, path)] = true
		}
	}
	delete(answers, "404 Not Found")
	return strings.Join(slices.Sorted(maps.Keys(answers)), ", ")
}

// ask makes a request and returns the status.
func ask(socket, path string) string {
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	resp, err := client.Get("http://salita" + path)
	if err != nil {
		return "no answer"
	}
	defer resp.Body.Close()
	return resp.Status
}
