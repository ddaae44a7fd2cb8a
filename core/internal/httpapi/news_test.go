package httpapi

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// stream is an open event stream.
type stream struct {
	t    testing.TB
	resp *http.Response
	in   *bufio.Reader
}

func (w *world) follow(c caller, after string) *stream {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), "GET", c.base+"/api/events", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		w.t.Fatalf("%s: %d %v", c.name, resp.StatusCode, resp.Header)
	}
	return &stream{t: w.t, resp: resp, in: bufio.NewReader(resp.Body)}
}

// next reads one message, as its fields.
func (s *stream) next() map[string]string {
	s.t.Helper()
	fields := map[string]string{}
	for {
		line, err := s.in.ReadString('\n')
		if err != nil {
			s.t.Fatalf("stream ended: %v", err)
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			return fields
		}
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.TrimPrefix(value, " ")
	}
}

func TestEventsStreamAndContinue(t *testing.T) {
	w := newWorld(t)
	owner := w.allCallers()["owner's browser"]
	s := w.follow(owner, "")
	place := s.next()["id"]
	publish := func(n int) {
		if err := w.server.Events.Publish("plugin.changed", map[string]string{"name": fmt.Sprint(n), "title": "a\n\nb"}); err != nil {
			t.Fatal(err)
		}
	}
	publish(1)
	if got := s.next(); got["event"] != "plugin.changed" || got["data"] != `{"name":"1","title":"a\n\nb"}` || got["id"] == "" {
		t.Errorf("got %v", got)
	}
	s.resp.Body.Close()
	publish(2)

	again := w.follow(owner, place)
	again.next()
	for n := range 2 {
		if got := again.next(); !strings.Contains(got["data"], fmt.Sprintf(`"name":"%d"`, n+1)) {
			t.Errorf("after %s: event %d is %v", place, n+1, got)
		}
	}
	stale := w.follow(owner, "of-an-earlier-run")
	stale.next()
	if got := stale.next(); got["event"] != "lost" {
		t.Errorf("after an unknown place: %v", got)
	}
}

// TestEventsEndWithTheSession checks that a browser that was signed out hears
// nothing more, although its stream was open.
func TestEventsEndWithTheSession(t *testing.T) {
	w := newWorld(t)
	secret := w.ownerSession()
	nobody := w.callers()["nobody"]
	browser := caller{"browser", &http.Client{Transport: withCookie{nobody.client.Transport, secret}}, nobody.base, ""}
	s := w.follow(browser, "")
	s.next()
	if got := w.do(browser, "DELETE", "/auth/session", nil); got.status != http.StatusNoContent {
		t.Fatalf("sign out: %d", got.status)
	}
	if err := w.server.Events.Publish("secret.news", "x"); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(s.in); err != nil || strings.Contains(string(rest), "secret.news") {
		t.Errorf("after signing out: %q, %v", rest, err)
	}
}

func TestEventStreamsAreBounded(t *testing.T) {
	w := newWorld(t)
	owner := w.callers()["owner"]
	var open []*stream
	for range maxStreams {
		s := w.follow(owner, "")
		s.next()
		open = append(open, s)
	}
	if got := w.do(owner, "GET", "/api/events", nil); got.status != http.StatusTooManyRequests {
		t.Errorf("one more: %d", got.status)
	}
	for _, s := range open {
		s.resp.Body.Close()
	}
	// A client that left is noticed when something is sent to it.
	deadline := time.Now().Add(20 * time.Second)
	for w.server.streams.Load() > 0 {
		if time.Now().After(deadline) {
			t.Fatalf("%d streams are still counted", w.server.streams.Load())
		}
		if err := w.server.Events.Publish("x.y", nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestHealthHasATag(t *testing.T) {
	w := newWorld(t)
	script := w.callers()["script"]
	first := w.do(script, "GET", "/health", nil)
	tag := first.header.Get("ETag")
	if first.status != http.StatusOK || tag == "" {
		t.Fatalf("%d %v", first.status, first.header)
	}
	ask := func(known string) answer {
		req, err := http.NewRequestWithContext(t.Context(), "GET", script.base+"/health", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+script.token)
		req.Header.Set("If-None-Match", known)
		return w.send(script, req)
	}
	for known, want := range map[string]int{
		tag: 304, `"other", W/` + tag: 304, "*": 304, `"other"`: 200, "": 200,
	} {
		if got := ask(known); got.status != want || got.header.Get("ETag") != tag {
			t.Errorf("If-None-Match %s: %d %v", known, got.status, got.header)
		}
	}
	if err := w.server.Identity.Rename("Another"); err != nil {
		t.Fatal(err)
	}
	if got := ask(tag); got.status != http.StatusOK || got.header.Get("ETag") == tag {
		t.Errorf("after a change: %d %v", got.status, got.header)
	}
}
