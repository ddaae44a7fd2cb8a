package plugins

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

func TestPluginRunsAndAnswers(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good", "spare")
	b.start(quick(), enabled("good"))
	capabilities := []sdk.Capability{{ID: "good.storage", Title: "Can store media"}}
	want := []Status{
		{Name: "good", State: Running, Version: "1.2.3", Title: "Photos", Capabilities: capabilities, Path: b.dir + "/salita-plugin-good"},
		{Name: "spare", State: Found, Title: "spare", Path: b.dir + "/salita-plugin-spare"},
	}
	if diff := cmp.Diff(want, b.host.Plugins(), cmpopts.IgnoreFields(Status{}, "Since")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(capabilities, b.host.Capabilities()); diff != "" {
		t.Error(diff)
	}
	if _, text := b.call("GET", "/good/hello?a=b", nil); text != "hello from GET /good/hello?a=b" {
		t.Errorf("got %q", text)
	}
	body := strings.Repeat("0123456789abcdef", 1<<16)
	if _, text := b.call("POST", "/good/echo", strings.NewReader(body)); text != body {
		t.Errorf("echo of %d bytes came back as %d", len(body), len(text))
	}
	match, ok := b.host.Route("HEAD", "/good/x")
	if !ok || match.Plugin != "good" || match.Permission != mesh.Permission("good:read") {
		t.Errorf("got %+v, %v", match, ok)
	}
	for _, path := range []string{"/", "/good", "/good/", "/good/a/b", "/spare/x", "/good/../good/x", "//good/x", "/good/%zz", "/other/x"} {
		if m, ok := b.host.Route("GET", path); ok {
			t.Errorf("%s matched %+v", path, m)
		}
	}
	if n := len(b.processes()); n != 1 {
		t.Errorf("%d processes, the one that is not enabled must not run", n)
	}
}

func TestPluginSeesNothingOfTheHost(t *testing.T) {
	t.Setenv("SALITA_SECRET", "token")
	t.Setenv("LANG", "de_DE.UTF-8")
	b := newBench(t, "good")
	b.start(quick(), []Spec{{
		Name: "good", Enabled: true,
		Env:    []string{"LANG", "PLUGIN_MIN_PORT", "SALITA_PLUGIN", "A=B", ""},
		Config: Block{Source: []byte("library = \"x\"\nlimit = 3"), Line: 1, Column: 1},
	}})
	_, text := b.call("GET", "/good/env", nil)
	got, err := parseEnvironment(text)
	must(t, err)
	var names []string
	for _, kv := range got.Environ {
		name, _, _ := strings.Cut(kv, "=")
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{"LANG", "PLUGIN_CLIENT_CERT", "PLUGIN_MAX_PORT", "PLUGIN_MIN_PORT", "PLUGIN_PROTOCOL_VERSIONS", "PLUGIN_UNIX_SOCKET_DIR", "SALITA_PLUGIN", "TMPDIR"}
	if diff := cmp.Diff(want, slices.Compact(names)); diff != "" {
		t.Errorf("environment: %s", diff)
	}
	data := dataFolder(b.data, "good")
	if diff := cmp.Diff(sdkEnv{DataDir: data, DeviceName: "Study", HomeDir: "/home/owner", GatewayVersion: "9.9"}, got.Env); diff != "" {
		t.Error(diff)
	}
	if got.Dir != data {
		t.Errorf("works in %s", got.Dir)
	}
	if got.Config != (testConfig{Library: "x", Limit: 3}) {
		t.Errorf("config %+v", got.Config)
	}
	info, err := os.Stat(data)
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("data folder has mode %v", info.Mode())
	}
}

func TestCrashIsNoticedAndCured(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	timing := quick()
	timing.BackoffMin, timing.BackoffMax = 400*time.Millisecond, time.Second
	b.start(timing, enabled("good"))
	first := b.pid("good")
	resp, err := b.try(context.Background(), "GET", "/good/slow", nil)
	must(t, err)
	defer resp.Body.Close()

	must(t, syscall.Kill(first, syscall.SIGKILL))
	b.await("good", Backoff)
	if n := len(b.host.Capabilities()); n != 0 {
		t.Errorf("%d capabilities of a dead plugin", n)
	}
	_, err = b.try(context.Background(), "POST", "/good/pid", nil)
	if e := sdk.AsError(err); e.HTTPStatus() != 503 || e.Friendly() != "Photos is restarting" || e.RetryAfter < time.Second {
		t.Errorf("got %v", err)
	}
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("half an answer looked whole")
	}
	b.await("good", Running)
	if second := b.pid("good"); second == first {
		t.Error("same process")
	}
}

