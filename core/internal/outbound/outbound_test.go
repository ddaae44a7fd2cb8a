package outbound

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/dataplane"
	"github.com/salita-mesh/salita/core/internal/devices"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fakeDevices is a list that remembers the outcomes it is told.
type fakeDevices struct {
	list     []devices.Device
	mu       sync.Mutex
	outcomes []string
}

func (f *fakeDevices) List() []devices.Device { return f.list }

func (f *fakeDevices) Get(id mesh.DeviceID) (devices.Device, error) {
	for _, d := range f.list {
		if d.ID == id {
			return d, nil
		}
	}
	return devices.Device{}, sdk.Errorf(sdk.NotFound, "Device not recognized")
}

func (f *fakeDevices) Outcome(_ context.Context, id mesh.DeviceID, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.outcomes = append(f.outcomes, fmt.Sprintf("%s %s", id, sdk.KindOf(err)))
}

func (f *fakeDevices) told() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.outcomes, ", ")
}

// caller reaches one other gateway as peer does, but without TLS.
type caller struct {
	transport *dataplane.Transport
	fail      error
}

func (c *caller) Do(req *http.Request, _ mesh.Device) (*http.Response, error) {
	if c.fail != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, c.fail
	}
	req.URL.Scheme, req.URL.Host = "https", "salita"
	return c.transport.RoundTrip(req)
}

func device(id string, kind mesh.Kind, status mesh.Status, capabilities ...string) devices.Device {
	d := devices.Device{
		Device:   mesh.Device{ID: mesh.DeviceID(id), Name: "The " + id, Kind: kind, Capabilities: capabilities},
		Presence: mesh.Presence{Status: status},
	}
	if kind == mesh.KindGateway {
		d.Key[0] = 1
	}
	return d
}

// fixture is a plugin's socket with one other gateway behind it.
type fixture struct {
	devices *fakeDevices
	caller  *caller
	url     string
	client  *http.Client
}

func newFixture(t *testing.T, max int, remote http.HandlerFunc) *fixture {
	t.Helper()
	there := httptest.NewServer(remote)
	t.Cleanup(there.Close)
	f := &fixture{
		devices: &fakeDevices{list: []devices.Device{
			device("nas", mesh.KindGateway, mesh.StatusAvailable, "media.storage", "posts"),
			device("old", mesh.KindGateway, mesh.StatusOffline, "media.storage"),
			device("phone", mesh.KindBrowser, mesh.StatusAvailable),
		}},
		caller: &caller{transport: dataplane.New(func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", there.Listener.Addr().String())
		}, dataplane.Options{})},
	}
	t.Cleanup(func() { _ = f.caller.transport.Close() })
	here := httptest.NewServer(New(Options{Devices: f.devices, Caller: f.caller, Log: hclog.NewNullLogger(), MaxRequests: max})("hello"))
	t.Cleanup(here.Close)
	f.url, f.client = here.URL, here.Client()
	return f
}

