package sdktest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/control"
)

// both runs the test with the same plugin inside the test and as a process.
func both(t *testing.T, o Options, f func(t *testing.T, i *Instance)) {
	t.Run("inside", func(t *testing.T) { f(t, Start(t, notes(), o)) })
	t.Run("process", func(t *testing.T) {
		o.Env = []string{"GORACE=atexit_sleep_ms=0"}
		f(t, StartProgram(t, program(t, "notes"), o))
	})
}

func ask(t *testing.T, c *http.Client, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, "http://plugin"+path, strings.NewReader(body))
	must(t, err)
	req.Header.Set("Authorization", "Bearer secret")
	req.Header.Set(sdk.HeaderCallerID, "forged")
	resp, err := c.Do(req)
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(text)
}

func want(t *testing.T, c *http.Client, method, path, body string, status int, text string) {
	t.Helper()
	if got, answer := ask(t, c, method, path, body); got != status || !strings.Contains(answer, text) {
		t.Errorf("%s %s: %d %q, want %d %q", method, path, got, answer, status, text)
	}
}

func TestInstance(t *testing.T) {
	both(t, Options{Config: `greeting = "dear "`, DeviceName: "NAS"}, func(t *testing.T, i *Instance) {
		c := i.Client()
		want(t, c, "GET", "/notes", "", 404, "There is no note yet.")
		want(t, c, "PUT", "/notes", "diary", 204, "")
		want(t, c, "GET", "/notes", "", 200, "dear diary")
		want(t, c, "GET", "/undeclared", "", 404, "not_found")
		if e := i.Event(); e.Published == nil || e.Published.Name != "notes.kept" || string(e.Published.Data) != `{"bytes":5}` {
			t.Errorf("event %+v", e)
		}
		if i.Manifest().Name != "notes" || !i.Logged("ready") || !i.Logged("NAS") || i.Logged("nothing of the kind") {
			t.Errorf("manifest %+v, log %+v", i.Manifest(), i.Logs())
		}
		if text, err := os.ReadFile(filepath.Join(i.DataDir(), "note")); string(text) != "diary" {
			t.Errorf("%q, %v", text, err)
		}
	})
}

func TestInstanceCallers(t *testing.T) {
	both(t, Options{}, func(t *testing.T, i *Instance) {
		for _, who := range []sdk.CallerInfo{{Name: "Owner", Owner: true}, {DeviceID: "phone", Name: "Größe & Söhne"}} {
			_, body := ask(t, i.As(who), "GET", "/notes/caller", "")
			var got sdk.CallerInfo
			must(t, json.Unmarshal([]byte(body), &got))
			if diff := cmp.Diff(who, got); diff != "" {
				t.Error(diff)
			}
		}
	})
}

func TestInstanceConfigurations(t *testing.T) {
	both(t, Options{Config: `greeting = "one "`}, func(t *testing.T, i *Instance) {
		c := i.Client()
		want(t, c, "PUT", "/notes", "x", 204, "")
		must(t, i.Configure(`greeting = "two "`))
		want(t, c, "GET", "/notes", "", 200, "two x")
		var refused *control.ConfigError
		for _, text := range []string{`greeting = "rude"`, `nonsense = 1`, `greeting = `} {
			if err := i.Configure(text); !errors.As(err, &refused) {
				t.Errorf("%s: %v", text, err)
			}
			if err := i.Validate(text); !errors.As(err, &refused) {
				t.Errorf("%s: %v", text, err)
			}
		}
		must(t, i.Validate(`greeting = "three "`))
		var cannot *control.StartError
		if err := i.Configure(`greeting = "none"`); !errors.As(err, &cannot) || cannot.Cause.Kind != sdk.NoSpace {
			t.Errorf("got %v", err)
		}
		want(t, c, "GET", "/notes", "", 200, "two x")
	})
}

func TestInstanceHealth(t *testing.T) {
	both(t, Options{}, func(t *testing.T, i *Instance) {
		must(t, i.Health())
		want(t, i.Client(), "POST", "/notes/sick", "", 200, "")
		if e := i.Event(); !e.HealthChanged {
			t.Errorf("event %+v", e)
		}
		var no *control.NotServingError
		if err := i.Health(); !errors.As(err, &no) || no.Cause.Kind != sdk.NoSpace {
			t.Errorf("got %v", err)
		}
	})
}

