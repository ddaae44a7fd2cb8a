package dataplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestStrictHead lists answers that net/http lets pass, or that have two
// meanings: they are no answer at all here.
func TestStrictHead(t *testing.T) {
	tests := map[string]string{
		"folded line":                "HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n",
		"space before the colon":     "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
		"length and chunks":          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunked twice":              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunked and more":           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"chunks in 1.0":              "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"list of lengths":            "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
		"empty length":               "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
		"status 000":                 "HTTP/1.1 000 None\r\nContent-Length: 0\r\n\r\n",
		"status 099":                 "HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n",
		"status 600":                 "HTTP/1.1 600 High\r\nContent-Length: 0\r\n\r\n",
		"status 999":                 "HTTP/1.1 999 High\r\nContent-Length: 0\r\n\r\n",
		"no space after the status":  "HTTP/1.1 200OK\r\nContent-Length: 0\r\n\r\n",
		"two spaces":                 "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n",
		"lower case":                 "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"http/1.2":                   "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n",
		"line feeds only":            "HTTP/1.1 200 OK\nContent-Length: 0\n\r\n\r\n",
		"line feed in the header":    "HTTP/1.1 200 OK\r\nX-A: 1\nX-B: 2\r\nContent-Length: 0\r\n\r\n",
		"carriage return in a value": "HTTP/1.1 200 OK\r\nX-A: 1\r2\r\nContent-Length: 0\r\n\r\n",
		"nul in a value":             "HTTP/1.1 200 OK\r\nX-A: 1\x002\r\nContent-Length: 0\r\n\r\n",
		"escape in the reason":       "HTTP/1.1 200 \x1b[31m\r\nContent-Length: 0\r\n\r\n",
		"no name":                    "HTTP/1.1 200 OK\r\n: 1\r\nContent-Length: 0\r\n\r\n",
		"name with a space":          "HTTP/1.1 200 OK\r\nX A: 1\r\nContent-Length: 0\r\n\r\n",
		"trailer for framing":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\n\r\n",
		"switch nobody asked for":    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
		"interim, then garbage":      "HTTP/1.1 103 Early Hints\r\n\r\nhello",
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			tr := lean(t, rawPlugin(t, answering(answer)), Options{})
			resp, err := tr.RoundTrip(newRequest(t, "GET", "/", nil))
			if !errors.Is(err, ErrBadResponse) {
				t.Errorf("got %v, %v, want ErrBadResponse", resp, err)
			}
		})
	}
}

// TestStrictBody lists bodies that go wrong after a good head.
func TestStrictBody(t *testing.T) {
	tests := map[string]struct {
		answer string
		want   error
	}{
		"line feeds only":         {chunk + "5\nhello\n0\n\n", ErrBadResponse},
		"no size":                 {chunk + "\r\nhello\r\n0\r\n\r\n", ErrBadResponse},
		"space before the size":   {chunk + " 5\r\nhello\r\n0\r\n\r\n", ErrBadResponse},
		"signed size":             {chunk + "+5\r\nhello\r\n0\r\n\r\n", ErrBadResponse},
		"hexadecimal prefix":      {chunk + "0x5\r\nhello\r\n0\r\n\r\n", ErrBadResponse},
		"endless extension":       {chunk + "5;" + strings.Repeat("x", 2000) + "\r\nhello\r\n0\r\n\r\n", ErrBadResponse},
		"control in an extension": {chunk + "5;\x00\r\nhello\r\n0\r\n\r\n", ErrBadResponse},
		"folded trailer":          {chunk + "0\r\nX-A: 1\r\n 2\r\n\r\n", ErrBadResponse},
		"trailer for framing":     {chunk + "0\r\nContent-Length: 5\r\n\r\n", ErrBadResponse},
		"endless trailer":         {chunk + "0\r\nX-A: " + strings.Repeat("x", 100<<10) + "\r\n\r\n", ErrBadResponse},
		"cut off in the trailer":  {chunk + "0\r\nX-A: 1\r\n", io.ErrUnexpectedEOF},
		"cut off before it":       {chunk + "0\r\n", io.ErrUnexpectedEOF},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tr := lean(t, rawPlugin(t, answering(test.answer)), Options{})
			resp, err := tr.RoundTrip(newRequest(t, "GET", "/", nil))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if _, err := io.Copy(io.Discard, resp.Body); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// TestBadRequest lists requests that would say something else on the wire.
func TestBadRequest(t *testing.T) {
	tests := map[string]func(*http.Request){
		"connect":             func(r *http.Request) { r.Method = "CONNECT" },
		"method with a space": func(r *http.Request) { r.Method = "GET /other HTTP/1.1\r\nX:" },
		"no url":              func(r *http.Request) { r.URL = nil },
		"no host":             func(r *http.Request) { r.Host, r.URL.Host = "", "" },
		"host with a line":    func(r *http.Request) { r.Host = "a\r\nX-Injected: 1" },
		"target with a line":  func(r *http.Request) { r.URL = &url.URL{Opaque: "/a HTTP/1.1\r\nX-Injected: 1"} },
		"target with a space": func(r *http.Request) { r.URL.RawQuery = "a b" },
		"name with a line":    func(r *http.Request) { r.Header["X-A\r\nX-B"] = []string{"1"} },
		"empty name":          func(r *http.Request) { r.Header[""] = []string{"1"} },
		"value with a line":   func(r *http.Request) { r.Header["X-A"] = []string{"1\r\nX-B: 2"} },
		"value with a nul":    func(r *http.Request) { r.Header["X-A"] = []string{"1\x00"} },
		"length without body": func(r *http.Request) { r.Body, r.ContentLength = nil, 5 },
		"trailer for framing": func(r *http.Request) { r.ContentLength, r.Trailer = -1, withHeader("Content-Length", "1") },
		"trailer with a line": func(r *http.Request) { r.ContentLength, r.Trailer = -1, withHeader("X-A", "1\r\n") },
	}
	dial := func(context.Context) (net.Conn, error) { return nil, errors.New("dialled") }
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			body := newStream(strings.NewReader("hello"))
			req := newRequest(t, "POST", "/", body)
			req.ContentLength = 5
			spoil(req)
			_, err := New(dial, Options{}).RoundTrip(req)
			if !errors.Is(err, ErrBadRequest) {
				t.Errorf("got %v, want ErrBadRequest", err)
			}
			if req.Body != nil && body.closeCount() != 1 {
				t.Errorf("body closed %d times", body.closeCount())
			}
		})
	}
}

