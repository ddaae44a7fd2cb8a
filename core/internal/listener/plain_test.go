package listener

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/salita-mesh/salita/sdk"
)

// plainly sends the text to a listener in the clear and reads the answer.
func plainly(t *testing.T, address, text string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(text, " ")
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%.40q: no answer: %v", text, err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(r); len(rest) != 0 || err != nil {
		t.Errorf("%.40q: after the answer came %q, %v; want the end", text, rest, err)
	}
	return resp, string(body)
}

func TestPlainHTTP(t *testing.T) {
	i := newIdentity(t)
	inner := listenTCP(t)
	serve(t, inner, Options{TLS: i.ServerTLS()})
	tests := map[string]struct {
		request  string
		status   int
		location string
	}{
		"browser":          {"GET /devices?x=1 HTTP/1.1\r\nHost: nas.local:6969\r\n\r\n", 308, "https://nas.local:6969/devices?x=1"},
		"head":             {"HEAD / HTTP/1.1\r\nHost: 192.0.2.7:6969\r\n\r\n", 308, "https://192.0.2.7:6969/"},
		"IPv6":             {"GET / HTTP/1.1\r\nHost: [2001:db8::7]:6969\r\n\r\n", 308, "https://[2001:db8::7]:6969/"},
		"no port":          {"GET / HTTP/1.1\r\nHost: nas\r\n\r\n", 308, "https://nas/"},
		"HTTP/1.0":         {"GET / HTTP/1.0\r\nHost: nas\r\n\r\n", 308, "https://nas/"},
		"absolute form":    {"GET http://nas:6969/a HTTP/1.1\r\nHost: ignored\r\n\r\n", 308, "https://nas:6969/a"},
		"odd path":         {"GET //evil.example/%0d%0aSet-Cookie:x HTTP/1.1\r\nHost: nas\r\n\r\n", 308, "https://nas//evil.example/%0d%0aSet-Cookie:x"},
		"asterisk":         {"GET * HTTP/1.1\r\nHost: nas\r\n\r\n", 308, "https://nas/"},
		"with a body":      {"POST /media HTTP/1.1\r\nHost: nas\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000), 426, ""},
		"websocket":        {"OPTIONS / HTTP/1.1\r\nHost: nas\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 426, ""},
		"HTTP/2":           {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, ""},
		"no host":          {"GET / HTTP/1.0\r\n\r\n", 400, ""},
		"host with path":   {"GET / HTTP/1.1\r\nHost: nas/evil\r\n\r\n", 400, ""},
		"host with user":   {"GET / HTTP/1.1\r\nHost: a@evil\r\n\r\n", 400, ""},
		"host with space":  {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, ""},
		"host bad port":    {"GET / HTTP/1.1\r\nHost: nas:99999\r\n\r\n", 400, ""},
		"host only a port": {"GET / HTTP/1.1\r\nHost: :6969\r\n\r\n", 400, ""},
		"host bad IPv6":    {"GET / HTTP/1.1\r\nHost: [::1%25eth0]:80\r\n\r\n", 400, ""},
		"host open IPv6":   {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, ""},
		"not HTTP":         {"HELO nas\r\n", 400, ""},
		"head too large":   {"GET / HTTP/1.1\r\nHost: nas\r\nX: " + strings.Repeat("y", 2*maxPlainHead) + "\r\n\r\n", 400, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			resp, body := plainly(t, inner.Addr().String(), tt.request)
			if resp.StatusCode != tt.status || resp.Header.Get("Location") != tt.location {
				t.Errorf("%d to %q, want %d to %q", resp.StatusCode, resp.Header.Get("Location"), tt.status, tt.location)
			}
			if !resp.Close || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Set-Cookie") != "" {
				t.Errorf("close %v, headers %v", resp.Close, resp.Header)
			}
			if tt.status != 308 {
				var e sdk.ErrorBody
				if err := json.Unmarshal([]byte(body), &e); err != nil || e.Error == "" || e.Code == "" {
					t.Errorf("body %q is not an error answer: %v", body, err)
				}
			}
			if upgrade := resp.Header.Get("Upgrade"); (upgrade != "") != (tt.status == 426) {
				t.Errorf("Upgrade: %q with %d", upgrade, tt.status)
			}
		})
	}
}

func TestPlainHandlerCanBeReplaced(t *testing.T) {
	i := newIdentity(t)
	inner := listenTCP(t)
	serve(t, inner, Options{TLS: i.ServerTLS(), Plain: func(r *http.Request) *http.Response {
		return plainResponse(http.StatusTeapot, "text/plain", []byte(r.URL.Path))
	}})
	resp, body := plainly(t, inner.Addr().String(), "GET /pot HTTP/1.1\r\nHost: nas\r\n\r\n")
	if resp.StatusCode != http.StatusTeapot || body != "/pot" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
}

// script is a connection whose other end has already said everything.
type script struct {
	*wire
	in  *bytes.Reader
	out bytes.Buffer
}

func (s *script) Read(p []byte) (int, error)  { return s.in.Read(p) }
func (s *script) Write(p []byte) (int, error) { return s.out.Write(p) }

// FuzzFirstBytes feeds a fresh connection anything at all.
func FuzzFirstBytes(f *testing.F) {
	i := newIdentity(f)
	l := New(newWires(), Options{TLS: i.ServerTLS()})
	for _, seed := range []string{
		"", "\x16", "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03", "G", "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST //x?y HTTP/1.1\r\nHost: [::1]:1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "GET http://a@b/ HTTP/1.1\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		a, _ := newWire()
		s := &script{wire: a, in: bytes.NewReader(data)}
		if conn := l.prepare(&candidate{raw: s}); conn != nil {
			t.Fatal("something that cannot know our key finished a handshake")
		}
		if s.out.Len() == 0 || data[0] == tlsHandshake {
			return
		}
		resp, err := http.ReadResponse(bufio.NewReader(&s.out), nil)
		if err != nil {
			t.Fatalf("answer to %q: %v", data, err)
		}
		location := resp.Header.Get("Location")
		if (resp.StatusCode == http.StatusPermanentRedirect) != (location != "") {
			t.Fatalf("%d to %q", resp.StatusCode, location)
		}
		if location != "" {
			u, err := url.Parse(location)
			if err != nil || u.Scheme != "https" || u.User != nil || !validHost(u.Host) || !strings.HasPrefix(u.Path, "/") {
				t.Fatalf("%q redirects to %q: %v", data, location, err)
			}
		}
	})
}
