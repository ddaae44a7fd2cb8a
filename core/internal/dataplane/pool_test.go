package dataplane

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// piped returns a transport whose every connection is a pipe to serve, which
// also learns the number of its connection. In a synctest bubble time costs
// nothing on it.
// At the end of the test both sides are waited for.
func piped(t *testing.T, opts Options, serve func(n int, c net.Conn)) (*Transport, *int) {
	var mu sync.Mutex
	var all sync.WaitGroup
	dialled := 0
	tr := New(func(context.Context) (net.Conn, error) {
		ours, theirs := net.Pipe()
		mu.Lock()
		dialled++
		n := dialled
		mu.Unlock()
		all.Go(func() {
			defer theirs.Close()
			serve(n, theirs)
		})
		return socketlike{ours}, nil
	}, opts)
	t.Cleanup(func() {
		tr.Close()
		all.Wait()
	})
	return tr, &dialled
}

// socketlike is a pipe that says what a socket says when its peer has closed.
type socketlike struct{ net.Conn }

func (s socketlike) Write(p []byte) (int, error) {
	n, err := s.Conn.Write(p)
	if errors.Is(err, io.ErrClosedPipe) {
		err = syscall.EPIPE
	}
	return n, err
}

// okay serves small requests with an empty 200.
func okay(_ int, c net.Conn) {
	for r := bufio.NewReader(c); ; {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
			return
		}
	}
}

// hold starts n calls that get their head and keep their body open.
func hold(t *testing.T, tr *Transport, n int) []io.Closer {
	t.Helper()
	held := make([]io.Closer, n)
	for i := range held {
		resp, err := tr.RoundTrip(newRequest(t, "GET", "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		held[i] = resp.Body
	}
	return held
}

// promising answers with a body that never comes.
func promising(_ int, c net.Conn) {
	answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")(c)
	_, _ = io.Copy(io.Discard, c)
}

func TestCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, dialled := piped(t, Options{MaxConns: 2, MaxWait: time.Second}, promising)
		held := hold(t, tr, 2)
		start := time.Now()
		_, err := tr.RoundTrip(newRequest(t, "GET", "/", nil))
		if !errors.Is(err, ErrBusy) || time.Since(start) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}

		// A connection that ends makes room for whoever waits.
		time.AfterFunc(time.Second/2, func() { held[0].Close() })
		held = append(held, hold(t, tr, 1)...)
		if *dialled != 3 {
			t.Errorf("%d connections", *dialled)
		}

		// Who gives up waiting takes nothing along.
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("gone")
		time.AfterFunc(time.Second/2, func() { cancel(gone) })
		if _, err := tr.RoundTrip(newRequest(t, "GET", "/", nil).WithContext(ctx)); !errors.Is(err, gone) {
			t.Errorf("got %v", err)
		}
		for _, h := range held {
			h.Close()
		}
		for _, h := range hold(t, tr, 2) {
			h.Close()
		}
	})
}

func TestWaitersAreServedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, dialled := piped(t, Options{MaxConns: 1, MaxWait: time.Minute}, func(_ int, c net.Conn) {
			for r := bufio.NewReader(c); ; {
				if _, err := http.ReadRequest(r); err != nil {
					return
				}
				time.Sleep(time.Second)
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
		})
		var all sync.WaitGroup
		start := time.Now()
		for i := range 5 {
			synctest.Wait()
			all.Go(func() {
				mustGet(t, tr, "/")
				if took := time.Since(start); took != time.Duration(i+1)*time.Second {
					t.Errorf("call %d took %v", i, took)
				}
			})
		}
		all.Wait()
		if *dialled != 1 {
			t.Errorf("%d connections", *dialled)
		}
	})
}

func TestNoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, _ := piped(t, Options{MaxConns: 1, MaxWait: -1}, promising)
		held := hold(t, tr, 1)
		if _, err := tr.RoundTrip(newRequest(t, "GET", "/", nil)); !errors.Is(err, ErrBusy) {
			t.Errorf("got %v", err)
		}
		held[0].Close()
		hold(t, tr, 1)[0].Close()
	})
}

func TestIdleConnectionsGrowOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, dialled := piped(t, Options{MaxIdle: 3, IdleTimeout: time.Minute}, func(n int, c net.Conn) {
			answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")(c)
			okay(n, c)
		})
		for _, h := range hold(t, tr, 5) {
			_, _ = io.Copy(io.Discard, h.(io.Reader))
			h.Close()
		}
		idle := func(want int) {
			t.Helper()
			tr.pool.mu.Lock()
			defer tr.pool.mu.Unlock()
			if n := len(tr.pool.idle); n != want || len(tr.pool.open) != want || tr.pool.slots != want {
				t.Errorf("%d idle, %d open, %d slots, want %d", n, len(tr.pool.open), tr.pool.slots, want)
			}
		}
		idle(3)
		time.Sleep(40 * time.Second)
		mustGet(t, tr, "/") // keeps the one on top of the stack young
		time.Sleep(30 * time.Second)
		idle(1)
		time.Sleep(time.Minute)
		idle(0)
		mustGet(t, tr, "/")
		idle(1)
		tr.CloseIdleConnections()
		idle(0)
		if *dialled != 6 {
			t.Errorf("%d connections", *dialled)
		}
	})
}

// TestClose ends calls in every stage.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		defer close(end)
		tr, _ := piped(t, Options{MaxConns: 2, MaxWait: time.Hour}, func(n int, c net.Conn) {
			if n == 1 {
				promising(n, c)
			}
			_ = readRequestHead(c)
			<-end
		})
		resp, err := tr.RoundTrip(newRequest(t, "GET", "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		errs := make(chan error, 3)
		go func() {
			_, err := io.ReadAll(resp.Body)
			errs <- err
		}()
		go func() { // blocks in the upload
			req := newRequest(t, "PUT", "/", newStream(zeros{}))
			_, err := tr.RoundTrip(req)
			errs <- err
		}()
		synctest.Wait()
		go func() {
			_, err := tr.RoundTrip(newRequest(t, "GET", "/", nil))
			errs <- err
		}()
		synctest.Wait()
		tr.Close()
		for range 3 {
			if err := <-errs; !errors.Is(err, ErrClosed) {
				t.Errorf("got %v", err)
			}
		}
		if _, err := tr.RoundTrip(newRequest(t, "GET", "/", nil)); !errors.Is(err, ErrClosed) {
			t.Errorf("got %v", err)
		}
		resp.Body.Close()
		tr.Close()
	})
}

