package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// built is where the programs under test are, once a test has asked for them.
var built string

var buildOnce = sync.OnceValue(func() error {
	dir, err := os.MkdirTemp("", "salita-web-")
	if err != nil {
		return err
	}
	built = dir
	for target, pkg := range map[string]string{
		"salita":                      "./cmd/salita",
		"plugins/salita-plugin-media": "./plugins/media",
	} {
		build := exec.Command("go", "build", "-o", filepath.Join(dir, target), pkg)
		build.Dir = "../.."
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
		}
	}
	return nil
})

func removeBuilt() { os.RemoveAll(built) }

// gateway is the built program, running on a data folder of its own.
type gateway struct {
	t       *testing.T
	dir     string
	library string // where its media plugin keeps files
	base    string // https://host:port
	log     bytes.Buffer
}

func newGateway(t *testing.T, name string) *gateway {
	t.Helper()
	if noBrowser != nil {
		t.Skip(noBrowser)
	}
	if err := buildOnce(); err != nil {
		t.Fatal(err)
	}
	g := &gateway{t: t, dir: filepath.Join(t.TempDir(), "data"), library: filepath.Join(t.TempDir(), "library")}
	address := freeAddress(t)
	g.base = "https://" + address
	if err := os.MkdirAll(g.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("device {\n  name = %q\n}\nserver {\n  address = %q\n}\nplugin \"media\" {\n  config {\n    library = %q\n  }\n}\n", name, address, g.library)
	if err := os.WriteFile(filepath.Join(g.dir, "config.hcl"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	g.start()
	return g
}

func (g *gateway) start() {
	g.t.Helper()
	cmd := exec.Command(filepath.Join(built, "salita"), "serve", "--data-dir", g.dir, "--no-browser")
	cmd.Dir = g.t.TempDir()
	cmd.Stdout, cmd.Stderr = &g.log, &g.log
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	g.t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-exited:
		case <-time.After(patience):
			cmd.Process.Kill()
			<-exited
			g.t.Error("the gateway did not stop")
		}
		if g.t.Failed() {
			g.t.Logf("log:\n%s", g.log.String())
		}
	})
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if resp, err := client.Get(g.base + "/readyz"); err == nil {
			resp.Body.Close()
			return
		}
		select {
		case err := <-exited:
			exited <- err
			g.t.Fatalf("the gateway ended: %v\n%s", err, g.log.String())
		default:
		}
	}
	g.t.Fatal("the gateway did not start")
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// run runs a salita command of the owner's and returns what it printed.
func (g *gateway) run(args ...string) string {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(built, "salita"), append([]string{"--data-dir", g.dir}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		g.t.Fatalf("salita %v: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}

// devices are what the command line tells about the other devices.
func (g *gateway) devices() []struct{ ID, Name, Kind string } {
	g.t.Helper()
	var list []struct{ ID, Name, Kind string }
	if err := json.Unmarshal([]byte(g.run("devices", "--json")), &list); err != nil {
		g.t.Fatal(err)
	}
	return list
}
