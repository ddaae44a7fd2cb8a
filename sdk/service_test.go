package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pluginv1 "github.com/salita-mesh/salita/sdk/internal/wire/salita/plugin/v1"
)

// fixture is a service in this process, with a client to its socket.
type fixture struct {
	t       *testing.T
	service *service
	dir     string
	client  *http.Client
	log     *syncBuffer
	handler *noteHandler // the last that New made
}

type syncBuffer struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	dir, err := os.MkdirTemp("", "sd")
	must(t, err)
	f := &fixture{t: t, dir: dir, log: &syncBuffer{}}
	log := slog.New(slog.NewTextHandler(f.log, nil))
	f.service = newService(define(notes(func(h *noteHandler) { f.handler = h })), log, new(slog.LevelVar))
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", dir+"/"+socketName)
	}}
	f.client = &http.Client{Transport: transport}
	t.Cleanup(func() {
		f.service.stop(time.Second)
		transport.CloseIdleConnections()
		_ = os.RemoveAll(dir)
	})
	return f
}

// configure applies a configuration text.
func (f *fixture) configure(source, revision string) *pluginv1.ConfigureResponse {
	f.t.Helper()
	resp, err := f.service.Configure(context.Background(), &pluginv1.ConfigureRequest{
		Config:      &pluginv1.Config{Filename: "config.hcl", Source: []byte(source), Revision: revision},
		Environment: &pluginv1.Environment{SocketDir: f.dir, DataDir: "/data", LogLevel: "debug"},
	})
	must(f.t, err)
	return resp
}

func (f *fixture) configured(source string) {
	f.t.Helper()
	if resp := f.configure(source, ""); resp.GetHttp().GetNetwork() != "unix" || resp.GetHttp().GetAddress() != f.dir+"/http.sock" {
		f.t.Fatalf("got %v", resp)
	}
}

func (f *fixture) get(path string) (int, string, error) {
	resp, err := f.client.Get("http://plugin" + path)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

func (f *fixture) want(path string, status int, body string) {
	f.t.Helper()
	gotStatus, got, err := f.get(path)
	if err != nil || gotStatus != status || !strings.Contains(got, body) {
		f.t.Errorf("%s: %d %q %v, want %d %q", path, gotStatus, got, err, status, body)
	}
}

func TestServiceServesDeclaredRoutesOnly(t *testing.T) {
	f := newFixture(t)
	f.configured(`text = "one"`)
	f.want("/notes/text", 200, "one")
	for _, path := range []string{"/", "/notes", "/notes/a/b", "/other", "/notes//text", "/notes/../notes/text"} {
		f.want(path, 404, `"code":"not_found"`)
	}
	resp, err := f.client.Post("http://plugin/notes/text", "", strings.NewReader("x"))
	must(t, err)
	must(t, resp.Body.Close())
	if resp.StatusCode != 404 {
		t.Errorf("an undeclared method got %d", resp.StatusCode)
	}
	if f.service.level.Level() != slog.LevelDebug {
		t.Errorf("log level %v", f.service.level.Level())
	}
}

func TestServiceManifest(t *testing.T) {
	f := newFixture(t)
	resp, err := f.service.GetManifest(context.Background(), nil)
	must(t, err)
	m := resp.GetManifest()
	if m.GetName() != "notes" || m.GetTitle() != "Notes" || len(m.GetRoutes()) != 2 || m.GetCapabilities()[0].GetTitle() != "Can keep notes" {
		t.Errorf("got %v", m)
	}
}

func TestManifestOnTheWire(t *testing.T) {
	m := goodManifest()
	for _, alone := range []bool{false, true} {
		m.Alone = alone
		w := manifestToWire(m)
		if slices.Contains(w.GetFeatures(), "alone") != alone || !slices.Contains(w.GetFeatures(), "watch") {
			t.Errorf("alone %v: features %v", alone, w.GetFeatures())
		}
		if !slices.Equal(w.GetPaths(), m.Paths) || w.GetCapabilities()[0].GetRoute() != m.Capabilities[0].Route {
			t.Errorf("got %v", w)
		}
	}
}

func TestServiceNewConfigurationReplacesTheOld(t *testing.T) {
	f := newFixture(t)
	f.configured(`text = "old"`)
	old := f.handler
	answer := make(chan string, 1)
	go func() {
		_, body, _ := f.get("/notes/slow")
		answer <- body
	}()
	<-old.began
	f.configured(`text = "new"`)
	f.want("/notes/text", 200, "new")
	if got := old.history(); got != "cancelled" && got != "" {
		t.Errorf("while its request runs: %q", got)
	}
	close(old.gate)
	if got := <-answer; got != "old" {
		t.Errorf("the request in flight got %q", got)
	}
	f.service.retiring.Wait()
	if got := old.history(); !strings.HasSuffix(got, "answered shutdown") && got != "answered cancelled shutdown" && got != "answered shutdown cancelled" {
		t.Errorf("the old handler's life: %q", got)
	}
}

func TestServiceKeepsTheOldWhenTheNewFails(t *testing.T) {
	f := newFixture(t)
	f.configured(`text = "old"`)
	for source, want := range map[string]string{
		`fail = "error"`: "Full.",
		`fail = "panic"`: "New panicked: new",
		`fail = "nil"`:   "neither a handler nor an error",
		`nonsense = 1`:   "Unsupported argument",
		`text = `:        "Missing expression",
	} {
		resp := f.configure(source, "")
		got := resp.GetFailure().GetMessage() + resp.GetFailure().GetCause()
		for _, d := range resp.GetDiagnostics() {
			got += d.GetSummary()
		}
		if !strings.Contains(got, want) || resp.GetHttp() != nil {
			t.Errorf("%s: %v", source, resp)
		}
		f.want("/notes/text", 200, "old")
	}
	if got := f.handler.history(); got != "" {
		t.Errorf("the old handler was disturbed: %q", got)
	}
}

// TestServiceForgetsAConfigurationThatIsTooLate has a New that returns when the
// gateway does not wait any more: the earlier handler stays in force.
func TestServiceForgetsAConfigurationThatIsTooLate(t *testing.T) {
	f := newFixture(t)
	f.configured(`text = "old"`)
	old := f.handler
	call, giveUp := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, giveUp)
	resp, err := f.service.Configure(call, &pluginv1.ConfigureRequest{
		Config:      &pluginv1.Config{Source: []byte(`fail = "late"`), Revision: "late"},
		Environment: &pluginv1.Environment{SocketDir: f.dir},
	})
	must(t, err)
	if resp.GetHttp() != nil || !strings.Contains(resp.GetFailure().GetCause(), "took too long") {
		t.Errorf("got %v", resp)
	}
	f.want("/notes/text", 200, "old")
	if f.handler == old || !strings.Contains(f.handler.history(), "shutdown") {
		t.Errorf("the late handler's life: %q", f.handler.history())
	}
	if old.history() != "" {
		t.Errorf("the old handler was disturbed: %q", old.history())
	}
	f.configured(`text = "new"`)
	f.want("/notes/text", 200, "new")
}

