//go:build !race

package dataplane

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestAllocations bounds what a small call costs the garbage collector. The
// race detector allocates by itself, hence the build tag.
func TestAllocations(t *testing.T) {
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\n\r\nhello")
	path := rawPlugin(t, func(c net.Conn) {
		buf := make([]byte, 4096) // a small call arrives in one piece
		for _, err := c.Read(buf); err == nil; _, err = c.Read(buf) {
			_, _ = c.Write(answer)
		}
	})
	tr := lean(t, path, Options{})
	text := strings.Repeat("x", 200)
	body := strings.NewReader(text)
	req := newRequest(t, "POST", "/small", nil).WithContext(t.Context())
	req.Body, req.ContentLength = io.NopCloser(body), 200
	into := make([]byte, 512)
	got := testing.AllocsPerRun(200, func() {
		body.Reset(text)
		callOnce(t, tr, req, into)
	})
	// The call itself, the head's text, its header map and values, and the watch
	// on the context.
	if got > 8 {
		t.Errorf("a small call made %v allocations", got)
	}
}

func callOnce(t *testing.T, tr *Transport, req *http.Request, into []byte) {
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(resp.Body, into[:5]); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}
