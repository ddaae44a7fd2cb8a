package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
)

// startSalita runs the real gateway with the real media plugin, and pairs with
// it as a script would.
func startSalita(ctx context.Context, s *site) (*target, error) {
	dir, err := s.folder("salita")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf("server {\n  address = %q\n}\ndiscovery {\n  mdns = false\n}\nlog {\n  level = \"warn\"\n}\nplugin \"media\" {}\n", address)
	if err := os.WriteFile(filepath.Join(dir, "config.hcl"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(s.bin, "salita"), "serve", "--data-dir", dir)
	cmd.Dir = dir
	stop, err := s.launch("salita", cmd)
	if err != nil {
		return nil, err
	}
	t := &target{
		about:   "the gateway, which checks a token, and the media plugin as its second process",
		address: address, dialect: mediaDialect{}, stop: stop,
		processes: map[string]*os.Process{"gateway": cmd.Process},
	}
	if err := t.join(ctx, newOwner(dir)); err != nil {
		err = fmt.Errorf("%w\n%s", err, s.logOf("salita"))
		stop()
		return nil, err
	}
	return t, nil
}

// join gets a token and finds the plugin's process.
func (t *target) join(ctx context.Context, o owner) error {
	if err := until(ctx, func() error { return o.call(ctx, "GET", "/livez", nil) }); err != nil {
		return err
	}
	token, err := pairScript(ctx, t, o)
	if err != nil {
		return fmt.Errorf("pair: %w", err)
	}
	t.header = []string{"Authorization: Bearer " + token}
	if err := t.await(ctx); err != nil {
		return err
	}
	plugin, err := childOf(t.processes["gateway"].Pid)
	if err != nil {
		return err
	}
	t.processes["plugin"] = plugin
	return nil
}

// pairScript goes the way of a script that joins: a code from the owner, a
// claim, the number that the owner sees, and the token.
func pairScript(ctx context.Context, t *target, o owner) (string, error) {
	var window struct {
		Code        string
		LinkingCode string `json:"linking_code"`
	}
	if err := o.call(ctx, "POST", "/auth/pair/start", &window); err != nil {
		return "", err
	}
	c, err := dial(ctx, t)
	if err != nil {
		return "", err
	}
	defer c.close()
	claim := map[string]any{"code": window.Code, "linking_code": window.LinkingCode, "name": "bench", "kind": "script"}
	if err := c.post("/auth/pair/claim", claim, nil); err != nil {
		return "", err
	}
	var shown struct{ PIN string }
	if err := o.call(ctx, "GET", "/auth/pair/"+window.Code, &shown); err != nil {
		return "", err
	}
	proof := map[string]any{
		"code": window.Code, "linking_code": window.LinkingCode, "pin": shown.PIN,
		"node_identity": map[string]any{"name": "bench", "hostname": "bench", "capabilities": []string{}, "kind": "script"},
	}
	var paired struct {
		Peer struct {
			Token string `json:"access_token"`
		} `json:"peer_node"`
	}
	if err := c.post("/auth/pair/verify", proof, &paired); err != nil {
		return "", err
	}
	if paired.Peer.Token == "" {
		return "", errors.New("the answer holds no token")
	}
	return paired.Peer.Token, nil
}

// post sends JSON and decodes the answer's.
func (c *client) post(path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r := request{method: "POST", path: path, header: []string{"Content-Type: application/json"}, length: int64(len(body))}
	a, err := c.do(r, bytes.NewReader(body))
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(a.body, out)
}

// owner calls the gateway as its owner, on its private socket.
type owner struct{ http http.Client }

func newOwner(dir string) owner {
	return owner{http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", filepath.Join(dir, "admin.sock"))
		},
	}}}
}

// call decodes the answer's JSON into out; nil: it does not matter.
func (o owner) call(ctx context.Context, method, path string, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://salita"+path, bytes.NewReader(nil))
	if err != nil {
		return err
	}
	resp, err := o.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: status %d: %.200s", method, path, resp.StatusCode, body)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(body, out)
}
