package dataplane

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestBodyEnds looks at how a request's body can go wrong, in each of the ways
// it is sent. The plugin must never take such a body for a whole one.
func TestBodyEnds(t *testing.T) {
	broken := errors.New("client went away")
	tests := map[string]struct {
		body   io.Reader
		length int64
		want   error
	}{
		"small, too short":   {strings.NewReader("hell"), 5, io.ErrUnexpectedEOF},
		"small, empty":       {strings.NewReader(""), 5, io.ErrUnexpectedEOF},
		"small, too long":    {strings.NewReader("hello!"), 5, ErrRequestBody},
		"small, broken":      {io.MultiReader(strings.NewReader("hell"), failing{broken}), 5, broken},
		"large, too short":   {strings.NewReader(mib4), 5 << 20, io.ErrUnexpectedEOF},
		"large, too long":    {strings.NewReader(mib4), 4<<20 - 1, ErrRequestBody},
		"large, broken":      {io.MultiReader(strings.NewReader(mib4), failing{broken}), 5 << 20, broken},
		"unknown, broken":    {io.MultiReader(strings.NewReader("hello"), failing{broken}), -1, broken},
		"no progress":        {failing{nil}, -1, io.ErrNoProgress},
		"no progress, known": {failing{nil}, 1 << 20, io.ErrNoProgress},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			whole := make(chan bool, 1)
			p := startPlugin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, err := io.Copy(io.Discard, r.Body)
				whole <- err == nil
				<-r.Context().Done()
			}))
			tr := lean(t, p.path, Options{})
			body := newStream(test.body)
			req := newRequest(t, "PUT", "/", body)
			req.ContentLength = test.length
			_, err := tr.RoundTrip(req)
			if !errors.Is(err, ErrRequestBody) || !errors.Is(err, test.want) {
				t.Errorf("got %v, want ErrRequestBody and %v", err, test.want)
			}
			<-body.closed
			if n := body.closeCount(); n != 1 {
				t.Errorf("body closed %d times", n)
			}
			tr.Close()
			p.server.Close()
			select {
			case complete := <-whole:
				if complete && name != "large, too long" {
					t.Error("the plugin took it for a whole body")
				}
			default: // it never saw the request
			}
		})
	}
}

// failing fails every Read, or reads nothing for ever.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestTooLongIsNotSent checks the one case that a server cannot tell: the
// surplus byte is noticed before the last piece goes out.
func TestTooLongIsNotSent(t *testing.T) {
	got := make(chan int64, 1)
	path := rawPlugin(t, func(c net.Conn) {
		_ = readRequestHead(c)
		n, _ := io.Copy(io.Discard, c)
		got <- n
	})
	req := newRequest(t, "PUT", "/", newStream(strings.NewReader(mib4)))
	req.ContentLength = 4<<20 - 1
	if _, err := lean(t, path, Options{}).RoundTrip(req); !errors.Is(err, ErrRequestBody) {
		t.Fatal(err)
	}
	if n := <-got; n >= 4<<20-1 {
		t.Errorf("%d bytes arrived", n)
	}
}

// TestCloseWaitsForSender has a plugin that answers while the client is still
// sending, and a client that then says nothing more: Close must not return
// before the body was let go, and the body may be used right after it.
func TestCloseWaitsForSender(t *testing.T) {
	p := startPlugin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "3")
		_, _ = io.WriteString(w, "no\n")
	}))
	pr, pw := io.Pipe()
	touched := &atomic.Int32{}
	body := newStream(readerFunc(func(b []byte) (int, error) {
		touched.Add(1)
		defer touched.Add(-1)
		return pr.Read(b)
	}))
	req := newRequest(t, "PUT", "/", body)
	req.ContentLength = 1 << 30
	resp, err := lean(t, p.path, Options{}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(resp.Body); string(got) != "no\n" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	closed := make(chan struct{})
	go func() {
		resp.Body.Close()
		if touched.Load() != 0 || body.closeCount() != 1 {
			t.Errorf("body in use: %d, closed %d times", touched.Load(), body.closeCount())
		}
		close(closed)
	}()
	select {
	case <-closed:
		t.Error("Close returned while the body was being read")
	case <-body.closed:
		t.Error("the body was closed while it was being read")
	default:
	}
	pw.CloseWithError(errors.New("deadline")) // what the client's connection does
	<-closed
	resp.Body.Close() // again is harmless
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestEarlyAnswerEndsTheConnection makes sure that what was not sent of one
// request never becomes part of the next.
func TestEarlyAnswerEndsTheConnection(t *testing.T) {
	p := startPlugin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "PUT" {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	}))
	tr := lean(t, p.path, Options{})
	for i := range 20 {
		body := newStream(io.LimitReader(zeros{}, 64<<20))
		req := newRequest(t, "PUT", "/", body)
		req.ContentLength = 64 << 20
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Fatalf("got %s", resp.Status)
		}
		resp.Body.Close()
		if n := body.closeCount(); n != 1 {
			t.Fatalf("body closed %d times after Close", n)
		}
		mustGet(t, tr, "/")
		if n := p.l.accepted(); n != i+2 {
			t.Fatalf("%d connections after %d early answers", n, i+1)
		}
	}
}

