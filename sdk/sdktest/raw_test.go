package sdktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/internal/wire"
	pluginv1 "github.com/salita-mesh/salita/sdk/internal/wire/salita/plugin/v1"
)

func runTestPlugin(name string) int {
	if name == "notes" {
		sdk.Main(notes())
	}
	return runRaw(os.Getenv("MODE"))
}

// raw is a plugin made without the SDK, so that it can break every rule. Without
// a mode it breaks none.
type raw struct {
	pluginv1.UnimplementedPluginServer
	mode string

	mu       sync.Mutex
	revision string
	sockets  int
	server   *http.Server
	endpoint *pluginv1.Endpoint
	lock     string
	broken   bool
	stopped  chan struct{}
	busy     atomic.Int32
}

func rawManifest() sdk.Manifest {
	return sdk.Manifest{
		Name: "raw", Version: "1.0.0", Title: "Raw",
		Routes: []sdk.Route{
			{Pattern: "GET /raw/list", Permission: "raw:read"},
			{Pattern: "GET /raw/items/{id}", Permission: "raw:read"},
			{Pattern: "POST /raw/items", Permission: "raw:write"},
		},
	}
}

func runRaw(mode string) int {
	if os.Getenv(wire.CookieKey) != wire.CookieValue {
		return rawByHand(mode)
	}
	switch mode {
	case "exits":
		fmt.Fprintln(os.Stderr, "no disk in the drive")
		return 3
	case "hangs":
		select {}
	case "early":
		fmt.Println("hello")
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
	}
	r := &raw{mode: mode, stopped: make(chan struct{})}
	real, _ := syscall.Dup(1)
	lifeline := make(chan struct{})
	if mode != "immortal" {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			close(lifeline)
		}()
	}
	go goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: wire.Versions(r),
		Logger:           hclog.NewNullLogger(),
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			if mode == "unknown-call" {
				opts = append(opts, grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return errors.New("what?") }))
			}
			return grpc.NewServer(opts...)
		},
	})
	select {
	case <-lifeline:
	case <-r.stopped:
		time.Sleep(50 * time.Millisecond)
	}
	if mode == "chatty" {
		_, _ = syscall.Write(real, []byte("bye\n"))
	}
	if mode == "exit-code" {
		return 3
	}
	return 0
}

// say writes to the real standard error, which go-plugin has put aside.
func say(format string, args ...any) { _, _ = fmt.Fprintf(stderr(), format, args...) }

func stderr() io.Writer {
	fd, _ := syscall.Dup(2)
	return os.NewFile(uintptr(fd), "stderr")
}

func rawByHand(mode string) int {
	m := rawManifest()
	switch {
	case len(os.Args) == 2 && os.Args[1] == "--manifest":
		if mode == "other-flag" {
			m.Title = "Cooked"
		}
		_ = json.NewEncoder(os.Stdout).Encode(m)
		return 0
	case mode == "mute":
		return 1
	case mode == "friendly":
		fmt.Println("Welcome to a plugin of Salita!")
		return 0
	}
	fmt.Fprintln(os.Stderr, "This is a plugin of Salita.")
	return 1
}

