package control

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/salita-mesh/salita/sdk"
	pluginv1 "github.com/salita-mesh/salita/sdk/internal/wire/salita/plugin/v1"
)

// fakePlugin answers what a test puts into it and remembers what it was asked.
type fakePlugin struct {
	pluginv1.UnimplementedPluginServer
	manifest  *pluginv1.GetManifestResponse
	validate  *pluginv1.ValidateConfigResponse
	configure *pluginv1.ConfigureResponse
	health    *pluginv1.CheckHealthResponse

	configured *pluginv1.ConfigureRequest
	grace      time.Duration
}

func (f *fakePlugin) GetManifest(context.Context, *pluginv1.GetManifestRequest) (*pluginv1.GetManifestResponse, error) {
	if f.manifest == nil {
		return nil, status.Error(codes.Unavailable, "gone")
	}
	return f.manifest, nil
}

func (f *fakePlugin) ValidateConfig(context.Context, *pluginv1.ValidateConfigRequest) (*pluginv1.ValidateConfigResponse, error) {
	return f.validate, nil
}

func (f *fakePlugin) Configure(_ context.Context, r *pluginv1.ConfigureRequest) (*pluginv1.ConfigureResponse, error) {
	f.configured = r
	return f.configure, nil
}

func (f *fakePlugin) CheckHealth(context.Context, *pluginv1.CheckHealthRequest) (*pluginv1.CheckHealthResponse, error) {
	return f.health, nil
}

func (f *fakePlugin) Shutdown(_ context.Context, r *pluginv1.ShutdownRequest) (*pluginv1.ShutdownResponse, error) {
	f.grace = r.GetGrace().AsDuration()
	return &pluginv1.ShutdownResponse{}, nil
}

