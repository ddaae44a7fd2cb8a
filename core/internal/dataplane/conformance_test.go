package dataplane

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// outcome is all that a caller can see of a call.
type outcome struct {
	Failed  bool // RoundTrip returned an error
	Status  string
	Proto   string
	Length  int64
	Coding  []string
	Header  http.Header
	Trailer http.Header
	Body    string
	BodyErr string // "", "cut off" or "other"
}

func observe(rt http.RoundTripper, req *http.Request) outcome {
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return outcome{Failed: true}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	o := outcome{
		Status: resp.Status, Proto: resp.Proto, Length: resp.ContentLength, Coding: resp.TransferEncoding,
		Header: resp.Header.Clone(), Trailer: resp.Trailer, Body: string(body),
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		o.BodyErr = "cut off"
	case err != nil:
		o.BodyErr = "other"
	}
	o.Header.Del("Date")
	o.Header.Del("Connection") // net/http leaves it in
	return o
}

// exchange is one row of the conformance table: a handler or raw bytes answer,
// and both transports must make the same of it.
type exchange struct {
	name    string
	handler http.HandlerFunc
	raw     string
	method  string // GET
	body    func() io.ReadCloser
	length  int64 // of body; -1: unknown
	header  http.Header
	trailer http.Header
	want    outcome // of it, the fields that are set
}

func (e exchange) request(t *testing.T) *http.Request {
	method := e.method
	if method == "" {
		method = "GET"
	}
	req := newRequest(t, method, "/thing?q=1", nil)
	if e.body != nil {
		req.Body, req.ContentLength = e.body(), e.length
	}
	if e.header != nil {
		req.Header = e.header.Clone()
	}
	if e.trailer != nil {
		req.Trailer = e.trailer.Clone()
	}
	return req
}

func of(s string) func() io.ReadCloser {
	return func() io.ReadCloser { return io.NopCloser(strings.NewReader(s)) }
}

var (
	kib8  = strings.Repeat("0123456789abcdef", 512)
	mib4  = strings.Repeat("0123456789abcdef", 256<<10)
	chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
)

func content(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Etag", `"v1"`)
	http.ServeContent(w, r, "thing.txt", time.Unix(1700000000, 0), strings.NewReader(kib8))
}

