package httpapi

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"testing"
)

// TestRequestsThatAreNotWellFormed sends requests byte by byte that no HTTP client
// would make.
func TestRequestsThatAreNotWellFormed(t *testing.T) {
	w := newWorld(t)
	auth := "Authorization: Bearer " + w.scriptToken + "\r\n"
	for _, tt := range []struct {
		what, head string
		status     int
	}{
		{"fine", "GET /health HTTP/1.1\r\nHost: localhost\r\n" + auth, 200},
		{"an old one", "GET /health HTTP/1.0\r\nHost: localhost\r\n" + auth, 200},
		{"unknown method", "FOO / HTTP/1.1\r\nHost: localhost\r\n", 400},
		{"unknown method on a route", "BREW /health HTTP/1.1\r\nHost: localhost\r\n" + auth, 400},
		{"lower-case method", "get /health HTTP/1.1\r\nHost: localhost\r\n" + auth, 400},
		{"HTTP/2.0", "GET /livez HTTP/2.0\r\nHost: localhost\r\n", 505},
		{"HTTP/9.9", "GET /livez HTTP/9.9\r\nHost: localhost\r\nConnection: keep-alive\r\n", 505},
		{"HTTP/1.2", "GET /livez HTTP/1.2\r\nHost: localhost\r\n", 505},
		{"two credentials", "GET /health HTTP/1.1\r\nHost: localhost\r\n" + auth + "Authorization: Bearer x\r\n", 400},
		{"the same twice", "GET /health HTTP/1.1\r\nHost: localhost\r\n" + auth + auth, 400},
		{"identity", "POST /health HTTP/1.1\r\nHost: localhost\r\n" + auth + "Transfer-Encoding: identity\r\n", 400},
		{"identity in other letters", "POST /health HTTP/1.1\r\nHost: localhost\r\n" + auth + "tRANSFER-encoding:   Identity \r\nContent-Length: 0\r\n", 400},
	} {
		t.Run(tt.what, func(t *testing.T) {
			conn, err := tls.Dial("tcp", w.address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprint(conn, tt.head+"\r\n")
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != tt.status {
				t.Errorf("%d %s, %v; want %d", resp.StatusCode, body, err, tt.status)
			}
			if tt.status >= 400 {
				checkError(t, w, tt.what, answer{resp.StatusCode, resp.Header, body})
			}
		})
	}
}