// dial serves the fake in memory and returns a client for it.
func dial(t *testing.T, f pluginv1.PluginServer) *Client {
	t.Helper()
	l := bufconn.Listen(1 << 16)
	server := grpc.NewServer()
	pluginv1.RegisterPluginServer(server, f)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	conn, err := grpc.NewClient("passthrough:fake", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	must(t, err)
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		<-done
	})
	return NewClient(conn)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestManifest(t *testing.T) {
	f := &fakePlugin{}
	c := dial(t, f)
	if _, err := c.Manifest(t.Context()); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "get manifest") {
		t.Errorf("got %v", err)
	}
	f.manifest = &pluginv1.GetManifestResponse{Manifest: &pluginv1.Manifest{
		Name: "n", Version: "v", Title: "T",
		Capabilities: []*pluginv1.Capability{{Id: "n.a", Title: "A"}, nil},
		Routes:       []*pluginv1.Route{{Pattern: "GET /n", Permission: "n:r"}},
	}}
	got, err := c.Manifest(t.Context())
	must(t, err)
	want := sdk.Manifest{Name: "n", Version: "v", Title: "T", Capabilities: []sdk.Capability{{ID: "n.a", Title: "A"}, {}}, Routes: []sdk.Route{{Pattern: "GET /n", Permission: "n:r"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	f.manifest = &pluginv1.GetManifestResponse{}
	if got, err := c.Manifest(t.Context()); err != nil || got.Name != "" {
		t.Errorf("an empty answer: %+v, %v", got, err)
	}
}

func TestConfigure(t *testing.T) {
	f := &fakePlugin{configure: &pluginv1.ConfigureResponse{
		Diagnostics: []*pluginv1.Diagnostic{{Severity: pluginv1.Severity_SEVERITY_WARNING, Summary: "old", Subject: &pluginv1.Range{Filename: "f", Start: &pluginv1.Position{Line: 3}}}},
		Http:        &pluginv1.Endpoint{Network: "unix", Address: "/s"},
	}}
	c := dial(t, f)
	config := Config{Filename: "f", Source: []byte("a"), Start: Position{1, 2, 3}, Revision: "r"}
	env := Environment{DataDir: "d", DeviceName: "n", HomeDir: "h", SocketDir: "s", GatewayVersion: "v", LogLevel: "warn", HostSocket: "/h", Features: Features()}
	endpoint, remarks, err := c.Configure(t.Context(), config, env)
	must(t, err)
	if endpoint != (Endpoint{"unix", "/s"}) {
		t.Errorf("endpoint %+v", endpoint)
	}
	want := []Diagnostic{{Severity: Warning, Summary: "old", Subject: &Range{Filename: "f", Start: Position{Line: 3}}}}
	if diff := cmp.Diff(want, remarks); diff != "" {
		t.Error(diff)
	}
	sent, got := f.configured.GetConfig(), f.configured.GetEnvironment()
	if sent.GetFilename() != "f" || string(sent.GetSource()) != "a" || sent.GetStart().GetColumn() != 2 || sent.GetRevision() != "r" {
		t.Errorf("sent %v", sent)
	}
	if got.GetDataDir() != "d" || got.GetDeviceName() != "n" || got.GetHomeDir() != "h" || got.GetSocketDir() != "s" || got.GetGatewayVersion() != "v" || got.GetLogLevel() != "warn" ||
		got.GetHostSocket() != "/h" || len(got.GetFeatures()) != 1 || got.GetFeatures()[0] != "watch" {
		t.Errorf("sent %v", got)
	}
}

func TestConfigureRefusals(t *testing.T) {
	f := &fakePlugin{}
	c := dial(t, f)
	configure := func(resp *pluginv1.ConfigureResponse) error {
		f.configure = resp
		_, _, err := c.Configure(t.Context(), Config{}, Environment{})
		return err
	}
	var config *ConfigError
	for _, severity := range []pluginv1.Severity{pluginv1.Severity_SEVERITY_ERROR, pluginv1.Severity_SEVERITY_UNSPECIFIED, 99} {
		err := configure(&pluginv1.ConfigureResponse{
			Diagnostics: []*pluginv1.Diagnostic{{Severity: severity, Summary: "S"}},
			Http:        &pluginv1.Endpoint{Network: "unix"},
		})
		if !errors.As(err, &config) {
			t.Errorf("severity %v: %v", severity, err)
		}
	}
	var start *StartError
	for kind, want := range map[string]sdk.Kind{"no_space": sdk.NoSpace, "": sdk.Internal, "made_up": sdk.Internal} {
		err := configure(&pluginv1.ConfigureResponse{Failure: &pluginv1.Failure{Kind: kind, Message: "M", Hint: "H", Cause: "C"}})
		if !errors.As(err, &start) || start.Cause.Kind != want || start.Cause.Friendly() != "M" || start.Cause.Hint != "H" || start.Cause.Cause.Error() != "C" {
			t.Errorf("kind %q: %v", kind, err)
		}
	}
	if err := configure(&pluginv1.ConfigureResponse{}); err == nil || !strings.Contains(err.Error(), "no HTTP endpoint") {
		t.Errorf("got %v", err)
	}
	f.validate = &pluginv1.ValidateConfigResponse{Diagnostics: []*pluginv1.Diagnostic{{}}}
	if _, err := c.ValidateConfig(t.Context(), Config{}); !errors.As(err, &config) {
		t.Errorf("got %v", err)
	}
}

func TestCheckHealth(t *testing.T) {
	f := &fakePlugin{}
	c := dial(t, f)
	var no *NotServingError
	for answer, fine := range map[pluginv1.HealthStatus]bool{
		pluginv1.HealthStatus_HEALTH_STATUS_SERVING: true, pluginv1.HealthStatus_HEALTH_STATUS_NOT_SERVING: false,
		pluginv1.HealthStatus_HEALTH_STATUS_UNSPECIFIED: false, 42: false,
	} {
		f.health = &pluginv1.CheckHealthResponse{Status: answer}
		if err := c.CheckHealth(t.Context()); (err == nil) != fine || (!fine && !errors.As(err, &no)) {
			t.Errorf("%v: %v", answer, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.CheckHealth(ctx); err == nil || errors.As(err, &no) && status.Code(err) != codes.Canceled {
		t.Errorf("without an answer: %v", err)
	}
}

func TestShutdown(t *testing.T) {
	f := &fakePlugin{}
	must(t, dial(t, f).Shutdown(t.Context(), 1500*time.Millisecond))
	if f.grace != 1500*time.Millisecond {
		t.Errorf("grace %s", f.grace)
	}
}

func TestConfigErrorText(t *testing.T) {
	err := &ConfigError{Diagnostics: []Diagnostic{
		{Severity: Warning, Summary: "W"},
		{Summary: "S", Detail: "D.", Subject: &Range{Filename: "f.hcl", Start: Position{Line: 2, Column: 3}}},
		{Summary: "T"},
	}}
	if got := err.Error(); got != "f.hcl:2,3: S: D. (and 1 more)" {
		t.Errorf("got %q", got)
	}
}

type oddConn struct{ goplugin.ClientProtocol }

func (oddConn) Dispense(string) (any, error) { return 7, nil }

func TestDispenseRefusesAnythingElse(t *testing.T) {
	if _, err := Dispense(oddConn{}); err == nil {
		t.Error("accepted a number")
	}
}

func TestParseLogLine(t *testing.T) {
	record, ok := ParseLogLine([]byte(`{"salita_log":1,"level":"warn","msg":"m"}`))
	if !ok || record.Message != "m" {
		t.Errorf("got %+v, %v", record, ok)
	}
}
