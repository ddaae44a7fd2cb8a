package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// problem is an error answer.
type problem struct{ Error, Code, Reference string }

// raw sends bytes over the owner's socket, ends its direction, and reads the
// answer.
func (g *gateway) raw(request string) *http.Response {
	g.t.Helper()
	conn, err := net.Dial("unix", filepath.Join(g.dir, "admin.sock"))
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, request); err != nil {
		g.t.Fatal(err)
	}
	conn.(*net.UnixConn).CloseWrite()
	data, err := io.ReadAll(conn)
	if err != nil || len(data) == 0 {
		return nil
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(data)), nil)
	if err != nil {
		g.t.Fatalf("answer %q: %v", data, err)
	}
	return resp
}

// refused checks that a refused upload is answered in plain words, that the
// reference finds the log line, and that nothing is left behind.
func (g *gateway) refused(t *testing.T, resp *http.Response, status int, code string) {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var p problem
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatalf("%s: answer %q", resp.Status, body)
	}
	if resp.StatusCode != status || p.Code != code || p.Error == "" {
		t.Errorf("answered %s %+v, want %d %s", resp.Status, p, status, code)
	}
	eventually(t, "the reference finds the log line", func() error { // a plugin's lines take their own way
		if len(p.Reference) != 5 || !strings.Contains(g.log.String(), p.Reference) {
			return fmt.Errorf("reference %q is not in the log", p.Reference)
		}
		return nil
	})
	g.empty(t)
}

// empty checks that the library holds nothing, not even half of something.
func (g *gateway) empty(t *testing.T) {
	t.Helper()
	eventually(t, "nothing is left in the library", func() error {
		if items := g.media(); len(items) != 0 {
			return fmt.Errorf("it lists %+v", items)
		}
		return filepath.WalkDir(g.library, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				return fmt.Errorf("%s is there", path)
			}
			return err
		})
	})
}

func TestBadUploads(t *testing.T) {
	g := newGateway(t, "Desktop")
	post := func(name string, body []byte) *http.Response {
		resp, err := g.owner().Post("http://salita/media/upload?filename="+url.QueryEscape(name), "image/jpeg", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	head := "POST /media/upload?filename=a.jpg HTTP/1.1\r\nHost: salita\r\nConnection: close\r\n"

	t.Run("name of 5,000 characters", func(t *testing.T) {
		g.refused(t, post(strings.Repeat("a", 5000), []byte("x")), 400, "invalid")
	})
	t.Run("name that leads elsewhere", func(t *testing.T) {
		g.refused(t, post("../../escape.jpg", []byte("x")), 400, "invalid")
	})
	t.Run("no name", func(t *testing.T) {
		g.refused(t, post("", []byte("x")), 400, "invalid")
	})
	t.Run("truncated body", func(t *testing.T) {
		if resp := g.raw(head + "Content-Length: 1000000\r\n\r\n" + strings.Repeat("x", 300_000)); resp != nil {
			g.refused(t, resp, 400, "invalid")
		}
		g.empty(t)
	})
	t.Run("truncated chunked body", func(t *testing.T) {
		if resp := g.raw(head + "Transfer-Encoding: chunked\r\n\r\n186a0\r\n" + strings.Repeat("x", 50_000)); resp != nil {
			g.refused(t, resp, 400, "invalid")
		}
		g.empty(t)
	})
	t.Run("body longer than Content-Length", func(t *testing.T) {
		resp := g.raw(head + "Content-Length: 5\r\n\r\nhello and more")
		if resp == nil || resp.StatusCode != 201 {
			t.Fatalf("answered %v", resp)
		}
		items := g.media()
		if len(items) != 1 || items[0].Size != 5 {
			t.Fatalf("library lists %+v", items)
		}
		g.remove(t, items[0].ID)
	})
	t.Run("empty file is a file", func(t *testing.T) {
		resp := post("empty.txt", nil)
		if resp.StatusCode != 201 {
			t.Fatalf("answered %s", resp.Status)
		}
		g.remove(t, g.media()[0].ID)
	})
	g.empty(t)
}

func (g *gateway) remove(t *testing.T, id string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, "http://salita/media/"+id, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := g.owner().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Fatalf("delete: %s", resp.Status)
	}
}

func TestReceiverStopsMidway(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	pairUp(t, desktop, laptop)
	photo, _ := randomFile(t, "film.mp4", 256<<20)
	sent := make(chan result, 1)
	go func() { sent <- laptop.cli("", "send", photo, "--to", "Desktop") }()
	eventually(t, "the transfer has begun", func() error {
		var size int64
		filepath.WalkDir(desktop.library, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				if info, err := d.Info(); err == nil {
					size += info.Size()
				}
			}
			return nil
		})
		if size < 1<<20 {
			return fmt.Errorf("%d bytes have arrived", size)
		}
		return nil
	})
	desktop.kill()
	r := <-sent
	if r.code == 0 {
		t.Skip("the transfer was faster than the kill")
	}
	if r.code != 4 || !strings.Contains(r.err, "Desktop is offline.") {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
	desktop.start()
	desktop.empty(t)
	laptop.must("send", photo, "--to", "Desktop")
}

func TestPoliteStopLetsTransfersFinish(t *testing.T) {
	desktop, laptop := newGateway(t, "Desktop"), newGateway(t, "Laptop")
	pairUp(t, desktop, laptop)
	reader, writer := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://salita/api/devices/"+laptop.deviceList()[0].ID+"/send?filename=slow.bin", reader)
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() {
		resp, err := laptop.owner().Do(req)
		if err == nil {
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusCreated {
				err = fmt.Errorf("answered %s", resp.Status)
			}
		}
		answered <- err
	}()
	writer.Write(bytes.Repeat([]byte("a"), 4<<20))
	stopped := make(chan struct{})
	go func() { defer close(stopped); desktop.stop() }()
	eventually(t, "Desktop is stopping", func() error {
		if !strings.Contains(desktop.log.String(), "stopping") {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	writer.Write(bytes.Repeat([]byte("b"), 4<<20))
	writer.Close()
	if err := <-answered; err != nil {
		t.Fatalf("the transfer in flight: %v", err)
	}
	<-stopped
	desktop.start()
	if items := desktop.media(); len(items) != 1 || items[0].Size != 8<<20 {
		t.Errorf("library lists %+v", items)
	}
}

func TestSecondInstanceIsRefused(t *testing.T) {
	g := newGateway(t, "Desktop")
	r := g.cli("", "serve", "--address", freeAddress(t))
	if r.code != 1 && r.code != 6 || !strings.Contains(r.err, g.dir) {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
	if err := g.get("/livez", &struct{}{}); err != nil {
		t.Errorf("the first instance: %v", err)
	}
}

func TestAddressInUse(t *testing.T) {
	g := newGateway(t, "Desktop")
	r := g.cli("", "serve", "--data-dir", filepath.Join(t.TempDir(), "other"), "--address", g.address)
	if r.code == 0 || !strings.Contains(r.err, "can't listen on "+g.address) {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
}

func TestWrongConfig(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "config.hcl")
	if err := os.WriteFile(file, []byte("device {\n  nmae = \"x\"\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := &gateway{t: t, dir: dir}
	r := g.cli("", "serve", "--config", file)
	if r.code != 2 || !strings.Contains(r.err, "config.hcl") || !strings.Contains(r.err, "2") ||
		!strings.Contains(r.err, "^") || !strings.Contains(r.err, `"name"`) {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
}