func TestDial(t *testing.T) {
	refused := errors.New("refused")
	tr := New(func(context.Context) (net.Conn, error) { return nil, refused }, Options{MaxConns: 1})
	for range 3 { // a failed dial keeps no slot
		body := newStream(strings.NewReader(mib4))
		_, err := tr.RoundTrip(newRequest(t, "PUT", "/", body))
		if !errors.Is(err, ErrDial) || !errors.Is(err, refused) || body.closeCount() != 1 {
			t.Errorf("got %v, body closed %d times", err, body.closeCount())
		}
	}
	synctest.Test(t, func(t *testing.T) {
		tr := New(func(ctx context.Context) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, Options{HeaderTimeout: time.Second})
		start := time.Now()
		_, err := tr.RoundTrip(newRequest(t, "GET", "/", nil))
		if !errors.Is(err, ErrDial) || time.Since(start) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

// TestStaleConnection restarts the plugin between two calls: the dead
// connection is noticed before anything is sent, so even a POST goes through.
func TestStaleConnection(t *testing.T) {
	first := startPlugin(t, http.HandlerFunc(echo))
	second := startPlugin(t, http.HandlerFunc(echo))
	path := first.path
	tr := New(func(ctx context.Context) (net.Conn, error) { return dialUnix(path)(ctx) }, Options{})
	defer tr.Close()
	mustGet(t, tr, "/")
	first.server.Close()
	path = second.path
	for range 2 {
		if got := mustDo(t, tr, newRequest(t, "POST", "/", strings.NewReader("hello"))); got != "hello" {
			t.Errorf("got %q", got)
		}
	}
	if n := second.l.accepted(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestStaleTLSConnection is the same with a gateway as the peer.
func TestStaleTLSConnection(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(echo))
	defer s.Close()
	config := s.Client().Transport.(*http.Transport).TLSClientConfig
	dialled := 0
	tr := New(func(ctx context.Context) (net.Conn, error) {
		dialled++
		d := tls.Dialer{Config: config}
		return d.DialContext(ctx, "tcp", s.Listener.Addr().String())
	}, Options{})
	defer tr.Close()
	for range 3 {
		for range 3 {
			if got := mustDo(t, tr, newRequest(t, "POST", "/", strings.NewReader("hello"))); got != "hello" {
				t.Errorf("got %q", got)
			}
		}
		s.CloseClientConnections()
	}
	if dialled != 3 {
		t.Errorf("%d connections", dialled)
	}
}

// TestWarmConnectionsAreNotAsked checks what trust in a young connection costs:
// a request that may be repeated never fails for it.
func TestWarmConnectionsAreNotAsked(t *testing.T) {
	first := startPlugin(t, http.HandlerFunc(echo))
	second := startPlugin(t, http.HandlerFunc(echo))
	path := first.path
	tr := New(func(ctx context.Context) (net.Conn, error) { return dialUnix(path)(ctx) }, Options{Warm: time.Hour})
	defer tr.Close()
	mustGet(t, tr, "/")
	first.server.Close()
	path = second.path
	mustGet(t, tr, "/")
	if n := second.l.accepted(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestUnaskedAnswer has a plugin that says something while nobody asks: it must
// not become the answer to the next request.
func TestUnaskedAnswer(t *testing.T) {
	for name, surplus := range map[string]string{
		"in one piece": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
		"in chunks":    chunk + "2\r\nok\r\n0\r\n\r\n" + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
		"on no body":   "HTTP/1.1 204 No Content\r\n\r\n" + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
	} {
		t.Run(name, func(t *testing.T) {
			path := rawPlugin(t, func(c net.Conn) {
				answering(surplus)(c)
				_, _ = io.Copy(io.Discard, c)
			})
			tr := lean(t, path, Options{})
			for range 3 {
				resp, err := tr.RoundTrip(newRequest(t, "GET", "/", nil))
				if err != nil {
					t.Fatal(err)
				}
				if body, err := io.ReadAll(resp.Body); string(body) == "evil" || err != nil {
					t.Errorf("got %q, %v", body, err)
				}
				resp.Body.Close()
			}
		})
	}
	t.Run("later", func(t *testing.T) {
		said := make(chan struct{})
		path := rawPlugin(t, func(c net.Conn) {
			answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")(c)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
			said <- struct{}{}
			_, _ = io.Copy(io.Discard, c)
		})
		tr := lean(t, path, Options{})
		for range 3 {
			if got := mustGet(t, tr, "/"); got != "ok" {
				t.Errorf("got %q", got)
			}
			<-said
		}
	})
}

// TestRepeat has a plugin whose connections end with the second request on
// them. Pipes hide that from the check before use.
func TestRepeat(t *testing.T) {
	tests := map[string]struct {
		method string
		body   string
		read   bool // the plugin reads the second request before it closes
		again  bool
	}{
		"get, read":      {"GET", "", true, true},
		"get, unread":    {"GET", "", false, true},
		"head, read":     {"HEAD", "", true, true},
		"delete, read":   {"DELETE", "", true, false},
		"delete, unread": {"DELETE", "", false, true},
		"post, read":     {"POST", "hello", true, false},
		"post, unread":   {"POST", "hello", false, true},
		"large, unread":  {"PUT", kib8 + "x", false, true},
		"get with body":  {"GET", "hello", true, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seen := 0
				tr, dialled := piped(t, Options{}, func(n int, c net.Conn) {
					r := bufio.NewReader(c)
					for i := range 2 {
						if i == 1 && n == 1 && !test.read {
							return
						}
						req, err := http.ReadRequest(r)
						if err != nil {
							return
						}
						_, _ = io.Copy(io.Discard, req.Body)
						if seen++; i == 1 && n == 1 {
							return
						}
						_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
					}
				})
				mustGet(t, tr, "/")
				req := newRequest(t, test.method, "/", strings.NewReader(test.body))
				resp, err := tr.RoundTrip(req)
				if err == nil {
					resp.Body.Close()
				}
				if want := test.again; (err == nil) != want || (*dialled == 2) != want {
					t.Errorf("got %v with %d connections, plugin saw %d requests", err, *dialled, seen)
				}
			})
		})
	}
}

// TestTurnAndEndTogether lets a waiting call's turn come at the very moment at
// which it gives up. Whichever it notices first, no slot may get lost.
func TestTurnAndEndTogether(t *testing.T) {
	tr, _ := piped(t, Options{MaxConns: 1}, okay)
	p := &tr.pool
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range 200 {
		ctx, turn := t.Context(), make(chan *conn, 1)
		if i%2 == 0 {
			ctx = ended
		}
		c, err := p.get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 { // the turn may also be the right to dial
			c.shut()
			delete(p.open, c)
			c = nil
		}
		turn <- c
		p.opts.MaxWait = -1
		if c, err = p.wait(ctx, turn); err == nil {
			p.put(c)
		} else if ctx.Err() == nil {
			t.Fatalf("a turn was thrown away: %v", err)
		}
		if p.slots > 1 || len(p.open) != p.slots || len(p.idle) != p.slots {
			t.Fatalf("%d slots, %d open, %d idle", p.slots, len(p.open), len(p.idle))
		}
	}
}