// TestHopByHop looks at a request and an answer full of fields that are not
// for the next hop.
func TestHopByHop(t *testing.T) {
	var got http.Header
	p := startPlugin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		got.Set("Host", r.Host)
		got.Set("X-Framing", fmt.Sprint(r.ContentLength, r.TransferEncoding))
		for name, values := range withHeader(
			"Connection", "X-Hop, Content-Length", "Connection", "keep-alive", "Keep-Alive", "timeout=5", "Proxy-Authenticate", "Basic",
			"Upgrade", "h2c", "X-Hop", "1", "X-End", "2", "Content-Type", "text/plain",
		) {
			w.Header()[name] = values
		}
		_, _ = io.WriteString(w, "hello")
	}))
	req := newRequest(t, "PUT", "/", strings.NewReader("hello"))
	req.Host = "study.local:6969"
	req.Header = withHeader(
		"Connection", "close, X-Hop, Salita-Caller-Id, Host, content-length", "Keep-Alive", "timeout=5", "Te", "trailers, deflate",
		"Proxy-Authorization", "Basic x", "Proxy-Connection", "close", "Transfer-Encoding", "chunked", "Trailer", "X-T",
		"Content-Length", "77", "Host", "forged", "Expect", "100-continue", "Upgrade", "h2c",
		"X-Hop", "1", "X-End", "2", "Salita-Caller-Id", "abc",
	)
	resp, err := lean(t, p.path, Options{}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); string(body) != "hello" || err != nil {
		t.Errorf("got %q, %v", body, err)
	}
	want := withHeader("Host", "study.local:6969", "X-Framing", "5 []", "Content-Length", "5", "Te", "trailers", "X-End", "2", "Salita-Caller-Id", "abc")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	resp.Header.Del("Date")
	if diff := cmp.Diff(withHeader("X-End", "2", "Content-Type", "text/plain", "Content-Length", "5"), resp.Header); diff != "" {
		t.Errorf("response (-want +got):\n%s", diff)
	}
}

// TestTarget checks that a request's target arrives byte for byte.
func TestTarget(t *testing.T) {
	p := startPlugin(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RequestURI) }))
	tr := lean(t, p.path, Options{})
	for _, target := range []string{"/", "/a%2Fb/c", "/%C3%A9?q=%20+x&y", "/a//b/../c", "/?"} {
		req := newRequest(t, "OPTIONS", "", nil)
		req.URL = &url.URL{Opaque: target}
		if path, query, ok := strings.Cut(target, "?"); ok {
			req.URL = &url.URL{Opaque: path, RawQuery: query, ForceQuery: query == ""}
		}
		if got := mustDo(t, tr, req); got != target {
			t.Errorf("%s arrived as %s", target, got)
		}
	}
}
