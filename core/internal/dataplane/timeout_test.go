package dataplane

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// silent reads requests for ever and answers none.
func silent(_ int, c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func TestHeaderTimeout(t *testing.T) {
	opts := Options{HeaderTimeout: 30 * time.Second, StallTimeout: 10 * time.Second}
	t.Run("small", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			tr, _ := piped(t, opts, silent)
			start := time.Now()
			_, err := tr.RoundTrip(newRequest(t, "POST", "/", strings.NewReader("hello")))
			if !errors.Is(err, ErrHeaderTimeout) || time.Since(start) != 30*time.Second {
				t.Errorf("got %v after %v", err, time.Since(start))
			}
			var timeout net.Error
			if !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("%v does not say that it is a timeout", err)
			}
		})
	})
	t.Run("the clock starts after a large body", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			tr, _ := piped(t, opts, silent)
			body := newStream(&slowReader{pieces: 10, pause: 20 * time.Second})
			start := time.Now()
			_, err := tr.RoundTrip(newRequest(t, "POST", "/", body))
			if !errors.Is(err, ErrHeaderTimeout) || time.Since(start) != 230*time.Second {
				t.Errorf("got %v after %v", err, time.Since(start))
			}
		})
	})
	t.Run("a drop at a time does not put it off", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			tr, _ := piped(t, opts, func(_ int, c net.Conn) {
				_ = readRequestHead(c)
				_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nX-Long: ")
				for ; err == nil; _, err = io.WriteString(c, "x") {
					time.Sleep(time.Second)
				}
			})
			start := time.Now()
			_, err := tr.RoundTrip(newRequest(t, "GET", "/", nil))
			if !errors.Is(err, ErrHeaderTimeout) || time.Since(start) != 30*time.Second {
				t.Errorf("got %v after %v", err, time.Since(start))
			}
		})
	})
}

// slowReader is a client that sends a piece now and then.
type slowReader struct {
	pieces int
	pause  time.Duration
}

func (r *slowReader) Read(p []byte) (int, error) {
	if r.pieces == 0 {
		return 0, io.EOF
	}
	r.pieces--
	time.Sleep(r.pause)
	return copy(p, "piece"), nil
}

func TestStalledUpload(t *testing.T) {
	t.Run("stalled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			end := make(chan struct{})
			tr, _ := piped(t, Options{StallTimeout: time.Minute}, func(_ int, c net.Conn) {
				_ = readRequestHead(c)
				_, _ = io.CopyN(io.Discard, c, 100_000)
				<-end
			})
			body := newStream(zeros{})
			start := time.Now()
			_, err := tr.RoundTrip(newRequest(t, "PUT", "/", body))
			// Some of the last write went out, so it was given another minute.
			if !errors.Is(err, ErrStalled) || time.Since(start) != 2*time.Minute {
				t.Errorf("got %v after %v", err, time.Since(start))
			}
			<-body.closed
			close(end)
		})
	})
	t.Run("stalled after the answer began", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			tr, _ := piped(t, Options{StallTimeout: time.Minute}, func(_ int, c net.Conn) {
				answering(chunk + "5\r\nhello\r\n")(c)
				time.Sleep(time.Hour)
				_, _ = io.WriteString(c, "5\r\nworld\r\n0\r\n\r\n")
			})
			body := newStream(zeros{})
			if got := mustDo(t, tr, newRequest(t, "PUT", "/", body)); got != "helloworld" || body.closeCount() != 1 {
				t.Errorf("got %q, body closed %d times", got, body.closeCount())
			}
		})
	})
	t.Run("slow is not stalled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			tr, _ := piped(t, Options{StallTimeout: time.Minute}, func(_ int, c net.Conn) {
				_ = readRequestHead(c)
				piece := make([]byte, 1000)
				for range 20 {
					time.Sleep(50 * time.Second)
					if _, err := io.ReadFull(c, piece); err != nil {
						t.Error(err)
					}
				}
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				_, _ = io.Copy(io.Discard, c)
			})
			body := newStream(strings.NewReader(mib4))
			req := newRequest(t, "PUT", "/", body)
			if got := mustDo(t, tr, req); got != "ok" {
				t.Errorf("got %q", got)
			}
		})
	})
}

