package dataplane

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestEventsArriveAtOnce has a plugin that sends the next event only after the
// last one was received: a single held-back byte stops it for ever.
func TestEventsArriveAtOnce(t *testing.T) {
	received := make(chan struct{})
	p := startPlugin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 5 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			w.(http.Flusher).Flush()
			<-received
		}
	}))
	both(t, p.path, func(t *testing.T, rt http.RoundTripper) {
		resp, err := rt.RoundTrip(newRequest(t, "GET", "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		lines := bufio.NewReader(resp.Body)
		for i := range 5 {
			event, err := lines.ReadString('\n')
			if want := fmt.Sprintf("data: %d\n", i); event != want || err != nil {
				t.Fatalf("got %q, %v, want %q", event, err, want)
			}
			if _, err := lines.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			received <- struct{}{}
		}
		if rest, err := io.ReadAll(lines); len(rest) > 0 || err != nil {
			t.Errorf("after the last event: %q, %v", rest, err)
		}
	})
}

// TestEventsThroughWriteTo is the same for a copy of the body.
func TestEventsThroughWriteTo(t *testing.T) {
	received := make(chan struct{})
	p := startPlugin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i := range 5 {
			fmt.Fprintf(w, "%d", i)
			w.(http.Flusher).Flush()
			<-received
		}
	}))
	resp, err := lean(t, p.path, Options{}).RoundTrip(newRequest(t, "GET", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got []string
	n, err := resp.Body.(io.WriterTo).WriteTo(writerFunc(func(p []byte) (int, error) {
		got = append(got, string(p))
		received <- struct{}{}
		return len(p), nil
	}))
	if diff := cmp.Diff([]string{"0", "1", "2", "3", "4"}, got); diff != "" || n != 5 || err != nil {
		t.Errorf("%d, %v, pieces:\n%s", n, err, diff)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestLongTrailer reads trailers that do not fit into the connection's buffer
// and come in one piece with the end of a large body.
func TestLongTrailer(t *testing.T) {
	long := strings.Repeat("x", 20<<10)
	path := rawPlugin(t, answering(chunk+"4000\r\n"+kib8+kib8+"\r\n0\r\nX-Long: "+long+"\r\nX-End: 1\r\n\r\n"))
	tr := lean(t, path, Options{})
	for _, piece := range []int{1, 100, 5000, 20_000, 1 << 20} {
		resp, err := tr.RoundTrip(newRequest(t, "GET", "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{resp.Body}, make([]byte, piece))
		if n != 16<<10 || err != nil || resp.Trailer.Get("X-Long") != long || resp.Trailer.Get("X-End") != "1" {
			t.Errorf("in pieces of %d: %d bytes, %v, %d trailers", piece, n, err, len(resp.Trailer))
		}
		resp.Body.Close()
	}
}

// TestUpgrade switches protocols and echoes, with bytes that come together
// with the 101 answer.
func TestUpgrade(t *testing.T) {
	p := startPlugin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		if r.Header.Get("Upgrade") != "echo" {
			t.Errorf("upgrade arrived as %v", r.Header)
		}
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nwelcome\n")
		_ = rw.Flush()
		_, _ = io.Copy(c, rw)
	}))
	both(t, p.path, func(t *testing.T, rt http.RoundTripper) {
		ctx, cancel := context.WithCancel(context.Background())
		req := newRequest(t, "GET", "/", nil).WithContext(ctx)
		req.Header = withHeader("Connection", "keep-alive, Upgrade", "Upgrade", "echo")
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		cancel() // the connection is the caller's now
		if resp.StatusCode != 101 || resp.Header.Get("Upgrade") != "echo" || resp.Header.Get("Connection") != "Upgrade" {
			t.Fatalf("got %s %v", resp.Status, resp.Header)
		}
		c := resp.Body.(io.ReadWriteCloser)
		defer c.Close()
		if _, err := io.WriteString(c, "hello\n"); err != nil {
			t.Fatal(err)
		}
		if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(c)
		if string(got) != "welcome\nhello\n" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

// TestUpgradeToAnother refuses a protocol that was not asked for.
func TestUpgradeToAnother(t *testing.T) {
	path := rawPlugin(t, answering("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: shell\r\n\r\n"))
	req := newRequest(t, "GET", "/", nil)
	req.Header = withHeader("Connection", "Upgrade", "Upgrade", "websocket, echo")
	if resp, err := lean(t, path, Options{}).RoundTrip(req); err == nil {
		t.Errorf("got %s %v", resp.Status, resp.Header)
	}
}

// TestKeepAlive makes calls of every kind over one connection.
func TestKeepAlive(t *testing.T) {
	p := startPlugin(t, http.HandlerFunc(echo))
	calls := 0
	both(t, p.path, func(t *testing.T, rt http.RoundTripper) {
		before := p.l.accepted()
		for range 5 {
			for _, body := range []io.Reader{
				nil, strings.NewReader("hello"), newStream(strings.NewReader("hello")), strings.NewReader(mib4[:300_000]), newStream(strings.NewReader(mib4[:300_000])),
			} {
				mustDo(t, rt, newRequest(t, "POST", "/", body))
				calls++
			}
		}
		if n := p.l.accepted() - before; n != 1 {
			t.Errorf("%d calls used %d connections", calls, n)
		}
	})
}

// TestParallel makes many calls at once and checks that no answer is another's.
func TestParallel(t *testing.T) {
	p := startPlugin(t, http.HandlerFunc(echo))
	both(t, p.path, func(t *testing.T, rt http.RoundTripper) {
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				for j := range 5 {
					body := strings.Repeat(fmt.Sprintf("%d.%d ", i, j), 1+i*i)
					resp, err := rt.RoundTrip(newRequest(t, "POST", "/", strings.NewReader(body)))
					if err != nil {
						t.Error(err)
						return
					}
					got, err := io.ReadAll(resp.Body)
					resp.Body.Close()
					if string(got) != body || err != nil {
						t.Errorf("call %d.%d got %.40q, %v", i, j, got, err)
					}
				}
			})
		}
		all.Wait()
	})
}

// TestBackPressure reads a large answer slowly: the plugin must never be ahead
// by more than the socket buffers.
func TestBackPressure(t *testing.T) {
	const total, ahead = 128 << 20, 24 << 20
	var written atomic.Int64
	p := startPlugin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		written.Store(0)
		piece := make([]byte, 64<<10)
		for sent := 0; sent < total; sent += len(piece) {
			if _, err := w.Write(piece); err != nil {
				return
			}
			written.Add(int64(len(piece)))
		}
	}))
	both(t, p.path, func(t *testing.T, rt http.RoundTripper) {
		resp, err := rt.RoundTrip(newRequest(t, "GET", "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		piece := make([]byte, 256<<10)
		for read := int64(0); ; {
			n, err := io.ReadFull(resp.Body, piece)
			read += int64(n)
			if w := written.Load(); w > read+ahead {
				t.Fatalf("plugin wrote %d when %d were read", w, read)
			}
			if err != nil {
				if read != total {
					t.Errorf("read %d, %v", read, err)
				}
				return
			}
		}
	})
}

// TestUploadBackPressure has a plugin that reads nothing of a large upload: no
// more may be taken from the client than fits into the socket buffers.
func TestUploadBackPressure(t *testing.T) {
	taken := &countingReader{}
	release := make(chan struct{})
	path := rawPlugin(t, func(c net.Conn) {
		_ = readRequestHead(c)
		<-release
	})
	body := newStream(taken)
	req := newRequest(t, "POST", "/", body)
	req.ContentLength = 10 << 30
	done := make(chan error)
	go func() {
		_, err := lean(t, path, Options{}).RoundTrip(req)
		done <- err
	}()
	taken.wait()
	if n := taken.n.Load(); n > 24<<20 {
		t.Errorf("%d bytes were taken", n)
	}
	close(release)
	if err := <-done; err == nil {
		t.Error("the call of a plugin that read nothing succeeded")
	}
	<-body.closed
}

// TestCloseDuringRead ends a read that waits, from another goroutine, and the
// connection with it.
func TestCloseDuringRead(t *testing.T) {
	p := startPlugin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			_, _ = io.WriteString(w, "hello")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	}))
	both(t, p.path, func(t *testing.T, rt http.RoundTripper) {
		resp, err := rt.RoundTrip(newRequest(t, "GET", "/wait", nil))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(resp.Body, make([]byte, 5)); err != nil {
			t.Fatal(err)
		}
		read := make(chan error)
		go func() {
			_, err := resp.Body.Read(make([]byte, 5))
			read <- err
		}()
		resp.Body.Close()
		if err := <-read; err == nil || err == io.EOF {
			t.Errorf("got %v", err)
		}
		if _, err := resp.Body.Read(make([]byte, 5)); err == nil || err == io.EOF {
			t.Errorf("after Close: %v", err)
		}
		mustGet(t, rt, "/")
	})
}

// TestCloseUnread drops an answer that nobody wants.
func TestCloseUnread(t *testing.T) {
	p := startPlugin(t, http.HandlerFunc(content))
	both(t, p.path, func(t *testing.T, rt http.RoundTripper) {
		for range 3 {
			resp, err := rt.RoundTrip(newRequest(t, "GET", "/", nil))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if got := mustGet(t, rt, "/"); got != kib8 {
				t.Errorf("got %q", got)
			}
		}
	})
}

// countingReader counts what is read, and knows when nobody reads on.
type countingReader struct{ n atomic.Int64 }

func (r *countingReader) Read(p []byte) (int, error) {
	r.n.Add(int64(len(p)))
	return len(p), nil
}

// wait returns when the count has stayed the same for a while. Too early a
// return makes the test weaker, never wrong.
func (r *countingReader) wait() {
	for last, same := int64(-1), 0; same < 50; same++ {
		if n := r.n.Load(); n != last || n == 0 {
			last, same = n, 0
		}
		time.Sleep(time.Millisecond)
	}
}
