package outbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/sdk"
	"github.com/salita-mesh/salita/sdk/control"
)

// hostOf runs a plugin over its real protocol and returns the Host that it gets
// for the fixture's socket.
func hostOf(t *testing.T, f *fixture) sdk.Host {
	t.Helper()
	dir, err := os.MkdirTemp("", "so")
	must(t, err)
	listener, err := net.Listen("unix", filepath.Join(dir, "host.sock"))
	must(t, err)
	server := &http.Server{Handler: New(Options{Devices: f.devices, Caller: f.caller, Log: hclog.NewNullLogger()})("hello")}
	serving := make(chan struct{})
	go func() {
		defer close(serving)
		_ = server.Serve(listener)
	}()
	hosts := make(chan sdk.Host, 1)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	plugin := sdk.Plugin[struct{}]{
		Manifest: sdk.Manifest{Name: "hello", Version: "1", Title: "Hello"},
		New: func(_ context.Context, env sdk.Env, _ struct{}) (http.Handler, error) {
			hosts <- env.Host
			return http.NotFoundHandler(), nil
		},
	}
	sockets := filepath.Join(dir, "p")
	go func() { ended <- sdk.Serve(ctx, plugin, sockets, slog.New(slog.DiscardHandler)) }()
	var attached *control.Attached
	for attached == nil {
		if attached, err = control.Attach(t.Context(), sockets); err != nil {
			time.Sleep(time.Millisecond)
		}
	}
	t.Cleanup(func() {
		_ = attached.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = server.Close()
		<-serving
		_ = os.RemoveAll(dir)
	})
	_, _, err = attached.Configure(t.Context(), control.Config{}, control.Environment{SocketDir: sockets, DataDir: dir, HostSocket: listener.Addr().String()})
	must(t, err)
	return <-hosts
}

func TestAPluginCallsADevice(t *testing.T) {
	f := newFixture(t, 0, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/media/none" {
			sdk.WriteJSON(w, http.StatusNotFound, sdk.ErrorBody{Error: "That isn't here.", Code: sdk.NotFound})
			return
		}
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s", r.Method, r.RequestURI, body)
	})
	host := hostOf(t, f)
	found, err := host.Devices(t.Context(), "posts")
	if err != nil || len(found) != 1 || found[0].Name != "The nas" {
		t.Fatalf("%+v, %v", found, err)
	}
	client := host.Client(found[0].ID)
	r, w := io.Pipe() // a body whose length nobody knows
	go func() {
		for range 100 {
			_, _ = w.Write(make([]byte, 10<<10))
		}
		_ = w.Close()
	}()
	resp, err := client.Post("http://device/capabilities/posts", "text/plain", r)
	must(t, err)
	if body := text(t, resp); len(body) != len("POST /capabilities/posts ")+1000<<10 {
		t.Errorf("%.60q, %d bytes", body, len(body))
	}
	_ = resp.Body.Close()
	resp, err = client.Get("http://device/media/none")
	must(t, err)
	if e := sdk.ReadError(resp); e.Kind != sdk.NotFound || e.Friendly() != "That isn't here." {
		t.Errorf("the device's own error: %v", e)
	}
	var e *sdk.Error
	if _, err := client.Get("http://device/api/devices"); !errors.As(err, &e) || e.Kind != sdk.Forbidden {
		t.Errorf("got %v", err)
	}
	if _, err := host.Client("none").Get("http://device/media"); sdk.KindOf(err) != sdk.NotFound {
		t.Errorf("got %v", err)
	}
	f.caller.fail = sdk.Errorf(sdk.Offline, "The nas is offline.")
	if _, err := client.Get("http://device/media"); !errors.As(err, &e) || e.Kind != sdk.Offline || e.Friendly() != "The nas is offline." {
		t.Errorf("got %v", err)
	}
}