func TestRequestInFlightWhenPluginDies(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	b.start(once(), enabled("good"))
	for _, c := range []struct{ method, path string }{{"POST", "/good/die"}, {"GET", "/good/die"}} {
		_, err := b.try(context.Background(), c.method, c.path, strings.NewReader("x"))
		if e := sdk.AsError(err); e.HTTPStatus() != 502 || e.Kind != sdk.PluginUnavailable || e.Friendly() != "Photos is restarting" {
			t.Errorf("got %v, status %d", err, e.HTTPStatus())
		}
		b.await("good", Backoff)
		must(t, b.host.Restart("good"))
		b.await("good", Running)
	}
}

func TestHandlerPanics(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	b.start(quick(), enabled("good"))
	pid := b.pid("good")
	r, err := http.NewRequest("GET", "http://x/good/panic", nil)
	must(t, err)
	r.Header.Set(sdk.HeaderReference, "7K3QF")
	resp, err := b.match("GET", "/good/panic").RoundTrip(r)
	must(t, err)
	defer resp.Body.Close()
	var body sdk.ErrorBody
	must(t, json.NewDecoder(resp.Body).Decode(&body))
	if resp.StatusCode != 500 || body != (sdk.ErrorBody{Error: "Something went wrong", Code: sdk.Internal, Reference: "7K3QF"}) {
		t.Errorf("got %d %+v", resp.StatusCode, body)
	}
	b.awaitLog("lost my mind")
	cut, err := b.try(context.Background(), "GET", "/good/cut", nil)
	must(t, err)
	defer cut.Body.Close()
	if text, err := io.ReadAll(cut.Body); err == nil {
		t.Errorf("a cut answer looked whole: %q", text)
	}
	if b.pid("good") != pid {
		t.Error("the plugin did not survive")
	}
}

func TestHeadersOfForwarding(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	b.start(quick(), enabled("good"))
	r, err := http.NewRequest("GET", "https://gateway:6969/good/headers", nil)
	must(t, err)
	for name, value := range map[string]string{
		"Authorization": "Bearer secret", "Cookie": "session=secret", "Proxy-Authorization": "x",
		"Connection": "X-Private", "X-Private": "1", "X-Kept": "1", "Salita-Caller-Kind": "owner", "Accept-Encoding": "br",
	} {
		r.Header.Set(name, value)
	}
	resp, err := b.match("GET", "/good/headers").RoundTrip(r)
	must(t, err)
	defer resp.Body.Close()
	var arrived http.Header
	must(t, json.NewDecoder(resp.Body).Decode(&arrived))
	want := http.Header{"X-Kept": {"1"}, "Salita-Caller-Kind": {"owner"}, "Accept-Encoding": {"br"}, "User-Agent": arrived["User-Agent"]}
	if arrived["User-Agent"] == nil {
		delete(want, "User-Agent")
	}
	if diff := cmp.Diff(want, arrived); diff != "" {
		t.Errorf("request: %s", diff)
	}
	for _, name := range []string{"Set-Cookie", "Salita-Caller-Id", "Service-Worker-Allowed"} {
		if v := resp.Header.Get(name); v != "" {
			t.Errorf("answer has %s: %s", name, v)
		}
	}
	if resp.Header.Get("X-Own") != "kept" {
		t.Errorf("answer: %v", resp.Header)
	}
}

