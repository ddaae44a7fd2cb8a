package sdktest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/salita-mesh/salita/sdk"
)

// answer is a response that was read whole.
type answer struct {
	status int
	body   string
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 1 << 20

// example is a request that fits the route, with "x" for each wildcard.
func (l *link) example(ctx context.Context, r sdk.Route) (answer, error) {
	method, path := examplePath(r.Pattern)
	return l.send(ctx, method, path, "")
}

// examplePath fills the wildcards of a pattern.
func examplePath(pattern string) (method, path string) {
	method, path, _ = strings.Cut(pattern, " ")
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if s == "{$}" {
			segments[i] = ""
		} else if strings.HasPrefix(s, "{") {
			segments[i] = "x"
		}
	}
	return method, strings.Join(segments, "/")
}

// send makes one request as the gateway does for the owner.
func (l *link) send(ctx context.Context, method, path, body string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://plugin"+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	introduce(req.Header, sdk.CallerInfo{Name: "Owner", Owner: true})
	resp, err := l.http.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("%s %.200s: %w", method, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("%s %.200s: read answer: %w", method, path, err)
	}
	return answer{resp.StatusCode, string(text)}, nil
}

// introduce sets the headers by which the gateway names the caller.
func introduce(h http.Header, who sdk.CallerInfo) {
	for name := range h {
		if strings.HasPrefix(name, "Salita-") {
			h.Del(name)
		}
	}
	h.Del("Authorization")
	h.Del("Cookie")
	h.Set(sdk.HeaderReference, "TEST1")
	h.Set(sdk.HeaderCallerID, who.DeviceID)
	h.Set(sdk.HeaderCallerName, url.PathEscape(who.Name))
	h.Set(sdk.HeaderCallerKind, "device")
	if who.Owner {
		h.Set(sdk.HeaderCallerKind, "owner")
	}
}

// works makes sure that the plugin still answers on both planes.
func (l *link) works(ctx context.Context) error {
	err := l.control.CheckHealth(ctx)
	if err == nil {
		_, err = l.send(ctx, http.MethodGet, "/salita-conformance/none", "")
	}
	if err == nil {
		return nil
	}
	// A lost connection is mostly the end of the process, which is said better.
	if _, running := l.waitFor(ctx, moment); running == nil {
		return fmt.Errorf("the process is gone: %s", l.ending())
	}
	return err
}

// same reports whether two error answers say the same, whatever their reference.
func (a answer) same(b answer) bool {
	var x, y sdk.ErrorBody
	if json.Unmarshal([]byte(a.body), &x) != nil || json.Unmarshal([]byte(b.body), &y) != nil {
		return a == b
	}
	x.Reference, y.Reference = "", ""
	return a.status == b.status && x == y
}

// rawRequest is a connection on which a request is written by hand.
type rawRequest struct {
	net.Conn
	in *bufio.Reader
}

// raw dials the plugin's HTTP socket.
func (t *trial) raw(l *link) (rawRequest, error) {
	conn, err := new(net.Dialer).DialContext(t.ctx, "unix", l.at.Address)
	if err != nil {
		return rawRequest{}, err
	}
	deadline, _ := t.ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	t.cleanUp = append([]func(){func() { _ = conn.Close() }}, t.cleanUp...)
	return rawRequest{conn, bufio.NewReader(conn)}, nil
}

// begin writes the head of a request with so many bytes of body to come.
func (r rawRequest) begin(method, path string, length int, more ...string) error {
	var head bytes.Buffer
	fmt.Fprintf(&head, "%s %s HTTP/1.1\r\nHost: plugin\r\n", method, path)
	headers := make(http.Header)
	introduce(headers, sdk.CallerInfo{Name: "Owner", Owner: true})
	_ = headers.Write(&head)
	for _, line := range more {
		head.WriteString(line + "\r\n")
	}
	if length >= 0 {
		fmt.Fprintf(&head, "Content-Type: application/octet-stream\r\nContent-Length: %d\r\n", length)
	}
	head.WriteString("\r\n")
	_, err := r.Write(head.Bytes())
	return err
}

// answer reads a whole one and returns its status.
func (r rawRequest) answer() (int, error) {
	resp, err := http.ReadResponse(r.in, nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// early reports whether an answer comes within a moment.
func (r rawRequest) early(moment time.Duration) (bool, error) {
	if err := r.SetReadDeadline(time.Now().Add(moment)); err != nil {
		return false, err
	}
	_, err := r.in.Peek(1)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return false, r.SetReadDeadline(time.Time{})
	}
	return true, err
}

// bodyRoutes are examples of the routes whose requests have a body.
func (t *trial) bodyRoutes() []sdk.Route {
	var out []sdk.Route
	for _, r := range t.manifest.Routes {
		switch method, _ := examplePath(r.Pattern); method {
		case http.MethodPost, http.MethodPut, http.MethodPatch:
			out = append(out, r)
		}
	}
	return out
}
