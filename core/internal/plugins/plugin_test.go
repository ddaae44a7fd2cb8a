package plugins

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/salita-mesh/salita/sdk"
)

// runTestPlugin is the plugin that the test binary becomes. Its name chooses
// what is wrong with it: the part before a dash, if there is one.
//
// The files "mode" and "version" in its data folder make it another version of
// itself at its next start.
func runTestPlugin(name string) {
	mode, _, _ := strings.Cut(name, "-")
	mode = fromFile("mode", mode)
	beforeHandshake(mode)
	manifest := sdk.Manifest{
		Name:         name,
		Version:      fromFile("version", "1.2.3"),
		Title:        "Photos",
		Capabilities: []sdk.Capability{{ID: name + ".storage", Title: "Can store media"}},
		Routes: []sdk.Route{
			{Pattern: "GET /" + name + "/{what}", Permission: name + ":read"},
			{Pattern: "POST /" + name + "/{what}", Permission: name + ":upload"},
		},
	}
	spoilManifest(mode, &manifest)
	sdk.Main(sdk.Plugin[testConfig]{Manifest: manifest, New: func(ctx context.Context, env sdk.Env, config testConfig) (http.Handler, error) {
		return newTestHandler(ctx, name, mode, env, config)
	}})
}

// fromFile is what the file in the working folder says, or the usual.
func fromFile(name, usual string) string {
	if text, err := os.ReadFile(name); err == nil {
		return string(text)
	}
	return usual
}

// testConfig is the configuration of the test plugin.
type testConfig struct {
	Library string `hcl:"library,optional"`
	Limit   int    `hcl:"limit,optional"`
	Reads   string `hcl:"reads,optional"`
}

// Validate refuses a value, and a folder that it cannot read.
func (c testConfig) Validate() error {
	if c.Reads != "" {
		if _, err := os.ReadDir(c.Reads); err != nil {
			return err
		}
	}
	if c.Limit < 0 {
		return errors.New("limit must not be negative")
	}
	return nil
}

// junkCertificate is long enough to pass for a certificate.
var junkCertificate = strings.Repeat("QUJD", 40)

// beforeHandshake misbehaves in place of a handshake, or before it.
func beforeHandshake(mode string) {
	dir := os.Getenv("PLUGIN_UNIX_SOCKET_DIR")
	say := func(format string, args ...any) {
		fmt.Printf(format+"\n", args...)
		select {}
	}
	switch mode {
	case "exits":
		fmt.Fprintln(os.Stderr, "no disk in the drive")
		os.Exit(3)
	case "killed":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "hangs":
		fmt.Fprintln(os.Stderr, "still thinking")
		select {}
	case "closes":
		_ = os.Stdout.Close()
		_ = syscall.Close(1)
		select {}
	case "chatty":
		fmt.Println("Welcome to \x1b[31mchatty\x1b[0m!")
	case "garbage":
		for {
			if _, err := os.Stdout.Write(make([]byte, 64<<10)); err != nil {
				select {}
			}
		}
	case "short":
		say("1|1|unix")
	case "oldcore":
		say("9|1|unix|/x|grpc|%s", junkCertificate)
	case "newer":
		say("1|7|unix|/x|grpc|%s", junkCertificate)
	case "netrpc":
		say("1|1|unix|/x|netrpc|%s", junkCertificate)
	case "nocert":
		say("1|1|unix|/x|grpc|")
	case "foreigntcp":
		say("1|1|tcp|%s|grpc|%s", os.Getenv("FOREIGN"), junkCertificate)
	case "foreignunix":
		say("1|1|unix|%s|grpc|%s", os.Getenv("FOREIGN"), junkCertificate)
	case "deadsocket":
		l, _ := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "p"), Net: "unix"})
		l.SetUnlinkOnClose(false)
		_ = l.Close()
		say("1|1|unix|%s|grpc|%s", filepath.Join(dir, "p"), testCertificate())
	case "silent":
		_, _ = net.Listen("unix", filepath.Join(dir, "p"))
		say("1|1|unix|%s|grpc|%s", filepath.Join(dir, "p"), testCertificate())
	case "badlog":
		for _, line := range []string{`{"@message": 1}`, `{"@level": [], "@timestamp": {}}`, `{"salita_log":1,"level":7}`, "\x1b[2Jcleared", strings.Repeat("x", 100<<10)} {
			fmt.Fprintln(os.Stderr, line)
		}
	}
}

