package httpapi

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// shout switches to a protocol that answers every line in capitals, until one
// says "bye".
func shout(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "shout" {
		http.Error(w, "upgrade to shout", http.StatusUpgradeRequired)
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: shout\r\nX-Volume: 11\r\nSet-Cookie: a=b\r\n\r\n")
	for {
		if rw.Flush() != nil {
			return
		}
		line, err := rw.ReadString('\n')
		if err != nil {
			return
		}
		fmt.Fprint(rw, strings.ToUpper(line))
		if line == "bye\n" {
			_ = rw.Flush()
			return
		}
	}
}

// raw speaks to the gateway as a browser with a session would.
func (p *planes) raw(t *testing.T, headers string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := tls.Dial("tcp", p.world.address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "GET /echo/shout HTTP/1.1\r\nHost: localhost\r\nCookie: %s=%s\r\n%s\r\n", sessionCookie, p.token, headers)
	return conn, bufio.NewReader(conn)
}

const askForShout = "Connection: keep-alive, Upgrade\r\nUpgrade: shout\r\n"

func TestUpgradeGoesThrough(t *testing.T) {
	p := newPlanes(t)
	conn, in := p.raw(t, askForShout+"Sec-Fetch-Site: same-origin\r\n")
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("X-Volume") != "11" || resp.Header.Get("Set-Cookie") != "" {
		t.Fatalf("answer %d %v", resp.StatusCode, resp.Header)
	}
	big := bytes.Repeat([]byte("x"), 1<<20)
	go func() {
		fmt.Fprint(conn, "hello\n")
		_, _ = conn.Write(append(big, '\n'))
		fmt.Fprint(conn, "bye\n")
	}()
	got, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	if want := "HELLO\n" + strings.ToUpper(string(big)) + "\nBYE\n"; string(got) != want {
		t.Errorf("got %d bytes, want %d", len(got), len(want))
	}
}

func TestUpgradeIsRefused(t *testing.T) {
	p := newPlanes(t)
	for name, tt := range map[string]struct {
		headers string
		status  int
	}{
		"another site":            {askForShout + "Sec-Fetch-Site: cross-site\r\nOrigin: https://evil.example\r\n", 403},
		"another origin":          {askForShout + "Origin: https://evil.example\r\n", 403},
		"with a body":             {askForShout + "Content-Length: 3\r\n\r\nabc", 400},
		"an unknown protocol":     {"Connection: Upgrade\r\nUpgrade: whisper\r\n", 426},
		"not named in Connection": {"Upgrade: shout\r\n", 426},
	} {
		_, in := p.raw(t, tt.headers)
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if resp.StatusCode != tt.status {
			t.Errorf("%s: %d, want %d", name, resp.StatusCode, tt.status)
		}
	}
}

// TestUpgradeEndsWithTheGateway checks that an open tunnel does not outlive the
// server, nor keeps it from stopping.
func TestUpgradeEndsWithTheGateway(t *testing.T) {
	p := newPlanes(t)
	_, in := p.raw(t, askForShout)
	if resp, err := http.ReadResponse(in, nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v %v", resp, err)
	}
	if err := p.world.server.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := in.ReadByte(); err == nil {
		t.Error("the tunnel goes on")
	}
}
