package plugins

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/core/internal/dataplane"
	"github.com/salita-mesh/salita/sdk"
)

// tripper answers every request in the same way.
type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// matchOver is a match for a plugin that is reached through f.
func matchOver(f tripper, limit int64) (Match, *instance, *int) {
	suspected := 0
	i := &instance{transport: f, limit: limit, calls: newGauge(), pending: newGauge(), suspected: func() { suspected++ }}
	b := newBoard()
	b.update("media", func(e *entry) {
		e.status = Status{Name: "media", Title: "Photos", State: Running}
		e.instance = i
	})
	return Match{Plugin: "media", board: b}, i, &suspected
}

type timeoutError struct{ error }

func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

func TestForwardFailures(t *testing.T) {
	for _, c := range []struct {
		name      string
		err       error
		status    int
		text      string
		suspected int
	}{
		{"gone", syscall.ENOENT, 502, "Photos is restarting", 1},
		{"refused", syscall.ECONNREFUSED, 502, "Photos is restarting", 1},
		{"reset", io.ErrUnexpectedEOF, 502, "Photos is restarting", 0},
		{"late", timeoutError{errors.New("no head")}, 504, "Photos takes too long to answer.", 0},
		{"late in our own words", dataplane.ErrHeaderTimeout, 504, "Photos takes too long to answer.", 0},
		{"stalled", dataplane.ErrStalled, 504, "Photos takes too long to answer.", 0},
		{"no connection left", dataplane.ErrBusy, 503, "Photos is busy. Try again in a moment.", 0},
		{"nonsense", dataplane.ErrBadResponse, 502, "Photos is restarting", 0},
		{"the caller's body broke", dataplane.ErrRequestBody, 400, "That request can't be understood.", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, i, suspected := matchOver(func(*http.Request) (*http.Response, error) { return nil, c.err }, 1)
			r, err := http.NewRequest("GET", "http://x/media/1", nil)
			must(t, err)
			_, err = m.RoundTrip(r)
			e := sdk.AsError(err)
			if e.HTTPStatus() != c.status || e.Friendly() != c.text || !errors.Is(err, c.err) {
				t.Errorf("got %d %v", e.HTTPStatus(), err)
			}
			if *suspected != c.suspected || i.calls.n.Load()+i.pending.n.Load() != 0 {
				t.Errorf("suspected %d, active %d", *suspected, i.calls.n.Load())
			}
		})
	}
}

func TestForwardSaysWhyAPluginIsAway(t *testing.T) {
	for state, want := range map[State]string{
		Starting: "Photos is restarting", Backoff: "Photos is restarting", Stopping: "Photos is restarting",
		Failed: "Photos isn't working right now", Quarantined: "Photos isn't working right now", Stopped: "Photos isn't working right now",
	} {
		b := newBoard()
		b.update("media", func(e *entry) { e.status = Status{Title: "Photos", State: state} })
		body := &closeCounter{Reader: strings.NewReader("x")}
		r, err := http.NewRequest("POST", "http://x/media", body)
		must(t, err)
		_, err = Match{Plugin: "media", board: b}.RoundTrip(r)
		if e := sdk.AsError(err); e.Friendly() != want || e.HTTPStatus() != 503 || body.n != 1 {
			t.Errorf("%s: %v, body closed %d times", state, err, body.n)
		}
	}
}

func TestPreparedRequest(t *testing.T) {
	r, err := http.NewRequestWithContext(context.Background(), "GET", "https://user:pass@gateway:6969/media/a%2Fb?q=1", nil)
	must(t, err)
	r.Header = http.Header{
		"X-Three": {"3"}, "Authorization": {"Bearer x"}, "Cookie": {"a=b"},
		sdk.HeaderCallerID: {"abc"}, "Range": {"bytes=0-1"},
	}
	prepare(r)
	want := http.Header{"X-Three": {"3"}, sdk.HeaderCallerID: {"abc"}, "Range": {"bytes=0-1"}}
	if diff := cmp.Diff(want, r.Header); diff != "" {
		t.Error(diff)
	}
	if r.URL.String() != "http://plugin/media/a%2Fb?q=1" {
		t.Errorf("url %s", r.URL)
	}
}

func TestStatusIsChecked(t *testing.T) {
	for status, fine := range map[int]bool{0: false, 99: false, 103: false, 200: true, 204: true, 304: true, 418: true, 599: true, 600: false, 999: false} {
		body := &closeCounter{Reader: strings.NewReader("")}
		m, i, _ := matchOver(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: body}, nil
		}, 1)
		r, err := http.NewRequest("GET", "http://x/media", nil)
		must(t, err)
		resp, err := m.RoundTrip(r)
		if (err == nil) != fine {
			t.Errorf("%d: %v", status, err)
		}
		if err == nil {
			must(t, resp.Body.Close())
		}
		if body.n != 1 || i.calls.n.Load()+i.pending.n.Load() != 0 {
			t.Errorf("%d: body closed %d times, active %d", status, body.n, i.calls.n.Load())
		}
	}
}

// shortBody is a body that is here already.
type shortBody struct{ *bytes.Reader }

func (shortBody) Close() error    { return nil }
func (b shortBody) Buffered() int { return b.Len() }

// switchedBody is a connection that changed its protocol.
type switchedBody struct {
	io.Reader
	io.Writer
}

func (switchedBody) Close() error { return nil }

func TestCountedBodyKeepsAbilities(t *testing.T) {
	var sink bytes.Buffer
	i := &instance{limit: 9, calls: newGauge(), pending: newGauge()}
	i.acquire()
	i.acquire()
	short := count(shortBody{bytes.NewReader([]byte("abc"))}, i)
	if here, ok := short.(interface{ Buffered() int }); !ok || here.Buffered() != 3 {
		t.Error("a short body does not say how short it is")
	}
	if n, err := io.Copy(&sink, short); n != 3 || err != nil {
		t.Errorf("copied %d, %v", n, err)
	}
	if _, writes := short.(io.Writer); writes {
		t.Error("an ordinary body can be written to")
	}
	switched := count(switchedBody{strings.NewReader(""), &sink}, i)
	if w, ok := switched.(io.Writer); !ok {
		t.Error("a switched connection cannot be written to")
	} else if _, err := w.Write([]byte("def")); err != nil || sink.String() != "abcdef" {
		t.Errorf("wrote %q, %v", sink.String(), err)
	}
	if here, ok := switched.(interface{ Buffered() int }); ok && here.Buffered() != 0 {
		t.Error("a switched connection counts as a short body")
	}
	for _, body := range []io.Closer{short, switched, short} {
		must(t, body.Close())
	}
	if i.calls.n.Load() != 0 {
		t.Errorf("%d requests are still counted", i.calls.n.Load())
	}
}