func TestImpossibleAnswers(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	b.start(quick(), enabled("good"))
	for _, what := range []string{"status", "bighead"} {
		_, err := b.try(context.Background(), "GET", "/good/"+what, nil)
		if e := sdk.AsError(err); e.HTTPStatus() != 502 {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := b.status("good").State; got != Running {
		t.Errorf("state %s", got)
	}
}

func TestUpgradePassesThrough(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	b.start(quick(), enabled("good"))
	r, err := http.NewRequest("GET", "http://x/good/upgrade", nil)
	must(t, err)
	r.Header.Set("Connection", "keep-alive, Upgrade")
	r.Header.Set("Upgrade", "echo")
	resp, err := b.match("GET", "/good/upgrade").RoundTrip(r)
	must(t, err)
	defer resp.Body.Close()
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode != 101 || !ok || resp.Header.Get("Upgrade") != "echo" {
		t.Fatalf("got %d, %T, %v", resp.StatusCode, resp.Body, resp.Header)
	}
	_, err = io.WriteString(conn, "ping")
	must(t, err)
	buf := make([]byte, 4)
	if _, err := io.ReadFull(conn, buf); err != nil || string(buf) != "ping" {
		t.Errorf("got %q, %v", buf, err)
	}
	// One that nobody asked for is refused.
	if _, err := b.try(context.Background(), "GET", "/good/upgrade", nil); sdk.AsError(err).HTTPStatus() != 502 {
		t.Errorf("got %v", err)
	}
}

func TestRequestCap(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	b.start(quick(), enabled("good"), func(o *Options) { o.MaxRequests = 2 })
	var open []*http.Response
	for range 2 {
		resp, err := b.try(context.Background(), "GET", "/good/slow", nil)
		must(t, err)
		open = append(open, resp)
	}
	closed := &closeCounter{Reader: strings.NewReader("x")}
	_, err := b.try(context.Background(), "POST", "/good/echo", closed)
	if e := sdk.AsError(err); e.HTTPStatus() != 503 || e.Friendly() != "Photos is busy. Try again in a moment." {
		t.Errorf("got %v", err)
	}
	if closed.n != 1 {
		t.Errorf("the refused body was closed %d times", closed.n)
	}
	must(t, open[0].Body.Close())
	must(t, open[0].Body.Close()) // twice counts once
	if _, text := b.call("GET", "/good/hello", nil); !strings.HasPrefix(text, "hello") {
		t.Errorf("got %q", text)
	}
	b.touch("good", "go")
	must(t, open[1].Body.Close())
}

type closeCounter struct {
	io.Reader
	n int
}

func (c *closeCounter) Close() error { c.n++; return nil }

func TestCancelledRequest(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	b.start(quick(), enabled("good"))
	reason := errors.New("client went away")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(reason)
	if _, err := b.try(ctx, "GET", "/good/slow", nil); !errors.Is(err, reason) {
		t.Errorf("got %v", err)
	}
}

func TestHostileOutput(t *testing.T) {
	t.Parallel()
	b := newBench(t, "badlog", "logs", "good")
	b.start(quick(), enabled("badlog", "logs", "good"))
	for _, name := range []string{"badlog", "logs", "good"} {
		if got := b.status(name).State; got != Running {
			t.Errorf("%s is %s", name, got)
		}
	}
	b.awaitLog(`plugins.badlog: plugin wrote: text="{\"@message\": 1}"`)
	b.awaitLog(`\x1b[2Jcleared`)
	b.awaitLog("skipped_bytes=")
	b.awaitLog(`[WARN]  plugins.logs: library is empty: path="/x y" count=3`)
	b.awaitLog("plugins.logs: plugin wrote: text=printed\n")
	b.awaitLog(`plugins.logs: plugin wrote: text="printed to stderr"`)
	if strings.ContainsRune(b.log.String(), 0x1b) {
		t.Error("an escape character reached the log")
	}
	if _, text := b.call("GET", "/good/stdout", nil); text != "done" {
		t.Errorf("blocked by its own output: %q", text)
	}
	b.awaitLog("wrote to descriptor one")
	b.call("GET", "/good/flood", nil)
	b.call("GET", "/good/hello", nil)
	b.restart("good")
	b.awaitLog("plugin log lines suppressed: count=")
	if n := strings.Count(b.log.String(), "flood: n="); n > 3*logLinesPerTick {
		t.Errorf("%d lines of a flood", n)
	}
}

func TestBigBodyIsNotBuffered(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	b.start(quick(), enabled("good"))
	const size = 32 << 20
	resp, err := b.try(context.Background(), "POST", "/good/echo", io.LimitReader(zeros{}, size))
	must(t, err)
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if n != size || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestGrandchildIsKilledWithItsParent(t *testing.T) {
	t.Parallel()
	b := newBench(t, "grandchild")
	b.start(once(), enabled("grandchild"))
	b.eventually("parent and child run", func() bool { return len(b.processes()) == 2 })
	must(t, syscall.Kill(b.pid("grandchild"), syscall.SIGKILL))
	b.await("grandchild", Backoff)
	b.eventually("both are gone", func() bool { return len(b.processes()) == 0 })
}

func TestSocketFolderRemoved(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	b.start(quick(), enabled("good"))
	pid := b.pid("good")
	dirs, _ := filepath.Glob(filepath.Join(b.root, runPrefix+"*"))
	for _, d := range dirs {
		must(t, os.RemoveAll(d))
	}
	b.host.board.look().entries["good"].instance.transport.(interface{ CloseIdleConnections() }).CloseIdleConnections()
	_, err := b.try(context.Background(), "POST", "/good/pid", nil)
	if sdk.AsError(err).HTTPStatus() != 502 {
		t.Errorf("got %v", err)
	}
	b.eventually("a new process serves", func() bool {
		running := b.processes()
		return b.status("good").State == Running && len(running) == 1 && running[0] != pid
	})
	if _, text := b.call("GET", "/good/hello", nil); !strings.HasPrefix(text, "hello") {
		t.Errorf("got %q", text)
	}
}
