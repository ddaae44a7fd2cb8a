package socket

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func listen(t *testing.T) (*Listener, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "sk")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := Listen(path)
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l, path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serve answers over the socket and returns a client for it.
func serve(t *testing.T, h http.HandlerFunc) *http.Client {
	t.Helper()
	l, path := listen(t)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = l.Body(r.Body)
		h(w, r)
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		<-done
	})
	return &http.Client{Transport: transport}
}

func randomFile(t *testing.T, size int) (string, []byte) {
	t.Helper()
	data := make([]byte, size)
	_, _ = rand.Read(data)
	path := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(path, data, 0o600))
	return path, data
}

func get(t *testing.T, c *http.Client, header http.Header) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequest("GET", "http://plugin/", nil)
	must(t, err)
	r.Header = header
	resp, err := c.Do(r)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp, body
}

func TestListenIsPrivate(t *testing.T) {
	l, path := listen(t)
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	must(t, l.Close())
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file stays: %v", err)
	}
	if _, err := Listen(filepath.Join(t.TempDir(), strings.Repeat("x", 120))); err == nil {
		t.Error("a path that is too long was accepted")
	}
}

func TestFilesArriveWhole(t *testing.T) {
	path, data := randomFile(t, 3<<20+17)
	for name, h := range map[string]http.HandlerFunc{
		"ServeFile": func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) },
		"io.Copy, length known": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3145745")
			f, _ := os.Open(path)
			defer f.Close()
			_, _ = io.Copy(w, f)
		},
		"io.Copy, chunked": func(w http.ResponseWriter, _ *http.Request) {
			f, _ := os.Open(path)
			defer f.Close()
			_, _ = io.Copy(w, f)
		},
		"io.Copy of no file": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3145745")
			_, _ = io.Copy(w, io.LimitReader(bytes.NewReader(data), 1<<40))
		},
	} {
		t.Run(name, func(t *testing.T) {
			client := serve(t, h)
			for range 2 { // the second over the same connection
				if _, got := get(t, client, nil); !bytes.Equal(got, data) {
					t.Fatalf("%d bytes arrived differently", len(got))
				}
			}
		})
	}
}

func TestRanges(t *testing.T) {
	path, data := randomFile(t, 1<<20)
	client := serve(t, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) })
	resp, got := get(t, client, http.Header{"Range": {"bytes=1000-500999"}})
	if resp.StatusCode != http.StatusPartialContent || !bytes.Equal(got, data[1000:501000]) {
		t.Errorf("status %d, %d bytes", resp.StatusCode, len(got))
	}
	resp, got = get(t, client, http.Header{"Range": {"bytes=-10"}})
	if resp.StatusCode != http.StatusPartialContent || !bytes.Equal(got, data[len(data)-10:]) {
		t.Errorf("status %d, %d bytes", resp.StatusCode, len(got))
	}
}

// TestShortFile promises more than the file has: the client must see a cut
// answer, never a whole one.
func TestShortFile(t *testing.T) {
	path, _ := randomFile(t, 100<<10)
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "999999")
		f, _ := os.Open(path)
		defer f.Close()
		_, _ = io.Copy(w, f)
	})
	resp, err := client.Get("http://plugin/")
	must(t, err)
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Errorf("%d bytes looked whole", n)
	}
}

func TestUploadArrivesWhole(t *testing.T) {
	_, data := randomFile(t, 5<<20+3)
	to := filepath.Join(t.TempDir(), "upload")
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		f, _ := os.Create(to)
		n, err := io.Copy(f, r.Body)
		if err := errors.Join(err, f.Close()); err != nil || n != int64(len(data)) {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	for name, body := range map[string]io.Reader{"length known": bytes.NewReader(data), "chunked": io.MultiReader(bytes.NewReader(data))} {
		resp, err := client.Post("http://plugin/", "", body)
		must(t, err)
		must(t, resp.Body.Close())
		got, err := os.ReadFile(to)
		must(t, err)
		if resp.StatusCode != http.StatusOK || !bytes.Equal(got, data) {
			t.Errorf("%s: status %d, %d bytes", name, resp.StatusCode, len(got))
		}
	}
}

func TestSendFileKeepsOffsetAndLimit(t *testing.T) {
	path, data := randomFile(t, 1000)
	l, socketPath := listen(t)
	peer, err := net.Dial("unix", socketPath)
	must(t, err)
	defer peer.Close()
	accepted, err := l.Accept()
	must(t, err)
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	_, err = f.Seek(100, io.SeekStart)
	must(t, err)
	limited := &io.LimitedReader{R: f, N: 300}
	n, err := accepted.(io.ReaderFrom).ReadFrom(limited)
	must(t, err)
	if n != 300 || limited.N != 0 {
		t.Errorf("sent %d, %d left", n, limited.N)
	}
	if at, _ := f.Seek(0, io.SeekCurrent); at != 400 {
		t.Errorf("offset %d", at)
	}
	must(t, accepted.Close())
	got, err := io.ReadAll(peer)
	must(t, err)
	if !bytes.Equal(got, data[100:400]) {
		t.Errorf("%d bytes arrived differently", len(got))
	}
}

func TestSendFileHonoursWriteDeadline(t *testing.T) {
	path, _ := randomFile(t, 64<<20)
	l, socketPath := listen(t)
	peer, err := net.Dial("unix", socketPath)
	must(t, err)
	defer peer.Close() // never reads
	accepted, err := l.Accept()
	must(t, err)
	defer accepted.Close()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	must(t, accepted.SetWriteDeadline(time.Now().Add(50*time.Millisecond)))
	if _, err := accepted.(io.ReaderFrom).ReadFrom(f); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ after int }

func (f *failing) Read(p []byte) (int, error) {
	if f.after <= 0 {
		return 0, errors.New("read failed")
	}
	n := min(len(p), f.after)
	f.after -= n
	return n, nil
}

type shortWriter struct{}

func (shortWriter) Write(p []byte) (int, error) { return len(p) / 2, nil }

func TestCopyReportsErrors(t *testing.T) {
	var b buffers
	if n, err := b.copy(io.Discard, &failing{after: 100 << 10}); n != 100<<10 || err == nil || err.Error() != "read failed" {
		t.Errorf("got %d, %v", n, err)
	}
	if _, err := b.copy(shortWriter{}, strings.NewReader("hello")); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("got %v", err)
	}
	if b.lent.Load() != 0 {
		t.Errorf("%d buffers lent", b.lent.Load())
	}
}

func TestLargeBuffersAreBounded(t *testing.T) {
	var b buffers
	var lent []*[]byte
	for range maxLarge + 5 {
		lent = append(lent, b.grow(b.get()))
	}
	large := 0
	for _, p := range lent {
		if len(*p) == largeSize {
			large++
		}
		b.put(p)
	}
	if large != maxLarge || b.lent.Load() != 0 {
		t.Errorf("%d large buffers, %d still lent", large, b.lent.Load())
	}
}
