package dataplane

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// socketPath is a path for a unix socket that is short enough on every system,
// which t.TempDir's is not.
func socketPath(tb testing.TB) string {
	dir, err := os.MkdirTemp("", "dp")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "p.sock")
}

// countingListener counts what it accepts.
type countingListener struct {
	net.Listener
	mu    sync.Mutex
	count int
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.mu.Lock()
		l.count++
		l.mu.Unlock()
	}
	return c, err
}

func (l *countingListener) accepted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

func listen(tb testing.TB, path string) *countingListener {
	l, err := net.Listen("unix", path)
	if err != nil {
		tb.Fatal(err)
	}
	return &countingListener{Listener: l}
}

// plugin is a net/http server on a unix socket.
type plugin struct {
	path   string
	l      *countingListener
	server *http.Server
}

func startPlugin(tb testing.TB, h http.Handler) *plugin {
	p := &plugin{path: socketPath(tb), server: &http.Server{Handler: h}}
	p.l = listen(tb, p.path)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = p.server.Serve(tunedListener{p.l})
	}()
	tb.Cleanup(func() {
		p.server.Close()
		<-done
	})
	return p
}

// rawPlugin serves every connection with a function that speaks for itself.
func rawPlugin(tb testing.TB, serve func(net.Conn)) string {
	path := socketPath(tb)
	l := listen(tb, path)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	tb.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	return path
}

// answering reads one request head and answers with fixed bytes.
func answering(answer string) func(net.Conn) {
	return func(c net.Conn) {
		if readRequestHead(c) == nil {
			_, _ = io.WriteString(c, answer)
		}
	}
}

// readRequestHead reads to the end of a head, byte by byte.
func readRequestHead(c net.Conn) error {
	var head []byte
	for one := make([]byte, 1); !strings.HasSuffix(string(head), "\r\n\r\n"); {
		if _, err := io.ReadFull(c, one); err != nil {
			return err
		}
		head = append(head, one[0])
	}
	return nil
}

// lean returns a transport to the path that is closed with the test and must
// leave no sender behind.
func lean(tb testing.TB, path string, opts Options) *Transport {
	t := New(dialUnix(path), opts)
	tb.Cleanup(func() {
		t.Close()
		noSenders(tb)
	})
	return t
}

// noSenders fails the test if a sender goroutine does not end.
func noSenders(tb testing.TB) {
	stacks := make([]byte, 1<<20)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if n := runtime.Stack(stacks, true); !strings.Contains(string(stacks[:n]), "dataplane.(*sender).run") {
			return
		}
	}
	tb.Errorf("a sender is still running:\n%s", stacks)
}

// both runs the test with this transport and with net/http's.
func both(t *testing.T, path string, test func(t *testing.T, rt http.RoundTripper)) {
	t.Run("lean", func(t *testing.T) { test(t, lean(t, path, Options{})) })
	t.Run("net", func(t *testing.T) {
		rt := netTransport(dialUnix(path))
		defer rt.CloseIdleConnections()
		test(t, rt)
	})
}

func newRequest(tb testing.TB, method, target string, body io.Reader) *http.Request {
	req, err := http.NewRequestWithContext(context.Background(), method, "http://plugin"+target, body)
	if err != nil {
		tb.Fatal(err)
	}
	return req
}

// stream hides everything about a reader but Read, so that its length is
// unknown, and counts its Closes.
type stream struct {
	io.Reader
	mu     sync.Mutex
	closes int
	closed chan struct{} // closed by the first Close
}

func newStream(r io.Reader) *stream { return &stream{Reader: r, closed: make(chan struct{})} }

func (s *stream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closes++; s.closes == 1 {
		close(s.closed)
	}
	return nil
}

func (s *stream) closeCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closes
}

// mustGet makes a GET and returns its body.
func mustGet(tb testing.TB, rt http.RoundTripper, target string) string {
	tb.Helper()
	return mustDo(tb, rt, newRequest(tb, "GET", target, nil))
}

func mustDo(tb testing.TB, rt http.RoundTripper, req *http.Request) string {
	tb.Helper()
	resp, err := rt.RoundTrip(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		tb.Fatalf("status %s: %s", resp.Status, body)
	}
	return string(body)
}

// quiet takes the panics that tests make handlers raise.
var quiet = log.New(io.Discard, "", 0)

// echo answers with the request's body and says how it came.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	w.Header().Set("X-Length", fmt.Sprint(r.ContentLength))
	w.Header().Set("X-Coding", fmt.Sprint(r.TransferEncoding))
	w.Header().Set("X-Trailer", fmt.Sprint(r.Trailer))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	_, _ = w.Write(body)
}