func (r *raw) GetManifest(context.Context, *pluginv1.GetManifestRequest) (*pluginv1.GetManifestResponse, error) {
	m := rawManifest()
	out := &pluginv1.Manifest{Name: m.Name, Version: m.Version, Title: m.Title, Features: []string{"watch"}}
	for _, x := range m.Routes {
		out.Routes = append(out.Routes, &pluginv1.Route{Pattern: x.Pattern, Permission: x.Permission})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mode == "moody" && r.server != nil {
		out.Version = "2.0.0"
	}
	if r.mode == "misnamed" {
		out.Name, out.Routes = "cooked", nil
	}
	return &pluginv1.GetManifestResponse{Manifest: out}, nil
}

// remarks refuses every setting but text.
func (r *raw) remarks(c *pluginv1.Config) []*pluginv1.Diagnostic {
	start := hcl.Pos{Line: int(c.GetStart().GetLine()), Column: int(c.GetStart().GetColumn()), Byte: int(c.GetStart().GetByte())}
	file, diags := hclsyntax.ParseConfig(c.GetSource(), c.GetFilename(), start)
	if diags.HasErrors() {
		return []*pluginv1.Diagnostic{{Summary: diags.Error()}}
	}
	attributes, _ := file.Body.JustAttributes()
	var out []*pluginv1.Diagnostic
	for name, a := range attributes {
		if name == "text" || r.mode == "lenient" {
			continue
		}
		if r.mode == "talkative" {
			say("refused: %s\n", c.GetSource())
		}
		d := &pluginv1.Diagnostic{Severity: pluginv1.Severity_SEVERITY_ERROR, Summary: "Unknown"}
		if r.mode != "placeless" {
			p := a.NameRange.Start
			d.Subject = &pluginv1.Range{Filename: c.GetFilename(), Start: &pluginv1.Position{Line: int64(p.Line), Column: int64(p.Column), Byte: int64(p.Byte)}}
		}
		out = append(out, d)
	}
	return out
}

func (r *raw) ValidateConfig(_ context.Context, req *pluginv1.ValidateConfigRequest) (*pluginv1.ValidateConfigResponse, error) {
	if r.mode == "effective" {
		_ = os.WriteFile("validated", nil, 0o600)
	}
	return &pluginv1.ValidateConfigResponse{Diagnostics: r.remarks(req.GetConfig())}, nil
}

func (r *raw) Configure(_ context.Context, req *pluginv1.ConfigureRequest) (*pluginv1.ConfigureResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	env := req.GetEnvironment()
	switch {
	case r.mode == "needy" && len(env.GetFeatures()) == 0:
		return nil, errors.New("this gateway is too old")
	case r.mode == "strict" && (len(env.GetFeatures()) > 1 || len(req.ProtoReflect().GetUnknown()) > 0):
		return nil, errors.New("this gateway is too new")
	}
	if remarks := r.remarks(req.GetConfig()); len(remarks) > 0 {
		r.broken = r.mode == "forgetful"
		if r.mode == "hasty" {
			r.revision = req.GetConfig().GetRevision()
		}
		if r.mode != "hasty" || r.server == nil || !strings.Contains(os.Getenv("SEEN"), r.revision) {
			_ = os.Setenv("SEEN", r.revision)
			return &pluginv1.ConfigureResponse{Diagnostics: remarks}, nil
		}
	}
	if r.server == nil || (r.mode == "restless") {
		if err := r.open(env.GetSocketDir()); err != nil {
			return &pluginv1.ConfigureResponse{Failure: &pluginv1.Failure{Message: err.Error()}}, nil
		}
	}
	r.revision, r.broken = req.GetConfig().GetRevision(), false
	return &pluginv1.ConfigureResponse{Http: r.endpoint}, nil
}

// open serves HTTP on a new socket.
func (r *raw) open(dir string) error {
	r.sockets++
	path := filepath.Join(dir, fmt.Sprintf("http%d", r.sockets))
	switch r.mode {
	case "outside":
		path = filepath.Join(os.Getenv("TMPDIR"), "http")
	case "tcp":
		if _, err := net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return err
		}
	case "fragile":
		r.lock = "lock"
		f, err := os.OpenFile(r.lock, os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_ = f.Close()
	case "litters":
		if err := os.WriteFile(filepath.Join(os.Getenv("TMPDIR"), "x"), nil, 0o600); err != nil {
			return err
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	r.endpoint = &pluginv1.Endpoint{Network: "unix", Address: path}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: time.Minute}
	switch r.mode {
	case "narrow":
		r.server.MaxHeaderBytes = 4 << 10
	case "nervous":
		active := sync.Map{}
		r.server.ConnState = func(c net.Conn, s http.ConnState) {
			if s == http.StateActive {
				active.Store(c, true)
			}
			if _, ok := active.Load(c); s == http.StateClosed && !ok {
				os.Exit(4)
			}
		}
	}
	go func() { _ = r.server.Serve(l) }()
	return nil
}

func (r *raw) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if r.mode == "talkative" {
		say("request %s\n", req.URL)
	}
	if r.mode == "lonely" {
		defer r.busy.Add(-1)
		if r.busy.Add(1) > 4 {
			panic(http.ErrAbortHandler)
		}
		time.Sleep(10 * time.Millisecond)
	}
	switch {
	case req.URL.Path == "/raw/list" && r.mode == "missing", req.URL.Path == "/raw/list" && r.mode == "crashing":
		status := map[string]int{"missing": http.StatusNotFound, "crashing": http.StatusInternalServerError}[r.mode]
		http.Error(w, "404 page not found", status)
	case req.Method == http.MethodHead && r.mode == "headless":
		http.NotFound(w, req)
	case req.Method == http.MethodHead && r.mode == "wordy":
		conn, _, _ := http.NewResponseController(w).Hijack()
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody")
		_ = conn.Close()
	case req.Method == http.MethodPost && req.URL.Path == "/raw/items":
		if _, err := io.Copy(io.Discard, req.Body); err != nil && r.mode == "touchy" {
			os.Exit(5)
		}
		fmt.Fprint(w, "stored")
	case (req.Method == http.MethodGet || req.Method == http.MethodHead) && (req.URL.Path == "/raw/list" || req.URL.Path == "/raw/items/x"):
		fmt.Fprint(w, "item")
	case r.mode == "open":
		fmt.Fprint(w, "welcome")
	default:
		http.NotFound(w, req)
	}
}

func (r *raw) CheckHealth(context.Context, *pluginv1.CheckHealthRequest) (*pluginv1.CheckHealthResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mode == "eager" || r.server != nil && !r.broken && r.mode != "sick" {
		return &pluginv1.CheckHealthResponse{Status: pluginv1.HealthStatus_HEALTH_STATUS_SERVING}, nil
	}
	return &pluginv1.CheckHealthResponse{Status: pluginv1.HealthStatus_HEALTH_STATUS_NOT_SERVING}, nil
}

func (r *raw) Shutdown(ctx context.Context, _ *pluginv1.ShutdownRequest) (*pluginv1.ShutdownResponse, error) {
	defer close(r.stopped)
	if r.mode == "ruthless" {
		_ = r.server.Close()
	} else if r.server != nil && r.mode != "impatient" {
		_ = r.server.Shutdown(ctx)
	}
	if r.lock != "" {
		_ = os.Remove(r.lock)
	}
	return &pluginv1.ShutdownResponse{}, nil
}

func (r *raw) Watch(_ *pluginv1.WatchRequest, s grpc.ServerStreamingServer[pluginv1.WatchResponse]) error {
	switch r.mode {
	case "brief":
		return nil
	case "mistaken":
		return status.Error(codes.Unimplemented, "no")
	case "wild":
		_ = s.Send(&pluginv1.WatchResponse{Event: &pluginv1.WatchResponse_Published{Published: &pluginv1.Published{Name: "other.done", Data: []byte("1")}}})
	}
	select {
	case <-s.Context().Done():
	case <-r.stopped:
	}
	return nil
}
