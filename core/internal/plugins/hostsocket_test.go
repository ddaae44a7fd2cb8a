package plugins

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// meshOf answers a list of devices with the plugin's name in it.
func meshOf(plugin string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"devices":[{"id":"1","name":"%s asked %s"}]}`, plugin, r.URL)
	})
}

// hostSockets lists the sockets on which the gateway serves plugins.
func (b *bench) hostSockets() []string {
	found, _ := filepath.Glob(filepath.Join(b.root, runPrefix+"*", "*", hostSocketName))
	return found
}

func TestPluginReachesTheGateway(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good", "good-two")
	b.start(quick(), enabled("good", "good-two"), func(o *Options) { o.Mesh = meshOf })
	for _, name := range []string{"good", "good-two"} {
		_, text := b.call("GET", "/"+name+"/devices", nil)
		if !strings.Contains(text, `"name":"`+name+` asked /devices?capability=media.storage"`) {
			t.Errorf("got %s", text)
		}
	}
	sockets := b.hostSockets()
	if len(sockets) != 2 {
		t.Fatalf("sockets: %v", sockets)
	}
	info, err := os.Stat(filepath.Dir(sockets[0]))
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the folder that keeps others out has mode %v", info.Mode())
	}
	b.restart("good")
	b.call("GET", "/good/devices", nil)
	b.apply()
	b.await("good", Found)
	b.eventually("the sockets are gone", func() bool { return len(b.hostSockets()) == 0 })
}

func TestGatewayIsNotOfferedToEverybody(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	b.start(quick(), enabled("good"), func(o *Options) {
		o.Mesh = func(string) http.Handler { return nil }
	})
	resp, _ := b.call("GET", "/good/devices", nil)
	if resp.StatusCode == http.StatusOK || len(b.hostSockets()) > 0 {
		t.Errorf("status %d, sockets %v", resp.StatusCode, b.hostSockets())
	}
}

// TestHostSocketIsBounded opens more connections than the gateway takes, and
// sends a head that never ends.
func TestHostSocketIsBounded(t *testing.T) {
	dir := shortTempDir(t)
	s, err := openHostSocket(dir, meshOf("x"), discard())
	must(t, err)
	var idle []net.Conn
	for range maxHostConns {
		conn, err := net.Dial("unix", s.path)
		must(t, err)
		idle = append(idle, conn)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.path)
	}}}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", "http://gateway/devices", nil)
	must(t, err)
	if resp, err := client.Do(r); err == nil {
		_ = resp.Body.Close()
		t.Error("one more connection was served")
	}
	must(t, idle[0].Close())
	resp, err := client.Get("http://gateway/devices")
	must(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	must(t, err)
	must(t, resp.Body.Close())

	_, err = io.WriteString(idle[1], "GET / HTTP/1.1\r\nX: "+strings.Repeat("x", 2*hostHeaderBytes))
	if answer, _ := io.ReadAll(idle[1]); err == nil && !strings.Contains(string(answer), "431") {
		t.Errorf("a huge head was answered with %q", answer)
	}
	s.close()
	for _, c := range idle {
		_ = c.Close()
	}
	client.CloseIdleConnections()
	if _, err := net.Dial("unix", s.path); err == nil {
		t.Error("still listening")
	}
	(*hostServer)(nil).close()
}

func TestComplaintsAreFew(t *testing.T) {
	log := &logBuffer{}
	c := &complaints{log: testLogger(log), limiter: limiter{most: 5, period: time.Minute}}
	for range 100 {
		fmt.Fprintln(c, "http: panic serving @: \x1b[2J")
	}
	if n := strings.Count(log.String(), `text="http: panic serving @: \x1b[2J"`); n != 5 {
		t.Errorf("%d lines:\n%s", n, log)
	}
}

// TestMeshThatPanics costs the plugin one answer.
func TestMeshThatPanics(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	b.start(quick(), enabled("good"), func(o *Options) {
		o.Mesh = func(string) http.Handler {
			return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("lost my mind") })
		}
	})
	resp, _ := b.call("GET", "/good/devices", nil)
	if resp.StatusCode < 500 {
		t.Errorf("status %d", resp.StatusCode)
	}
	b.awaitLog("lost my mind")
	if s := b.status("good"); s.State != Running {
		t.Errorf("got %+v", s)
	}
}
