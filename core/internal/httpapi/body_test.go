package httpapi

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// talk opens a TLS connection as a browser or script would.
func (w *world) talk() *tls.Conn {
	w.t.Helper()
	conn, err := tls.Dial("tcp", w.address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

// TestARefusedBodyIsNeverARequest hides requests in the bodies of requests that
// are refused before their body is read.
func TestARefusedBodyIsNeverARequest(t *testing.T) {
	w := newWorld(t)
	hidden := fmt.Sprintf("DELETE /api/devices/script HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", w.scriptToken)
	big := strings.Repeat("x", 100_000)
	for name, request := range map[string]string{
		"no token, declared":     "POST /media/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n" + hidden + big,
		"no token, small":        fmt.Sprintf("POST /media/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", len(hidden)) + hidden,
		"no token, chunked":      "POST /media/upload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n" + hidden + big,
		"bad token":              "POST /media/upload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\nContent-Length: 1000000\r\n\r\n" + hidden + big,
		"too large for the JSON": "POST /api/node/identity HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n" + hidden + big,
		"both lengths":           "POST /media/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
	} {
		t.Run(name, func(t *testing.T) {
			conn := w.talk()
			go io.WriteString(conn, request) // the gateway may close in the middle
			r := bufio.NewReader(conn)
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatalf("no answer: %v", err)
			}
			if resp.StatusCode < 400 {
				t.Errorf("answered %s", resp.Status)
			}
			io.Copy(io.Discard, resp.Body)
			conn.CloseWrite()
			for {
				if resp, err = http.ReadResponse(r, nil); err != nil {
					break
				}
				io.Copy(io.Discard, resp.Body)
				if name != "both lengths" {
					t.Errorf("a hidden request was answered: %s", resp.Status)
				}
			}
			if strings.Contains(w.logs.String(), "method=DELETE") && name != "both lengths" {
				t.Error("the hidden request was carried out")
			}
		})
	}
}

func TestExpectIsRefusedBeforeTheBody(t *testing.T) {
	w := newWorld(t)
	for name, tt := range map[string]struct {
		head string
		want string
	}{
		"stranger":   {"POST /media/upload HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n", "401"},
		"bad token":  {"POST /media/upload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n", "401"},
		"good token": {"POST /api/discover HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + w.scriptToken + "\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n", "100"},
		"open route": {"POST /auth/pair/gateway/hello HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n", "100"},
	} {
		t.Run(name, func(t *testing.T) {
			conn := w.talk()
			io.WriteString(conn, tt.head)
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil || !strings.Contains(line, tt.want) {
				t.Errorf("answered %q, %v; want %s", line, err, tt.want)
			}
		})
	}
}

func TestChunkedJSONIsBoundedToo(t *testing.T) {
	w := newWorld(t)
	owner := w.callers()["owner"]
	req, err := http.NewRequestWithContext(t.Context(), "POST", owner.base+"/api/node/identity", io.MultiReader(
		strings.NewReader(`{"name":"`), strings.NewReader(strings.Repeat("x", 1<<20)), strings.NewReader(`"}`)))
	if err != nil {
		t.Fatal(err)
	}
	if got := w.send(owner, req); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("answered %d %s", got.status, got.body)
	}
}
