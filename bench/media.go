package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
)

// mediaDialect is the media plugin's.
type mediaDialect struct{}

var _ dialect = mediaDialect{}

func (mediaDialect) upload(n int64) request {
	return request{method: "POST", path: "/media/upload?filename=bench.bin", header: []string{"Content-Type: application/octet-stream"}, length: n}
}

func (mediaDialect) stored(a answer) (path, sha256 string, err error) {
	var body struct {
		URL   string
		Items []struct{ SHA256 string }
	}
	if err := json.Unmarshal(a.body, &body); err != nil {
		return "", "", err
	}
	if a.status != http.StatusCreated || len(body.Items) != 1 || body.URL == "" {
		return "", "", fmt.Errorf("upload answered %d: %.200s", a.status, a.body)
	}
	return body.URL, body.Items[0].SHA256, nil
}

func (mediaDialect) download(path string) request {
	return request{method: "GET", path: path, length: -1}
}

func (mediaDialect) remove(path string) request {
	return request{method: "DELETE", path: path, length: -1}
}

func (mediaDialect) small(string) request {
	return request{method: "GET", path: "/media?limit=1", length: -1}
}

// startAlone serves the media plugin's handler from one process.
func startAlone(ctx context.Context, s *site) (*target, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	process, stop, err := s.launchAlone(ctx, "alone", "-address", address, "-cert", s.cert.cert, "-key", s.cert.key)
	if err != nil {
		return nil, err
	}
	t := &target{
		about:   "the media plugin's handler in one process, behind crypto/tls and net/http: no gateway, no token, no second process",
		address: address, dialect: mediaDialect{}, stop: stop,
		processes: map[string]*os.Process{"server": process},
	}
	return t, t.await(ctx)
}

// launchAlone runs the media plugin's handler without a gateway.
func (s *site) launchAlone(ctx context.Context, name string, args ...string) (*os.Process, func(), error) {
	program, err := s.goBuild(ctx, ".", "media-alone", "./plugins/media/cmd/alone")
	if err != nil {
		return nil, nil, err
	}
	dir, err := s.folder(name)
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(program, append([]string{"-dir", dir}, args...)...)
	stop, err := s.launch(name, cmd)
	if err != nil {
		return nil, nil, err
	}
	return cmd.Process, stop, nil
}

// startCaddy serves the same handler from a second process, behind Caddy.
func startCaddy(ctx context.Context, s *site) (*target, error) {
	program, err := s.goBuild(ctx, "bench/peers", "caddy", "github.com/caddyserver/caddy/v2/cmd/caddy")
	if err != nil {
		return nil, err
	}
	dir, err := s.folder("caddy")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	socket := filepath.Join(dir, "media.sock")
	backend, stopBackend, err := s.launchAlone(ctx, "behind-caddy", "-socket", socket)
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf("{\n\tadmin off\n\tauto_https off\n\tservers {\n\t\tprotocols h1\n\t}\n}\nhttps://%s {\n\ttls %s %s\n\treverse_proxy unix/%s\n}\n",
		address, s.cert.cert, s.cert.key, socket)
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(program, "run", "--config", "Caddyfile", "--adapter", "caddyfile")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	stopCaddy, err := s.launch("caddy", cmd)
	if err != nil {
		stopBackend()
		return nil, err
	}
	t := &target{
		about:   "Caddy as a reverse proxy before the same handler in a second process, over a unix socket: no token",
		address: address, dialect: mediaDialect{},
		processes: map[string]*os.Process{"proxy": cmd.Process, "server": backend},
		stop:      func() { stopCaddy(); stopBackend() },
	}
	return t, t.await(ctx)
}

// await waits until the target answers small calls, and stops it if it does not.
func (t *target) await(ctx context.Context) error {
	err := until(ctx, func() error {
		c, err := dial(ctx, t)
		if err != nil {
			return err
		}
		defer c.close()
		_, err = c.do(request{method: "GET", path: "/media?limit=1", length: -1}, nil)
		return err
	})
	if err != nil {
		t.stop()
	}
	return err
}