// TestAnswerBeforeHangup has a plugin that refuses an upload and hangs up in the
// same moment, with much of it unread: the refusal must get through, whatever
// happens to the sender's writes.
func TestAnswerBeforeHangup(t *testing.T) {
	path := rawPlugin(t, answering("HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 4\r\n\r\nno.\n"))
	tr := lean(t, path, Options{})
	for range 100 {
		req := newRequest(t, "PUT", "/", newStream(zeros{}))
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(resp.Body); resp.StatusCode != 413 || string(body) != "no.\n" || err != nil {
			t.Errorf("got %s %q, %v", resp.Status, body, err)
		}
		resp.Body.Close()
	}
}

// TestSenderKeepsTheConnection answers large uploads as soon as their last byte
// is there. However the sender and the reader of the answer interleave, a
// request that went out whole leaves its connection usable.
func TestSenderKeepsTheConnection(t *testing.T) {
	p := startPlugin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	tr := lean(t, p.path, Options{})
	for range 300 {
		req := newRequest(t, "PUT", "/", newStream(strings.NewReader(kib8+kib8)))
		req.ContentLength = 16 << 10
		mustDo(t, tr, req)
	}
	if n := p.l.accepted(); n != 1 {
		t.Errorf("300 uploads took %d connections", n)
	}
}

// pieces is a body that arrives in pieces; Pending says whether one is here.
type pieces struct {
	all  []string
	here int // how many of them have arrived; more come one by one
}

func (p *pieces) Pending() bool { return p.here > 0 && len(p.all) > 0 }

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.all) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.all[0])
	if p.all[0] = p.all[0][n:]; p.all[0] == "" {
		p.all = p.all[1:]
		p.here = max(0, p.here-1)
	}
	return n, nil
}

func (p *pieces) Close() error { return nil }

// writeLog notes the sizes of writes.
type writeLog struct {
	net.Conn
	sizes *[]int
}

func (w writeLog) Write(p []byte) (int, error) {
	*w.sizes = append(*w.sizes, len(p))
	return w.Conn.Write(p)
}

// TestPendingPiecesAreJoined looks at the writes that bodies turn into.
func TestPendingPiecesAreJoined(t *testing.T) {
	p := startPlugin(t, http.HandlerFunc(echo))
	record := strings.Repeat("x", 16<<10)
	tests := map[string]struct {
		body io.ReadCloser
		want []int
	}{
		"joined as far as they are here": {
			&pieces{all: []string{"a", "bc", "def", "ghij"}, here: 3}, []int{6, 4},
		},
		"written as they come": {
			newStream(io.MultiReader(strings.NewReader("a"), strings.NewReader("bc"))), []int{1, 2},
		},
		"small buffer first, large when it was full": {
			&pieces{all: strings.SplitAfter(strings.Repeat(record+"\n", 64), "\n"), here: 64}, nil,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var sizes []int
			tr := New(func(ctx context.Context) (net.Conn, error) {
				c, err := dialUnix(p.path)(ctx)
				return writeLog{c, &sizes}, err
			}, Options{})
			defer tr.Close()
			req := newRequest(t, "PUT", "/", nil)
			req.Body, req.ContentLength = test.body, -1
			mustDo(t, tr, req)
			// Without the head, the framing of each chunk and the last chunk.
			var got []int
			for _, n := range sizes[1 : len(sizes)-1] {
				got = append(got, n-len("1\r\n\r\n"))
			}
			if test.want != nil {
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("writes (-want +got):\n%s", diff)
				}
				return
			}
			if got[0] > smallBuffer || got[1] < largeBuffer-2*chunkOverhead {
				t.Errorf("1 MiB in writes of %v", got)
			}
		})
	}
}

// TestChunksOnTheWire pins the exact bytes of a body of unknown length.
func TestChunksOnTheWire(t *testing.T) {
	const want = "5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nX-Sum: 21\r\n\r\n"
	got := make(chan []byte, 1)
	path := rawPlugin(t, func(c net.Conn) {
		_ = readRequestHead(c)
		body := make([]byte, len(want))
		_, _ = io.ReadFull(c, body)
		got <- body
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	req := newRequest(t, "PUT", "/", nil)
	req.Trailer = http.Header{"X-Sum": nil}
	req.ContentLength = -1
	req.Body = newStream(io.MultiReader(strings.NewReader("hello"), strings.NewReader("0123456789abcdef"), readerFunc(func([]byte) (int, error) {
		req.Trailer.Set("X-Sum", "21") // as late as can be
		return 0, io.EOF
	})))
	mustDo(t, lean(t, path, Options{}), req)
	if body := <-got; string(body) != want {
		t.Errorf("got %q", body)
	}
}

// TestLateTrailer sets trailers that would be something else on the wire, after
// the request was checked.
func TestLateTrailer(t *testing.T) {
	p := startPlugin(t, http.HandlerFunc(echo))
	for name, late := range map[string]http.Header{
		"value": {"X-Sum": {"1\r\nX-Injected: 1"}}, "name": {"X-Sum\r\nX-Injected": {"1"}}, "framing": {"Content-Length": {"1"}},
	} {
		req := newRequest(t, "PUT", "/", nil)
		req.Trailer = http.Header{"X-Sum": nil}
		req.ContentLength = -1
		req.Body = newStream(readerFunc(func([]byte) (int, error) {
			maps.Copy(req.Trailer, late)
			return 0, io.EOF
		}))
		if resp, err := lean(t, p.path, Options{}).RoundTrip(req); !errors.Is(err, ErrRequestBody) {
			t.Errorf("%s: got %v, %v", name, resp, err)
		}
	}
}