func TestServiceRepeatedRevisionChangesNothing(t *testing.T) {
	f := newFixture(t)
	f.configure(`text = "one"`, "r1")
	first := f.handler
	if resp := f.configure(`text = "one"`, "r1"); resp.GetHttp() == nil || f.handler != first {
		t.Errorf("got %v", resp)
	}
	f.configure(`text = "two"`, "r2")
	if f.handler == first {
		t.Error("a new revision was not applied")
	}
}

func TestServiceValidatesWithoutEffect(t *testing.T) {
	f := newFixture(t)
	for source, failed := range map[string]bool{`text = "x"`: false, `fail = "error"`: false, `nonsense = 1`: true} {
		resp, err := f.service.ValidateConfig(context.Background(), &pluginv1.ValidateConfigRequest{Config: &pluginv1.Config{Source: []byte(source)}})
		must(t, err)
		if (len(resp.GetDiagnostics()) > 0) != failed {
			t.Errorf("%s: %v", source, resp)
		}
	}
	if f.handler != nil {
		t.Error("New was called")
	}
}

func TestServiceHealth(t *testing.T) {
	f := newFixture(t)
	check := func() *pluginv1.CheckHealthResponse {
		resp, err := f.service.CheckHealth(context.Background(), nil)
		must(t, err)
		return resp
	}
	if got := check(); got.GetStatus() != pluginv1.HealthStatus_HEALTH_STATUS_NOT_SERVING {
		t.Errorf("before the configuration: %v", got)
	}
	f.configured("")
	for _, c := range []struct {
		err    error
		status pluginv1.HealthStatus
		text   string
	}{
		{nil, pluginv1.HealthStatus_HEALTH_STATUS_SERVING, ""},
		{Errorf(NoSpace, "Full."), pluginv1.HealthStatus_HEALTH_STATUS_NOT_SERVING, "Full."},
		{errors.New("plain"), pluginv1.HealthStatus_HEALTH_STATUS_NOT_SERVING, "plain"},
		{errors.New("panic"), pluginv1.HealthStatus_HEALTH_STATUS_NOT_SERVING, "CheckHealth panicked"},
	} {
		f.handler.health = c.err
		got := check()
		if got.GetStatus() != c.status || !strings.Contains(got.GetFailure().GetMessage()+got.GetFailure().GetCause(), c.text) {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

func TestServiceSurvivesPanics(t *testing.T) {
	f := newFixture(t)
	f.configured("")
	r, err := http.NewRequest("GET", "http://plugin/notes/panic", nil)
	must(t, err)
	r.Header.Set(HeaderReference, "7K3QF")
	resp, err := f.client.Do(r)
	must(t, err)
	defer resp.Body.Close()
	var body ErrorBody
	must(t, json.NewDecoder(resp.Body).Decode(&body))
	if resp.StatusCode != 500 || body != (ErrorBody{Error: "Something went wrong", Code: Internal, Reference: "7K3QF"}) {
		t.Errorf("got %d %+v", resp.StatusCode, body)
	}
	for _, text := range []string{"handler panicked", "7K3QF", "on purpose", "ServeHTTP"} {
		if !strings.Contains(f.log.String(), text) {
			t.Errorf("%q is not in the log", text)
		}
	}
	for _, path := range []string{"/notes/panic-late", "/notes/abort"} {
		if status, body, err := f.get(path); err == nil {
			t.Errorf("%s looked whole: %d %q", path, status, body)
		}
	}
	f.want("/notes/text", 200, "")
}

// TestServiceStop walks through the end of a plugin with requests in flight.
func TestServiceStop(t *testing.T) {
	f := newFixture(t)
	f.configured(`text = "last words"`)
	h := f.handler
	results := make(chan string, 2)
	for _, path := range []string{"/notes/slow", "/notes/endless"} {
		go func() {
			status, body, err := f.get(path)
			if err != nil || status != 200 {
				body = "failed"
			}
			results <- path + " " + body
		}()
	}
	<-h.began
	<-h.began
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_, err := f.service.Shutdown(context.Background(), &pluginv1.ShutdownRequest{Grace: durationpb.New(time.Minute)})
		if err != nil {
			t.Error(err)
		}
	}()
	// The endless answer ends because the context that New got does.
	if got := <-results; got != "/notes/endless " {
		t.Errorf("got %q", got)
	}
	close(h.gate)
	if got := <-results; got != "/notes/slow last words" {
		t.Errorf("got %q", got)
	}
	<-stopped
	<-f.service.stopped
	got := strings.Fields(h.history())
	got = slices.DeleteFunc(got, func(s string) bool { return s == "cancelled" }) // its goroutine comes when it likes
	if !slices.Equal(got, []string{"answered", "shutdown"}) {
		t.Errorf("the handler's life: %q", got)
	}
	if _, _, err := f.get("/notes/text"); err == nil {
		t.Error("it still listens")
	}
	if resp := f.configure("", ""); resp.GetFailure() == nil {
		t.Errorf("configured after the end: %v", resp)
	}
}

func TestServiceStopCutsWhatDoesNotEnd(t *testing.T) {
	f := newFixture(t)
	f.configured("")
	h := f.handler
	failed := make(chan error, 1)
	go func() {
		_, _, err := f.get("/notes/stuck")
		failed <- err
	}()
	<-h.began
	f.service.stop(50 * time.Millisecond)
	if err := <-failed; err == nil {
		t.Error("a cut request looked whole")
	}
	if got := h.history(); !strings.Contains(got, "shutdown") {
		t.Errorf("the handler's life: %q", got)
	}
}

func TestServiceBadSocketFolder(t *testing.T) {
	f := newFixture(t)
	for _, dir := range []string{"", "relative", "/no/such/folder"} {
		resp, err := f.service.Configure(context.Background(), &pluginv1.ConfigureRequest{Environment: &pluginv1.Environment{SocketDir: dir}})
		must(t, err)
		if resp.GetFailure() == nil {
			t.Errorf("%q: %v", dir, resp)
		}
		if got := f.handler.history(); !strings.Contains(got, "shutdown") {
			t.Errorf("%q: the handler that was made for nothing was not closed: %q", dir, got)
		}
	}
}

func TestSwapAndStopUnderLoad(t *testing.T) {
	f := newFixture(t)
	f.configured(`text = "x"`)
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for ctx.Err() == nil {
				if status, body, err := f.get("/notes/text"); err != nil || status != 200 || body != "x" {
					t.Errorf("%d %q %v", status, body, err)
					return
				}
			}
		})
	}
	for range 50 {
		f.configured(`text = "x"`)
	}
	cancel()
	work.Wait()
}