func withHeader(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// exchanges by a real net/http server.
var served = []exchange{
	{name: "get", handler: content, want: outcome{Status: "200 OK", Length: 8192, Body: kib8}},
	{name: "get nothing", handler: func(http.ResponseWriter, *http.Request) {}, want: outcome{Status: "200 OK"}},
	{name: "head", method: "HEAD", handler: content, want: outcome{Status: "200 OK", Length: 8192}},
	{name: "head without length", method: "HEAD", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
	}, want: outcome{Status: "200 OK", Length: -1}},
	{name: "no content", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}, want: outcome{Status: "204 No Content"}},
	{name: "not modified", header: withHeader("If-None-Match", `"v1"`), handler: content, want: outcome{Status: "304 Not Modified"}},
	{name: "range", header: withHeader("Range", "bytes=10-19"), handler: content, want: outcome{Status: "206 Partial Content", Length: 10, Body: "abcdef0123"}},
	{name: "suffix range", header: withHeader("Range", "bytes=-3"), handler: content, want: outcome{Body: "def"}},
	{name: "range out of bounds", header: withHeader("Range", "bytes=9000-"), handler: content, want: outcome{Status: "416 Requested Range Not Satisfiable"}},
	{name: "redirect is not followed", handler: http.RedirectHandler("/other", http.StatusFound).ServeHTTP, want: outcome{Status: "302 Found"}},
	{name: "post", method: "POST", body: of("hello"), length: 5, handler: echo, want: outcome{Body: "hello"}},
	{name: "post nothing", method: "POST", handler: echo, want: outcome{Status: "200 OK"}},
	{name: "put 8 KiB", method: "PUT", body: of(kib8), length: 8192, handler: echo, want: outcome{Body: kib8}},
	{name: "put 8 KiB and one", method: "PUT", body: of(kib8 + "x"), length: 8193, handler: echo, want: outcome{Body: kib8 + "x"}},
	{name: "put 4 MiB", method: "PUT", body: of(mib4), length: 4 << 20, handler: echo, want: outcome{Body: mib4}},
	{name: "put of unknown length", method: "PUT", body: of(mib4), length: -1, handler: echo, want: outcome{Body: mib4}},
	{name: "put of unknown length, nothing", method: "PUT", body: of(""), length: -1, handler: echo, want: outcome{Status: "200 OK"}},
	{name: "request trailer", method: "PUT", body: of("hello"), length: -1, trailer: withHeader("X-Sum", "5"), handler: echo, want: outcome{Body: "hello"}},
	{name: "chunks", handler: func(w http.ResponseWriter, _ *http.Request) {
		for range 100 {
			_, _ = io.WriteString(w, kib8)
			w.(http.Flusher).Flush()
		}
	}, want: outcome{Length: -1, Coding: []string{"chunked"}, Body: strings.Repeat(kib8, 100)}},
	{name: "response trailers", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum, X-Late")
		_, _ = io.WriteString(w, "hello")
		w.Header().Set("X-Sum", "5")
		w.Header().Set("X-Late", "yes")
		w.Header().Set(http.TrailerPrefix+"X-Surprise", "also")
	}, want: outcome{Body: "hello", Trailer: http.Header{"X-Sum": {"5"}, "X-Late": {"yes"}, "X-Surprise": {"also"}}}},
	{name: "interim answers", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusProcessing)
		_, _ = io.WriteString(w, "final")
	}, want: outcome{Status: "200 OK", Body: "final"}},
	{name: "early refusal of 64 MiB", method: "PUT", length: 64 << 20, body: func() io.ReadCloser {
		return io.NopCloser(io.LimitReader(zeros{}, 64<<20))
	}, handler: func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	}, want: outcome{Status: "413 Request Entity Too Large", Body: "too large\n"}},
	{name: "early refusal without a word", method: "PUT", length: 64 << 20, body: func() io.ReadCloser {
		return io.NopCloser(io.LimitReader(zeros{}, 64<<20))
	}, handler: func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	}, want: outcome{Status: "413 Request Entity Too Large"}},
	{name: "both ways at once", method: "POST", body: of(mib4), length: -1, handler: func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		_, _ = io.Copy(w, r.Body)
	}, want: outcome{Body: mib4}},
	{name: "handler panics before the head", handler: func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	}, want: outcome{Failed: true}},
	{name: "handler panics inside of a length", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100000")
		_, _ = io.WriteString(w, kib8)
		panic(http.ErrAbortHandler)
	}, want: outcome{Length: 100000, BodyErr: "cut off"}},
	{name: "handler panics inside of chunks", handler: func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}, want: outcome{Body: "hello", BodyErr: "cut off"}},
	{name: "body shorter than declared", method: "PUT", body: of(kib8 + kib8), length: 20000, handler: echo, want: outcome{Failed: true}},
	{name: "small body shorter than declared", method: "PUT", body: of("hell"), length: 5, handler: echo, want: outcome{Failed: true}},
}