func TestInstanceRestarts(t *testing.T) {
	both(t, Options{}, func(t *testing.T, i *Instance) {
		want(t, i.Client(), "PUT", "/notes", "kept", 204, "")
		i.Event()
		i.Restart()
		want(t, i.Client(), "GET", "/notes", "", 200, "kept")
		i.Stop()
		i.Restart()
		want(t, i.Client(), "PUT", "/notes", "again", 204, "")
		if e := i.Event(); e.Published == nil {
			t.Errorf("event %+v", e)
		}
	})
}

func TestInstanceKill(t *testing.T) {
	i := StartProgram(t, program(t, "notes"), Options{})
	want(t, i.Client(), "PUT", "/notes", "kept", 204, "")
	i.Kill()
	i.Restart()
	want(t, i.Client(), "GET", "/notes", "", 200, "kept")
}

func TestInstanceDevices(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	laptop := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		who := sdk.Caller(r)
		seen = append(seen, r.Method+" "+r.URL.Path+" from "+who.DeviceID+" "+who.Name)
		w.Header().Set(sdk.HeaderError, "forged")
		_, _ = io.WriteString(w, "a note of the laptop")
	})
	o := Options{Devices: []Device{
		{Device: sdk.Device{ID: "off", Name: "Phone", Capabilities: []string{"notes"}}},
		{Device: sdk.Device{ID: "tv", Name: "TV", Available: true}},
		{Device: sdk.Device{ID: "l1", Name: "Laptop", Capabilities: []string{"notes"}, Available: true}, Handler: laptop},
	}}
	both(t, o, func(t *testing.T, i *Instance) {
		seen = nil
		want(t, i.Client(), "GET", "/notes/from/Laptop", "", 200, "a note of the laptop")
		want(t, i.Client(), "GET", "/notes/from/Phone", "", 503, "Phone is offline.")
		want(t, i.Client(), "GET", "/notes/from/TV", "", 404, "No such device.")
		if diff := cmp.Diff([]string{"GET /notes from this-device Test device"}, seen); diff != "" {
			t.Error(diff)
		}
	})
}

// failing is a test that is expected to fail.
type failing struct {
	testing.TB
	mu     sync.Mutex
	failed []string
	clean  []func()
}

func (f *failing) Helper() {}

func (f *failing) Cleanup(g func()) { f.clean = append(f.clean, g) }

func (f *failing) note(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed = append(f.failed, text)
}

// run reports what a test says that runs f, clean-up included.
func run(t *testing.T, f func(t testing.TB)) string {
	inner := &failing{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(inner)
	}()
	<-done
	for i := len(inner.clean) - 1; i >= 0; i-- {
		inner.clean[i]()
	}
	return strings.Join(inner.failed, "\n")
}

func (f *failing) Errorf(format string, args ...any) { f.note(fmt.Sprintf(format, args...)) }

func (f *failing) Error(args ...any) { f.note(fmt.Sprint(args...)) }

func (f *failing) Fatalf(format string, args ...any) {
	f.note(fmt.Sprintf(format, args...))
	runtime.Goexit()
}

func (f *failing) Fatal(args ...any) {
	f.note(fmt.Sprint(args...))
	runtime.Goexit()
}

// TestInstanceFailures makes sure that what goes wrong fails the author's test.
func TestInstanceFailures(t *testing.T) {
	raw := program(t, "raw")
	for _, c := range []struct {
		name string
		f    func(t testing.TB)
		want string
	}{
		{"no program", func(t testing.TB) { StartProgram(t, "/no/such/program", Options{}) }, "start plugin: start the program"},
		{"refused configuration", func(t testing.TB) { Start(t, notes(), Options{Config: "nonsense = 1"}) }, "Unsupported argument"},
		{"cannot start", func(t testing.TB) { Start(t, notes(), Options{Config: `greeting = "none"`}) }, "There isn't enough space."},
		{"bad manifest", func(t testing.TB) { Start(t, sdk.Plugin[struct{}]{}, Options{}) }, "manifest: name"},
		{"kill inside", func(t testing.TB) { Start(t, notes(), Options{}).Kill() }, "StartProgram"},
		{"after the end", func(t testing.TB) {
			i := Start(t, notes(), Options{})
			i.Stop()
			i.Client()
		}, "has been stopped"},
		{"wrong exit code", func(t testing.TB) {
			StartProgram(t, raw, Options{Env: []string{"MODE=exit-code"}})
		}, "exit status 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := run(t, c.f); !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