func (f *fixture) do(t *testing.T, method, path string, body io.Reader, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, f.url+path, body)
	must(t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := f.client.Do(req)
	must(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func text(t *testing.T, resp *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return string(body)
}

func nobody(t *testing.T) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s %s was passed on", r.Method, r.URL) }
}

func TestList(t *testing.T) {
	f := newFixture(t, 0, nobody(t))
	list := func(query string) []sdk.Device {
		var answer struct {
			Devices []sdk.Device `json:"devices"`
		}
		must(t, json.NewDecoder(f.do(t, "GET", "/devices"+query, nil).Body).Decode(&answer))
		return answer.Devices
	}
	nas := sdk.Device{ID: "nas", Name: "The nas", Kind: "gateway", Capabilities: []string{"media.storage", "posts"}, Available: true}
	old := sdk.Device{ID: "old", Name: "The old", Kind: "gateway", Capabilities: []string{"media.storage"}}
	phone := sdk.Device{ID: "phone", Name: "The phone", Kind: "browser", Capabilities: []string{}, Available: true}
	for query, want := range map[string][]sdk.Device{
		"":                          {nas, phone, old},
		"?capability=media.storage": {nas, old},
		"?capability=posts":         {nas},
		"?capability=none":          {},
	} {
		if diff := cmp.Diff(want, list(query)); diff != "" {
			t.Errorf("%q: %s", query, diff)
		}
	}
	if resp := f.do(t, "DELETE", "/devices", nil); resp.StatusCode != 404 || resp.Header.Get(sdk.HeaderError) != "not_found" {
		t.Errorf("DELETE: %d", resp.StatusCode)
	}
}

func TestForward(t *testing.T) {
	var got *http.Request
	f := newFixture(t, 0, func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("Salita-Error", "offline")
		w.Header().Set("Salita-Token-Expires", "2030-01-01T00:00:00Z")
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("Connection", "X-Hop")
		w.Header().Set("X-Hop", "1")
		w.Header().Set("X-Own", "kept")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.Copy(w, r.Body)
	})
	resp := f.do(t, "PUT", "/devices/nas/media/a%2Fb?q=%20", strings.NewReader("body"),
		"Authorization", "Bearer x", "Cookie", "a=b", "Salita-Caller-Kind", "owner", "X-Forwarded-For", "1.2.3.4",
		"Connection", "X-Private", "X-Private", "1", "Te", "trailers", "X-Mine", "kept", "Range", "bytes=0-1")
	if body := text(t, resp); resp.StatusCode != http.StatusTeapot || body != "body" || resp.Header.Get("X-Own") != "kept" {
		t.Errorf("%d %q %v", resp.StatusCode, body, resp.Header)
	}
	if got.Method != "PUT" || got.RequestURI != "/media/a%2Fb?q=%20" || got.Host != "salita" || got.Header.Get("X-Mine") != "kept" || got.Header.Get("Range") == "" {
		t.Errorf("%s %s %s %v", got.Method, got.RequestURI, got.Host, got.Header)
	}
	for _, name := range []string{"Authorization", "Cookie", "Salita-Caller-Kind", "X-Forwarded-For", "X-Private", "Te", "Connection"} {
		if v, ok := got.Header[name]; ok {
			t.Errorf("the device is sent %s: %v", name, v)
		}
	}
	for _, name := range []string{"Salita-Error", "Salita-Token-Expires", "Set-Cookie", "X-Hop"} {
		if v, ok := resp.Header[name]; ok {
			t.Errorf("the plugin is sent %s: %v", name, v)
		}
	}
	if f.devices.told() != "nas " {
		t.Errorf("outcomes %q", f.devices.told())
	}
}

func TestForwardFailures(t *testing.T) {
	f := newFixture(t, 0, nobody(t))
	f.devices.list = append(f.devices.list, devices.Device{Device: mesh.Device{ID: "lost", Name: "The lost", Kind: mesh.KindGateway}})
	offline := sdk.Errorf(sdk.Offline, "The nas is offline.").Because(errors.New("no route"))
	for _, c := range []struct {
		path    string
		fail    error
		status  int
		code    sdk.Kind
		outcome string
	}{
		{"/devices/none/media", nil, 404, sdk.NotFound, ""},
		{"/devices/phone/media", nil, 415, sdk.Unsupported, ""},
		{"/devices/lost/media", nil, 401, sdk.NeedsRepair, ""},
		{"/devices/nas/api/devices", nil, 403, sdk.Forbidden, ""},
		{"/devices/nas/media", offline, 503, sdk.Offline, "nas offline"},
		{"/devices/nas/media", sdk.Errorf(sdk.NeedsRepair, "x"), 401, sdk.NeedsRepair, "nas needs_repair"},
		{"/devices/nas/media", offline.Because(dataplane.ErrRequestBody), 400, sdk.Invalid, ""},
		{"/devices/nas/media", offline.Because(dataplane.ErrBusy), 429, sdk.RateLimited, ""},
		{"/devices/nas/media", errors.New("token table on fire"), 500, sdk.Internal, "nas internal"},
		{"/nonsense", nil, 404, sdk.NotFound, ""},
	} {
		f.caller.fail = c.fail
		f.devices.outcomes = nil
		for _, body := range []io.Reader{nil, strings.NewReader("body")} {
			resp := f.do(t, "POST", c.path, body)
			var answer sdk.ErrorBody
			must(t, json.NewDecoder(resp.Body).Decode(&answer))
			if resp.StatusCode != c.status || answer.Code != c.code || answer.Error == "" || answer.Reference == "" || resp.Header.Get(sdk.HeaderError) != string(c.code) {
				t.Errorf("%s %v: %d %+v", c.path, c.fail, resp.StatusCode, answer)
			}
			if strings.Contains(answer.Error, "fire") || strings.Contains(answer.Error, "route") {
				t.Errorf("a cause is shown: %+v", answer)
			}
		}
		if want := strings.TrimPrefix(strings.Repeat(", "+c.outcome, 2), ", "); c.outcome != "" && f.devices.told() != want || c.outcome == "" && f.devices.told() != "" {
			t.Errorf("%s %v: outcomes %q", c.path, c.fail, f.devices.told())
		}
	}
}