// exchanges with bytes that no Go server would send.
var said = []exchange{
	{name: "cut off length", raw: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", want: outcome{Body: "hello", BodyErr: "cut off"}},
	{name: "cut off in a chunk", raw: chunk + "a\r\nhello", want: outcome{Body: "hello", BodyErr: "cut off"}},
	{name: "cut off between chunks", raw: chunk + "5\r\nhello\r\n", want: outcome{Body: "hello", BodyErr: "cut off"}},
	{name: "cut off in a chunk size", raw: chunk + "5\r\nhello\r\n1", want: outcome{Body: "hello", BodyErr: "cut off"}},
	{name: "cut off head", raw: "HTTP/1.1 200 OK\r\nContent-Le", want: outcome{Failed: true}},
	{name: "no answer", raw: "", want: outcome{Failed: true}},
	{name: "garbage", raw: "hello, who is there?\r\n", want: outcome{Failed: true}},
	{name: "garbage status", raw: "HTTP/1.1 2x0 OK\r\n\r\n", want: outcome{Failed: true}},
	{name: "long status", raw: "HTTP/1.1 2000 OK\r\n\r\n", want: outcome{Failed: true}},
	{name: "http/2", raw: "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n", want: outcome{Failed: true}},
	{name: "line without a colon", raw: "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", want: outcome{Failed: true}},
	{name: "negative length", raw: "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", want: outcome{Failed: true}},
	{name: "signed length", raw: "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello", want: outcome{Failed: true}},
	{name: "endless length", raw: "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\nhello", want: outcome{Failed: true}},
	{name: "two lengths", raw: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", want: outcome{Failed: true}},
	{name: "unknown coding", raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello", want: outcome{Failed: true}},
	{name: "bad chunk size", raw: chunk + "5\r\nhello\r\nxyz\r\n", want: outcome{Body: "hello", BodyErr: "other"}},
	{name: "chunk size too large", raw: chunk + "5\r\nhello\r\n10000000000000000\r\n", want: outcome{Body: "hello", BodyErr: "other"}},
	{name: "chunk longer than its size", raw: chunk + "5\r\nhello!\r\n0\r\n\r\n", want: outcome{Body: "hello", BodyErr: "other"}},
	{name: "chunk extensions", raw: chunk + "5;a=b;c\r\nhello\r\nA \r\n0123456789\r\n0;end\r\n\r\n", want: outcome{Body: "hello0123456789"}},
	{name: "unannounced trailer", raw: chunk + "0\r\nx-sum: 0\r\n\r\n", want: outcome{Trailer: http.Header{"X-Sum": {"0"}}}},
	{name: "until the end", raw: "HTTP/1.1 200 OK\r\n\r\nhello", want: outcome{Length: -1, Body: "hello"}},
	{name: "http/1.0", raw: "HTTP/1.0 200 OK\r\n\r\nhello", want: outcome{Proto: "HTTP/1.0", Length: -1, Body: "hello"}},
	{name: "http/1.0 with length", raw: "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", want: outcome{Length: 5, Body: "hello"}},
	{name: "length said twice", raw: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", want: outcome{Length: 5, Body: "hello"}},
	{name: "more than its length", raw: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more", want: outcome{Length: 5, Body: "hello"}},
	{name: "no reason", raw: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", want: outcome{Status: "200"}},
	{name: "empty reason", raw: "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", want: outcome{Status: "200 "}},
	{name: "names and values", raw: "HTTP/1.1 200 OK\r\ncontent-length:0\r\nx-ODD_name:  a b\t\r\nX-Many: 1\r\nx-many: 2\r\nX-Empty:\r\n\r\n", want: outcome{Header: http.Header{
		"Content-Length": {"0"}, "X-Odd_name": {"a b"}, "X-Many": {"1", "2"}, "X-Empty": {""},
	}}},
	{name: "not modified with a length", raw: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", want: outcome{Header: http.Header{"Content-Length": {"5"}}}},
	{name: "head too large", raw: "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-Large: "+strings.Repeat("x", 1000)+"\r\n", 100) + "\r\n", want: outcome{Failed: true}},
	{name: "one line too large", raw: "HTTP/1.1 200 OK\r\nX-Large: " + strings.Repeat("x", 100<<10) + "\r\n\r\n", want: outcome{Failed: true}},
	{name: "head nearly too large", raw: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Large: " + strings.Repeat("x", 60<<10) + "\r\n\r\nok", want: outcome{Body: "ok"}},
	{name: "endless interim answers", raw: strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: <"+strings.Repeat("x", 1000)+">\r\n\r\n", 200), want: outcome{Failed: true}},
}

// TestConformance holds this transport against net/http's: whatever a caller
// can see must be the same, and what the table says.
func TestConformance(t *testing.T) {
	for _, e := range append(served, said...) {
		t.Run(e.name, func(t *testing.T) {
			var path string
			if e.handler != nil {
				p := startPlugin(t, e.handler)
				p.server.ErrorLog = quiet
				path = p.path
			} else {
				path = rawPlugin(t, answering(e.raw))
			}
			net := netTransport(dialUnix(path))
			defer net.CloseIdleConnections()
			theirs := observe(net, e.request(t))
			ours := observe(lean(t, path, Options{}), e.request(t))
			if diff := cmp.Diff(theirs, ours); diff != "" {
				t.Errorf("net/http (-) and this transport (+) differ:\n%s", diff)
			}
			e.check(t, ours)
		})
	}
}

// check compares the fields of want that say something.
func (e exchange) check(t *testing.T, got outcome) {
	t.Helper()
	want := e.want
	if got.Failed != want.Failed || got.BodyErr != want.BodyErr ||
		want.Status != "" && got.Status != want.Status ||
		want.Proto != "" && got.Proto != want.Proto ||
		want.Length != 0 && got.Length != want.Length ||
		want.Body != "" && got.Body != want.Body {
		t.Errorf("got %+.200v\nwant %+.200v", got, want)
	}
	for _, h := range []struct{ got, want http.Header }{{got.Header, want.Header}, {got.Trailer, want.Trailer}} {
		if h.want != nil && !cmp.Equal(h.got, h.want) {
			t.Errorf("got %v, want %v", h.got, h.want)
		}
	}
}

// TestEndlessHead is a peer that never stops sending header lines.
func TestEndlessHead(t *testing.T) {
	path := rawPlugin(t, func(c net.Conn) {
		line := bytes.Repeat([]byte("X-Endless: yes\r\n"), 64)
		for _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n"); err == nil; _, err = c.Write(line) {
		}
	})
	both(t, path, func(t *testing.T, rt http.RoundTripper) {
		if _, err := rt.RoundTrip(newRequest(t, "GET", "/", nil)); err == nil {
			t.Error("an endless head was accepted")
		}
	})
}
