package sdk_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
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

	"github.com/google/go-cmp/cmp"
	goplugin "github.com/hashicorp/go-plugin"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/control"
)

// patience bounds every wait; nothing is decided by it.
const patience = 20 * time.Second

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// command is the test binary as a plugin, in a folder of its own.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	dir, err := os.MkdirTemp("", "sp")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	self, err := os.Executable()
	must(t, err)
	path := filepath.Join(dir, "salita-plugin-notes")
	must(t, os.Symlink(self, path))
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	cmd.Env = []string{"GORACE=atexit_sleep_ms=0"}
	return cmd
}

func TestStartedByHand(t *testing.T) {
	for _, args := range [][]string{nil, {"--help"}, {"--manifest", "x"}} {
		cmd := command(t, args...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || stdout.Len() > 0 || !strings.Contains(stderr.String(), `plugin "notes" {}`) {
			t.Errorf("%v: %v, %q, %q", args, err, stdout.String(), stderr.String())
		}
	}
}

func TestPrintsManifest(t *testing.T) {
	out, err := command(t, "--manifest").Output()
	must(t, err)
	var got sdk.Manifest
	must(t, json.Unmarshal(out, &got))
	want := sdk.Manifest{
		Name: "notes", Version: "1.0.0", Title: "Notes",
		Capabilities: []sdk.Capability{{ID: "notes", Title: "Can keep notes"}},
		Routes:       []sdk.Route{{Pattern: "GET /notes/{what}", Permission: "notes:read"}, {Pattern: "POST /notes/echo", Permission: "notes:write"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// started is a plugin process up to its handshake, without a gateway that calls.
type started struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr *bytes.Buffer
}

func start(t *testing.T) *started {
	t.Helper()
	cmd := command(t)
	h := control.Handshake()
	cmd.Env = append(cmd.Env, h.MagicCookieKey+"="+h.MagicCookieValue, "PLUGIN_PROTOCOL_VERSIONS=1", "PLUGIN_UNIX_SOCKET_DIR="+cmd.Dir)
	s := &started{cmd: cmd, stderr: &bytes.Buffer{}}
	var err error
	s.stdin, err = cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	s.stdout = bufio.NewReader(stdout)
	cmd.Stderr = s.stderr
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := s.stdout.ReadString('\n')
	must(t, err)
	if !strings.HasPrefix(line, "1|1|unix|"+cmd.Dir) || strings.Count(line, "|") < 5 {
		t.Fatalf("handshake %q", line)
	}
	return s
}

// exits waits for the end and checks the code.
func (s *started) exits(t *testing.T) {
	t.Helper()
	kill := time.AfterFunc(patience, func() { _ = s.cmd.Process.Kill() })
	defer kill.Stop()
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, s.stderr)
	}
}

func TestEndsWithItsGateway(t *testing.T) {
	s := start(t)
	must(t, s.stdin.Close())
	s.exits(t)
}

func TestEndsOnSIGTERM(t *testing.T) {
	s := start(t)
	must(t, s.cmd.Process.Signal(syscall.SIGTERM))
	s.exits(t)
}

func TestIgnoresInterrupts(t *testing.T) {
	s := start(t)
	must(t, s.cmd.Process.Signal(os.Interrupt))
	must(t, s.cmd.Process.Signal(os.Interrupt))
	must(t, s.stdin.Close())
	s.exits(t)
}

// gateway is the smallest one: go-plugin's own runner and typed calls.
type gateway struct {
	*control.Client
	cmd    *exec.Cmd
	stderr *lockedBuffer
	client *goplugin.Client
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// holdStdin gives this process a standard input that stays open: go-plugin's
// own runner passes it on, and for the plugin its end is the gateway's death.
func holdStdin(t *testing.T) {
	t.Helper()
	r, w, err := os.Pipe()
	must(t, err)
	before := os.Stdin
	os.Stdin = r
	t.Cleanup(func() {
		os.Stdin = before
		_ = r.Close()
		_ = w.Close()
	})
}

func connect(t *testing.T) *gateway {
	t.Helper()
	holdStdin(t)
	g := &gateway{cmd: command(t), stderr: &lockedBuffer{}}
	g.cmd.Env = append(g.cmd.Env, "PLUGIN_UNIX_SOCKET_DIR="+g.cmd.Dir)
	g.client = goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  control.Handshake(),
		VersionedPlugins: control.Versions(),
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		Cmd:              g.cmd,
		Stderr:           g.stderr,
		Logger:           hclog.NewNullLogger(),
		StartTimeout:     patience,
	})
	t.Cleanup(g.client.Kill)
	conn, err := g.client.Client()
	must(t, err)
	g.Client, err = control.Dispense(conn)
	must(t, err)
	return g
}

func TestWholeLife(t *testing.T) {
	g := connect(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	m, err := g.Manifest(ctx)
	if err != nil || m.Name != "notes" || m.Validate() != nil {
		t.Fatalf("manifest %+v, %v", m, err)
	}
	var notServing *control.NotServingError
	if err := g.CheckHealth(ctx); !errors.As(err, &notServing) {
		t.Errorf("health before the configuration: %v", err)
	}

	place := control.Position{Line: 7, Column: 3, Byte: 99}
	bad := control.Config{Filename: "config.hcl", Source: []byte("\n  tex = 1"), Start: place}
	var refused *control.ConfigError
	if _, err := g.ValidateConfig(ctx, bad); !errors.As(err, &refused) || refused.Diagnostics[0].Subject.Start.Line != 8 {
		t.Errorf("validate: %v", err)
	}
	env := control.Environment{SocketDir: g.cmd.Dir, DataDir: g.cmd.Dir, LogLevel: "info"}
	if _, _, err := g.Configure(ctx, bad, env); !errors.As(err, &refused) || !strings.HasPrefix(err.Error(), "config.hcl:8,3: Unsupported argument") {
		t.Errorf("configure: %v", err)
	}
	var cannot *control.StartError
	if _, _, err := g.Configure(ctx, control.Config{Source: []byte(`fail = "error"`)}, env); !errors.As(err, &cannot) || cannot.Cause.Kind != sdk.NoSpace {
		t.Errorf("configure: %v", err)
	}
	endpoint, _, err := g.Configure(ctx, control.Config{Source: []byte(`text = "hello"`)}, env)
	must(t, err)
	if err := g.CheckHealth(ctx); err != nil {
		t.Errorf("health: %v", err)
	}
	if got := getOver(t, endpoint, "/notes/text"); got != "hello" {
		t.Errorf("got %q", got)
	}
	if !strings.Contains(g.stderr.String(), "printed by the plugin") {
		t.Errorf("what the plugin printed is lost: %q", g.stderr)
	}

	must(t, g.Shutdown(ctx, time.Second))
	deadline := time.Now().Add(patience)
	for !g.client.Exited() && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if !g.client.Exited() || !g.cmd.ProcessState.Success() {
		t.Errorf("exit: %v", g.cmd.ProcessState)
	}
	if _, err := os.Stat(filepath.Join(g.cmd.Dir, "cancelled")); err != nil {
		t.Errorf("the context of New did not end: %v", err)
	}
}

func getOver(t *testing.T, e control.Endpoint, path string) string {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, e.Network, e.Address)
	}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("http://plugin" + path)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return string(body)
}