// testCertificate parses, so that go-plugin goes on to connect.
func testCertificate() string {
	public, private, _ := ed25519.GenerateKey(rand.Reader)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, _ := x509.CreateCertificate(rand.Reader, template, template, public, private)
	return base64.RawStdEncoding.EncodeToString(der)
}

func spoilManifest(mode string, m *sdk.Manifest) {
	switch mode {
	case "alone":
		m.Alone = true
	case "reads":
		m.Paths = []string{"reads"}
	case "misnamed":
		m.Name = "other"
	case "empty":
		*m = sdk.Manifest{}
	case "escaping":
		m.Routes = append(m.Routes, sdk.Route{Pattern: "GET /api/devices", Permission: m.Name + ":read"})
	case "manyroutes":
		for i := range 300 {
			m.Routes = append(m.Routes, sdk.Route{Pattern: fmt.Sprintf("GET /%s/x/%d", m.Name, i), Permission: m.Name + ":read"})
		}
	case "huge":
		m.Title = strings.Repeat("x", 10<<20)
	case "places":
		m.Paths = []string{"library"}
	case "fickle":
		if fromFile("started", "") == "" {
			m.Paths = []string{"library"}
		}
		_ = os.WriteFile("started", []byte("yes"), 0o600)
	}
}

// testHandler answers GET and POST /<name>/<what>.
type testHandler struct {
	name string
	mode string
	env  sdk.Env
	cfg  testConfig
}