func TestForwardStreamsBothWays(t *testing.T) {
	f := newFixture(t, 0, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		_ = rc.EnableFullDuplex()
		w.WriteHeader(http.StatusOK)
		_ = rc.Flush()
		for lines := bufio.NewScanner(r.Body); lines.Scan(); {
			fmt.Fprintln(w, "echo", lines.Text())
			_ = rc.Flush()
		}
	})
	r, w := io.Pipe()
	resp := f.do(t, "POST", "/devices/nas/media", r)
	lines := bufio.NewReader(resp.Body)
	for _, word := range []string{"one", "two"} {
		fmt.Fprintln(w, word)
		if got, err := lines.ReadString('\n'); err != nil || got != "echo "+word+"\n" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	must(t, w.Close())
	if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestForwardFile(t *testing.T) {
	content := strings.Repeat("0123456789", 100<<10)
	f := newFixture(t, 0, func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "x", time.Time{}, strings.NewReader(content))
	})
	resp := f.do(t, "GET", "/devices/nas/media/x", nil)
	if body := text(t, resp); body != content || resp.ContentLength != int64(len(content)) {
		t.Errorf("%d of %d bytes", len(body), resp.ContentLength)
	}
	if resp := f.do(t, "GET", "/devices/nas/media/x", nil, "Range", "bytes=5-7"); resp.StatusCode != 206 || text(t, resp) != "567" {
		t.Errorf("range: %d", resp.StatusCode)
	}
	if resp := f.do(t, "HEAD", "/devices/nas/media/x", nil); resp.ContentLength != int64(len(content)) || text(t, resp) != "" {
		t.Errorf("head: %d", resp.ContentLength)
	}
}

// TestForwardEarlyAnswer is a device that refuses an upload at its beginning.
func TestForwardEarlyAnswer(t *testing.T) {
	f := newFixture(t, 0, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	})
	r, w := io.Pipe()
	defer w.Close()
	go func() { _, _ = io.Copy(w, io.LimitReader(endless{}, 1<<20)) }() // and then silence
	resp := f.do(t, "POST", "/devices/nas/media", r)
	if body := text(t, resp); resp.StatusCode != 413 || body != "too large\n" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	// The plugin's next request is not taken for the rest of that one.
	if resp := f.do(t, "GET", "/devices/nas/media", nil); resp.StatusCode != 413 {
		t.Errorf("%d", resp.StatusCode)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestForwardCutAnswerIsCut(t *testing.T) {
	for _, declared := range []string{"", "100"} {
		f := newFixture(t, 0, func(w http.ResponseWriter, _ *http.Request) {
			if declared != "" {
				w.Header().Set("Content-Length", declared)
			}
			fmt.Fprint(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
		resp, err := f.client.Get(f.url + "/devices/nas/media")
		if err != nil {
			continue // cut before anything of it was sent
		}
		if body, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("half an answer looked whole: %q", body)
		}
		_ = resp.Body.Close()
	}
}

func TestForwardEndsWithThePlugin(t *testing.T) {
	ended := make(chan struct{})
	f := newFixture(t, 0, func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", f.url+"/devices/nas/media", nil)
	must(t, err)
	resp, err := f.client.Do(req)
	must(t, err)
	defer resp.Body.Close()
	cancel()
	<-ended
}

func TestManyRequestsAtOnce(t *testing.T) {
	const most = 2
	began, gate := make(chan struct{}), make(chan struct{})
	f := newFixture(t, most, func(w http.ResponseWriter, _ *http.Request) {
		began <- struct{}{}
		<-gate
	})
	var work sync.WaitGroup
	for range most {
		work.Go(func() {
			resp, err := f.client.Get(f.url + "/devices/nas/media")
			if err != nil {
				t.Error(err)
				return
			}
			_ = resp.Body.Close()
		})
		<-began
	}
	if resp := f.do(t, "GET", "/devices", nil); resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" || resp.Header.Get(sdk.HeaderError) != "rate_limited" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	close(gate)
	work.Wait()
	if resp := f.do(t, "GET", "/devices", nil); resp.StatusCode != 200 {
		t.Errorf("%d", resp.StatusCode)
	}
}
