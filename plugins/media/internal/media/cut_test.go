package media

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/salita-mesh/salita/sdk"
)

func chmodAway(dir string) error { return os.Rename(dir, dir+"-away") }

// dial opens a bare connection, for requests that no client library sends.
func (s *server) dial(t *testing.T) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// settled waits until the server has given up on every request.
func (s *server) settled(t *testing.T) {
	t.Helper()
	s.Config.SetKeepAlivesEnabled(false)
	if err := s.Config.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestCutUploads(t *testing.T) {
	form, formType := formOf(t, filePart("a.jpg", "whole"), filePart("b.jpg", big(100_000)))
	raw := "POST /media/upload?filename=a.jpg HTTP/1.1\r\nHost: x\r\n"
	asForm := "POST /media/upload HTTP/1.1\r\nHost: x\r\nContent-Type: " + formType + "\r\n"
	tests := map[string]string{
		"nothing of a body":       raw + "Content-Length: 10\r\n\r\n",
		"half a body":             raw + "Content-Length: 100000\r\n\r\n" + big(50_000),
		"all but one byte":        raw + "Content-Length: 2000001\r\n\r\n" + big(2_000_000),
		"chunks without the last": raw + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"half a chunk":            raw + "Transfer-Encoding: chunked\r\n\r\nff\r\nhello",
		"half a form":             asForm + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(form)) + form[:len(form)/2],
		"form shorter than said":  asForm + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(form)+10) + form,
	}
	for name, request := range tests {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			c := s.dial(t)
			if _, err := io.WriteString(c, request); err != nil {
				t.Fatal(err)
			}
			// The sender is done and wrong, but still listens.
			if err := c.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			w, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Body.Close()
			wantError(t, w, http.StatusBadRequest, sdk.Invalid, "The file didn't arrive whole.")
			s.wantEmpty(t)
		})
	}
}

func TestSenderVanishes(t *testing.T) {
	s := start(t)
	c := s.dial(t)
	if _, err := io.WriteString(c, "POST /media/upload?filename=a.jpg HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n"+big(1_000_000)); err != nil {
		t.Fatal(err)
	}
	if err := c.SetLinger(0); err != nil { // a reset, as when a phone leaves the network
		t.Fatal(err)
	}
	c.Close()
	s.settled(t)
	if files, staged := folder(t, s.library); len(files)+len(staged) != 0 {
		t.Errorf("left behind: %q, %q", files, staged)
	}
}

func TestBodyLongerThanSaid(t *testing.T) {
	s := start(t)
	c := s.dial(t)
	if _, err := io.WriteString(c, "POST /media/upload?filename=a.jpg HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloworld"); err != nil {
		t.Fatal(err)
	}
	w, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	if got := decode[uploadBody](t, w, http.StatusCreated).Items[0]; got.SHA256 != hashOf("hello") {
		t.Errorf("item = %+v", got)
	}
}

// TestLyingTransport is a transport that ends a body early without an error,
// as some do on a half-closed connection.
func TestLyingTransport(t *testing.T) {
	s := start(t)
	form, formType := formOf(t, filePart("a.jpg", "a"))
	for _, body := range []string{"half", form} {
		r := httptest.NewRequest("POST", "/media/upload?filename=a.jpg", strings.NewReader(body))
		r.ContentLength = int64(len(body)) + 4
		if body == form {
			r.Header.Set("Content-Type", formType)
		}
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		wantError(t, w.Result(), http.StatusBadRequest, sdk.Invalid, "The file didn't arrive whole.")
	}
	s.wantEmpty(t)
}

func TestBodyOverALimit(t *testing.T) {
	s := start(t)
	r := httptest.NewRequest("POST", "/media/upload?filename=a.jpg", nil)
	w := httptest.NewRecorder()
	r.ContentLength = -1
	r.Body = http.MaxBytesReader(w, io.NopCloser(strings.NewReader("more than that")), 3)
	s.handler.ServeHTTP(w, r)
	wantError(t, w.Result(), http.StatusRequestEntityTooLarge, sdk.TooLarge, "That file is too large.")
	s.wantEmpty(t)
}

func TestSlowReader(t *testing.T) {
	s := start(t)
	content := big(32 << 20) // more than the sockets hold
	item := s.put(t, "a.mov", content)
	c := s.dial(t)
	if _, err := io.WriteString(c, "GET "+item.URL+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	// Others are served meanwhile, and the file may even be removed.
	if got := text(t, s.do(t, "GET", item.URL, nil)); got != content {
		t.Errorf("another reader got %d bytes", len(got))
	}
	s.do(t, "DELETE", item.URL, nil)
	w, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	if got := text(t, w); got != content {
		t.Errorf("the slow reader got %d other bytes", len(got))
	}
}

func TestReaderVanishes(t *testing.T) {
	s := start(t)
	item := s.put(t, "a.mov", big(16<<20))
	c := s.dial(t)
	if _, err := io.WriteString(c, "GET "+item.URL+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	s.settled(t)
}

// TestRequestGivenUp: nobody waits for the answer, and it must not be a success.
func TestRequestGivenUp(t *testing.T) {
	s := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	defer func() {
		if v := recover(); v != http.ErrAbortHandler || w.Body.Len() != 0 {
			t.Errorf("ended with %v and answered %q", v, w.Body)
		}
		if log := s.log.String(); !strings.Contains(log, "request given up") || strings.Contains(log, "level=ERROR") {
			t.Errorf("log: %s", log)
		}
	}()
	s.handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/media", nil))
}