func newTestHandler(ctx context.Context, name, mode string, env sdk.Env, config testConfig) (http.Handler, error) {
	h := &testHandler{name: name, mode: mode, env: env, cfg: config}
	h.note("configured", config.Library)
	if config.Limit == hangLimit {
		select {}
	}
	if config.Limit == fullLimit {
		return nil, sdk.Errorf(sdk.NoSpace, "There isn't enough space.")
	}
	switch mode {
	case "refuses":
		return nil, sdk.Errorf(sdk.NoSpace, "There isn't enough space.").Because(errors.New("disk is full"))
	case "panics":
		panic("no idea")
	case "slowstart":
		<-ctx.Done()
	case "crashes":
		go func() {
			time.Sleep(20 * time.Millisecond)
			panic("crashed on purpose")
		}()
	case "grandchild":
		child := exec.Command(os.Args[0])
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		child.Env = []string{} // without the cookie it is no plugin
		if err := child.Start(); err != nil {
			return nil, err
		}
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
	case "removed":
		go func() {
			time.Sleep(50 * time.Millisecond)
			_ = os.RemoveAll(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"))
		}()
	case "logs":
		env.Logger.Warn("library is empty", "path", "/x y", "count", 3)
		fmt.Println("printed")
		fmt.Fprintln(os.Stderr, "printed to stderr")
	}
	return h, nil
}

// Limits that the handler does not take.
const (
	hangLimit = 1000
	fullLimit = 1001
)

// note adds a line to a file in the data folder.
func (h *testHandler) note(file, line string) {
	f, err := os.OpenFile(filepath.Join(h.env.DataDir, file), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintln(f, line)
}

// runGrandchild outlives its parent and keeps its pipes.
func runGrandchild() {
	time.Sleep(time.Minute)
	os.Exit(0)
}

// CheckHealth fails while the file "sick" is in the data folder, and hangs while
// "hung" is.
func (h *testHandler) CheckHealth(ctx context.Context) error {
	if h.has("hung") {
		<-ctx.Done()
		return nil
	}
	if h.mode == "places" {
		if err := os.WriteFile(filepath.Join(h.cfg.Library, "probe"), nil, 0o600); err != nil {
			return sdk.Errorf(sdk.Offline, "The library can't be reached.").Because(err)
		}
	}
	if h.has("sick") || h.mode == "sick" {
		return sdk.Errorf(sdk.NoSpace, "There isn't enough space.")
	}
	return nil
}

func (h *testHandler) has(name string) bool {
	_, err := os.Stat(filepath.Join(h.env.DataDir, name))
	return err == nil
}

// Shutdown leaves a mark, or never returns.
func (h *testHandler) Shutdown(context.Context) error {
	if h.mode == "stubborn" {
		select {}
	}
	return os.WriteFile(filepath.Join(h.env.DataDir, "shut-down"), nil, 0o600)
}

func (h *testHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch what := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]; what {
	case "pid":
		fmt.Fprint(w, os.Getpid())
	case "zeros":
		_, _ = w.Write(make([]byte, 4<<20))
	case "tell":
		for i := range 3 {
			h.env.Events.Publish(h.name+".told", map[string]int{"n": i})
		}
	case "shout":
		for i := range 5000 {
			h.env.Events.Publish(h.name+".shouted", map[string]int{"n": i})
		}
	case "changed":
		h.env.Events.HealthChanged()
	case "devices":
		devices, err := h.env.Host.Devices(r.Context(), "media.storage")
		if err != nil {
			sdk.WriteError(w, r, h.env.Logger, err)
			return
		}
		sdk.WriteJSON(w, http.StatusOK, devices)
	case "library":
		fmt.Fprint(w, h.cfg.Library)
	case "write":
		fmt.Fprint(w, os.WriteFile(r.URL.Query().Get("path"), nil, 0o600))
	case "read":
		_, err := os.ReadFile(r.URL.Query().Get("path"))
		fmt.Fprint(w, err)
	case "temp":
		f, err := os.CreateTemp("", "")
		fmt.Fprint(w, f.Name(), " ", err)
	case "env":
		sdk.WriteJSON(w, http.StatusOK, map[string]any{"environ": os.Environ(), "env": h.env, "config": h.cfg, "dir": workDir()})
	case "headers":
		w.Header().Set("Set-Cookie", "session=forged")
		w.Header().Set("Salita-Caller-Id", "forged")
		w.Header().Set("Service-Worker-Allowed", "/")
		w.Header().Set("X-Own", "kept")
		sdk.WriteJSON(w, http.StatusOK, r.Header)
	case "echo":
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.Copy(w, r.Body)
	case "slow":
		h.slow(w)
	case "cut":
		fmt.Fprint(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(errors.New("lost my mind"))
	case "panic":
		panic("lost my mind")
	case "die":
		os.Exit(7)
	case "stop":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	case "status":
		w.WriteHeader(799)
	case "bighead":
		w.Header().Set("X-Big", strings.Repeat("x", 128<<10))
	case "stdout":
		_, _ = syscall.Write(1, []byte(strings.Repeat("o", 70<<10)+"\n"))
		slog.Info("wrote to descriptor one")
		fmt.Fprint(w, "done")
	case "flood":
		for i := range 5000 {
			h.env.Logger.Info("flood", "n", i)
		}
	case "upgrade":
		upgrade(w)
	default:
		fmt.Fprintf(w, "hello from %s %s", r.Method, r.URL)
	}
}

func workDir() string {
	dir, _ := os.Getwd()
	return dir
}

// slow says that it began and ends when the file "go" appears.
func (h *testHandler) slow(w http.ResponseWriter) {
	fmt.Fprintln(w, "began")
	_ = http.NewResponseController(w).Flush()
	for !h.has("go") {
		time.Sleep(5 * time.Millisecond)
	}
	fmt.Fprintln(w, "ended")
}

func upgrade(w http.ResponseWriter) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	_ = rw.Flush()
	_, _ = io.Copy(conn, rw)
}

// environment is what /env answers.
type environment struct {
	Environ []string   `json:"environ"`
	Env     sdkEnv     `json:"env"`
	Config  testConfig `json:"config"`
	Dir     string     `json:"dir"`
}

type sdkEnv struct{ DataDir, DeviceName, HomeDir, GatewayVersion string }

func parseEnvironment(body string) (environment, error) {
	var e environment
	err := json.Unmarshal([]byte(body), &e)
	return e, err
}