func TestStalledDownload(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"
	tests := map[string]struct {
		answer string
		pause  time.Duration // between pieces of five bytes, ten times
		want   error
	}{
		"stalled":              {head, 2 * time.Minute, ErrStalled},
		"slow is not stalled":  {head, 50 * time.Second, nil},
		"streams may be quiet": {"HTTP/1.1 200 OK\r\n\r\n", 24 * time.Hour, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr, _ := piped(t, Options{StallTimeout: time.Minute}, func(_ int, c net.Conn) {
					answering(test.answer)(c)
					for range 10 {
						time.Sleep(test.pause)
						if _, err := io.WriteString(c, "piece"); err != nil {
							return
						}
					}
				})
				resp, err := tr.RoundTrip(newRequest(t, "GET", "/", nil))
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				time.Sleep(time.Hour) // a slow reader is not the peer's fault
				n, err := io.Copy(io.Discard, resp.Body)
				if !errors.Is(err, test.want) || test.want == nil && n != 50 {
					t.Errorf("got %d bytes, %v", n, err)
				}
			})
		})
	}
}

// TestCancel ends the context in every stage of a call.
func TestCancel(t *testing.T) {
	gone := errors.New("client gone")
	tests := map[string]struct {
		serve func(int, net.Conn) // nil: takes the head and no more
		body  io.Reader
	}{
		"while waiting for the head": {silent, nil},
		"while sending":              {nil, zeros{}},
		"while the client is slow":   {silent, &slowReader{pieces: 100, pause: time.Minute}},
		"while reading the body":     {promising, nil},
		"in the middle of both": {func(_ int, c net.Conn) {
			answering(chunk + "5\r\nhello\r\n")(c)
			_, _ = io.Copy(io.Discard, c)
		}, &slowReader{pieces: 100, pause: time.Minute}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				end := make(chan struct{})
				serve := test.serve
				if serve == nil {
					serve = func(_ int, c net.Conn) {
						_ = readRequestHead(c)
						<-end
					}
				}
				tr, _ := piped(t, Options{MaxConns: 1}, serve)
				ctx, cancel := context.WithCancelCause(t.Context())
				start := time.Now()
				time.AfterFunc(5*time.Second, func() { cancel(gone) })
				var body *stream
				req := newRequest(t, "POST", "/", nil).WithContext(ctx)
				if test.body != nil {
					body = newStream(test.body)
					req.Body, req.ContentLength = body, -1
				}
				resp, err := tr.RoundTrip(req)
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					defer resp.Body.Close()
				}
				if !errors.Is(err, gone) || time.Since(start) != 5*time.Second {
					t.Errorf("got %v after %v", err, time.Since(start))
				}
				if body != nil {
					<-body.closed
				}
				close(end)
			})
		})
	}
}

// TestCancelledBefore sends nothing.
func TestCancelledBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	body := newStream(strings.NewReader(mib4))
	tr := New(func(context.Context) (net.Conn, error) { return nil, errors.New("dialled") }, Options{})
	_, err := tr.RoundTrip(newRequest(t, "PUT", "/", body).WithContext(ctx))
	if !errors.Is(err, context.Canceled) || body.closeCount() != 1 {
		t.Errorf("got %v, body closed %d times", err, body.closeCount())
	}
}

// TestCancelAfterTheEnd does not hurt the next call on the same connection.
func TestCancelAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, dialled := piped(t, Options{}, okay)
		for range 5 {
			ctx, cancel := context.WithCancel(t.Context())
			mustDo(t, tr, newRequest(t, "GET", "/", nil).WithContext(ctx))
			cancel()
			synctest.Wait()
		}
		if *dialled != 1 {
			t.Errorf("%d connections", *dialled)
		}
	})
}

// TestKill kills the plugin's process with SIGKILL in every stage of a call.
func TestKill(t *testing.T) {
	tests := map[string]struct {
		target string
		body   bool // the plugin dies when a few megabytes of it are sent
		head   bool // there is an answer before that
	}{
		"while waiting for the head": {"/hang", false, false},
		"while sending":              {"/up", true, false},
		"inside of a length":         {"/down?n=1073741824", false, true},
		"inside of chunks":           {"/chunked?n=1073741824", false, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path, process := startBenchServer(t)
			kill := func() { _ = process.Kill() }
			tr := lean(t, path, Options{})
			req := newRequest(t, "POST", test.target, nil)
			if test.body {
				sent := 0
				req.Body, req.ContentLength = newStream(readerFunc(func(p []byte) (int, error) {
					if sent += len(p); sent > 8<<20 {
						kill()
					}
					return len(p), nil
				})), -1
			} else if !test.head {
				// Its twin says that the request is there: both hang in one handler.
				go func() {
					mustGet(t, tr, "/hanging")
					kill()
				}()
			}
			resp, err := tr.RoundTrip(req)
			if (err == nil) != test.head {
				t.Fatalf("got %v, %v", resp, err)
			}
			if err == nil {
				if _, err = io.ReadFull(resp.Body, make([]byte, 1<<20)); err != nil {
					t.Fatal(err)
				}
				kill()
				_, err = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
				t.Errorf("got %v", err)
			}
		})
	}
}
