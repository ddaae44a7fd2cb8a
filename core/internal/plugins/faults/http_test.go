//go:build unix

package faults

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/core/internal/plugins"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Row 29.
func impossibleAnswers(y *yard) {
	y.start("good")
	y.await("good", plugins.Running)
	pid := y.pid("good")
	before := heap()
	for _, what := range []string{"bighead", "manyheads", "early", "status", "status0", "nothttp", "bothways"} {
		if e := y.refused("GET", "/good/"+what, 502); e.Friendly() != "Photos is restarting" {
			y.Errorf("%s: got %v", what, e)
		}
	}
	y.cut("/good/tooshort", "not so much")
	y.cut("/good/badchunk", "safe")
	if _, text := y.get("/good/toolong"); text != "much" {
		y.Errorf("a wrong length: %q", text)
	}
	y.serves("good") // what was too much is not taken for the next answer
	resp, _ := y.get("/good/forged")
	resp.Header.Del("Date")
	if diff := cmp.Diff(http.Header{"X-Own": {"kept"}, "Content-Length": {"0"}}, resp.Header); diff != "" {
		y.Errorf("headers: %s", diff)
	}
	y.endless("/good/endless")
	y.flat(before, 64<<20)
	if s, _ := y.find("good"); s.State != plugins.Running || y.pid("good") != pid {
		y.Errorf("got %+v", s)
	}
}

// endless reads some of an answer without end, and leaves.
func (y *yard) endless(path string) {
	y.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	resp, err := y.try(ctx, "GET", path, nil)
	must(y, err)
	if n, err := io.CopyN(io.Discard, resp.Body, 64<<20); err != nil {
		y.Errorf("after %d bytes: %v", n, err)
	}
	must(y, resp.Body.Close())
	began := time.Now()
	y.until("the plugin's request ends", func() bool { return y.notes("good", "endless") != nil })
	y.measure("plugin's request ended after the client left", 100*time.Millisecond, time.Since(began))
}

// Row 30.
func largeBodies(y *yard) {
	download, upload := int64(256<<20), int64(256<<20)
	if long() {
		download, upload = 4<<30, 10<<30
	}
	y.start("good")
	y.await("good", plugins.Running)
	before := heap()
	y.slowReader(download)
	y.vanish(download)
	y.refusedUpload(upload)
	y.unreadUpload(upload)
	y.flat(before, 64<<20)
}

// slowReader reads little, waits long enough for everything to come that comes
// unasked, and reads the rest.
func (y *yard) slowReader(size int64) {
	resp, err := y.try(context.Background(), "GET", "/good/big?size="+strconv.FormatInt(size, 10), nil)
	must(y, err)
	defer resp.Body.Close()
	before := heap()
	for range 20 {
		_, err := io.CopyN(io.Discard, resp.Body, 1<<10)
		must(y, err)
		time.Sleep(5 * time.Millisecond)
	}
	y.flat(before, 8<<20)
	if y.notes("good", "big") != nil {
		y.Error("the plugin was not held back")
	}
	began := time.Now()
	n, err := io.Copy(io.Discard, resp.Body)
	if n != size-20<<10 || err != nil {
		y.Errorf("got %d bytes, %v", n, err)
	}
	y.Logf("%d MiB/s", size>>20*int64(time.Second)/int64(time.Since(began)))
	y.until("the plugin is done", func() bool { return len(y.notes("good", "big")) == 1 })
}

// vanish ends the request from outside, in the middle.
func (y *yard) vanish(size int64) {
	gone := errors.New("client went away")
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	resp, err := y.try(ctx, "GET", "/good/big?size="+strconv.FormatInt(size, 10), nil)
	must(y, err)
	defer resp.Body.Close()
	_, err = io.CopyN(io.Discard, resp.Body, 1<<20)
	must(y, err)
	cancel(gone)
	began := time.Now()
	if n, err := io.Copy(io.Discard, resp.Body); !errors.Is(err, gone) {
		y.Errorf("read %d more, %v", n, err)
	}
	y.until("the plugin's request ends", func() bool { return len(y.notes("good", "big")) == 2 })
	y.measure("plugin's request ended after the client vanished", 100*time.Millisecond, time.Since(began))
	if last := y.notes("good", "big")[1]; last == "request ended: <nil>" {
		y.Error("it wrote everything to nobody")
	}
}

// upload is a body that counts what is taken of it.
type upload struct {
	io.Reader
	taken  atomic.Int64
	closed chan struct{}
	once   sync.Once
}

func newUpload(size int64) *upload {
	return &upload{Reader: io.LimitReader(zeros{}, size), closed: make(chan struct{})}
}

// Read counts.
func (u *upload) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	u.taken.Add(int64(n))
	return n, err
}

// Close is the sender's last touch.
func (u *upload) Close() error {
	u.once.Do(func() { close(u.closed) })
	return nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// refusedUpload meets an answer before it is sent.
func (y *yard) refusedUpload(size int64) {
	body := newUpload(size)
	began := time.Now()
	resp, err := y.upload("/good/refuse", body, size)
	must(y, err)
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		y.Errorf("status %d", resp.StatusCode)
	}
	must(y, resp.Body.Close())
	<-body.closed
	y.measure("early 413", 100*time.Millisecond, time.Since(began))
	if n := body.taken.Load(); n > 8<<20 {
		y.Errorf("%d bytes were sent to a plugin that had answered", n)
	}
}

// unreadUpload goes to a plugin that does not read, until the client gives up.
func (y *yard) unreadUpload(size int64) {
	body := newUpload(size)
	resp, err := y.upload("/good/unread", body, size)
	must(y, err)
	for last := int64(-1); body.taken.Load() != last; time.Sleep(200 * time.Millisecond) {
		last = body.taken.Load() // until no more goes through
	}
	if n := body.taken.Load(); n > 8<<20 {
		y.Errorf("%d bytes were taken that nobody reads", n)
	}
	began := time.Now()
	must(y, resp.Body.Close())
	<-body.closed
	y.until("the plugin's request ends", func() bool { return y.notes("good", "unread") != nil })
	y.measure("plugin's request ended after an upload given up", 100*time.Millisecond, time.Since(began))
}

func (y *yard) upload(path string, body io.ReadCloser, size int64) (*http.Response, error) {
	y.Helper()
	r, err := http.NewRequest("POST", "http://x"+path, body)
	must(y, err)
	r.ContentLength = size
	return y.send(r)
}

// Row 31.
func kindsOfHTTP(y *yard) {
	y.start("good")
	y.await("good", plugins.Running)
	modified := "Thu, 02 Jan 2020 03:04:05 GMT"
	for _, c := range []struct {
		method, path, name, value string // of a header
		status                    int
		body                      string
		want                      http.Header
	}{
		{"GET", "file", "", "", 200, "0123456789", http.Header{"Content-Length": {"10"}, "Last-Modified": {modified}}},
		{"GET", "file", "Range", "bytes=2-4", 206, "234", http.Header{"Content-Length": {"3"}, "Content-Range": {"bytes 2-4/10"}}},
		{"GET", "file", "Range", "bytes=20-", 416, "invalid range: failed to overlap\n", http.Header{"Content-Range": {"bytes */10"}}},
		{"GET", "file", "If-Modified-Since", modified, 304, "", http.Header{"Last-Modified": {modified}}},
		{"HEAD", "file", "", "", 200, "", http.Header{"Content-Length": {"10"}, "Accept-Ranges": {"bytes"}}},
		{"GET", "nothing", "", "", 204, "", http.Header{}},
	} {
		r, err := http.NewRequest(c.method, "http://x/good/"+c.path, nil)
		must(y, err)
		if c.name != "" {
			r.Header.Set(c.name, c.value)
		}
		resp, err := y.send(r)
		must(y, err)
		text, err := io.ReadAll(resp.Body)
		must(y, errors.Join(err, resp.Body.Close()))
		got := http.Header{}
		for name := range c.want {
			got[name] = resp.Header[name]
		}
		if diff := cmp.Diff(c.want, got); resp.StatusCode != c.status || string(text) != c.body || diff != "" {
			y.Errorf("%s %s %s: got %d %q, %s", c.method, c.path, c.value, resp.StatusCode, text, diff)
		}
	}
	y.trailers()
	y.serverSentEvents()
	y.upgrade()
}

func (y *yard) trailers() {
	resp, text := y.get("/good/trailers")
	if text != "body" || resp.Trailer.Get("X-Sum") != "42" {
		y.Errorf("got %q, trailers %v", text, resp.Trailer)
	}
}

func (y *yard) serverSentEvents() {
	resp, err := y.try(context.Background(), "GET", "/good/events", nil)
	must(y, err)
	defer resp.Body.Close()
	events := bufio.NewReader(resp.Body)
	first, err := events.ReadString('\n') // before the second is there
	must(y, err)
	y.put("good", "go", "")
	rest, err := io.ReadAll(events)
	if first+string(rest) != "data: one\n\ndata: two\n\n" || err != nil || resp.Header.Get("Content-Type") != "text/event-stream" {
		y.Errorf("got %q, %v", first+string(rest), err)
	}
}

func (y *yard) upgrade() {
	r, err := http.NewRequest("GET", "http://x/good/upgrade", nil)
	must(y, err)
	r.Header.Set("Connection", "keep-alive, Upgrade")
	r.Header.Set("Upgrade", "echo")
	resp, err := y.send(r)
	must(y, err)
	defer resp.Body.Close()
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode != 101 || !ok || resp.Header.Get("Upgrade") != "echo" {
		y.Fatalf("got %d, %T, %v", resp.StatusCode, resp.Body, resp.Header)
	}
	_, err = io.WriteString(conn, "ping")
	must(y, err)
	buf := make([]byte, 4)
	if _, err := io.ReadFull(conn, buf); err != nil || string(buf) != "ping" {
		y.Errorf("got %q, %v", buf, err)
	}
	y.refused("GET", "/good/upgrade", 502) // one that nobody asked for
}

// Row 32.
func tooManyRequests(y *yard) {
	const most, more = 256, 300
	y.start("good", "beside")
	y.await("good", plugins.Running)
	y.await("beside", plugins.Running)
	var open []*http.Response
	for range most {
		resp, err := y.try(context.Background(), "GET", "/good/slow", nil)
		must(y, err)
		open = append(open, resp)
	}
	began := time.Now()
	for range more - most {
		if e := y.refused("GET", "/good/hello", 503); e.RetryAfter != time.Second || e.Friendly() != "Photos is busy. Try again in a moment." {
			y.Fatalf("got %v", e)
		}
	}
	y.measure(itoa(more-most)+" refused", 10*time.Millisecond, time.Since(began))
	y.serves("beside")
	must(y, open[0].Body.Close())
	y.serves("good") // in the place that is free
	y.put("good", "go", "")
	for _, resp := range open[1:] {
		text, err := io.ReadAll(resp.Body)
		if !strings.HasSuffix(string(text), "ended\n") || err != nil {
			y.Errorf("got %q, %v", text, err)
		}
		must(y, resp.Body.Close())
	}
	if s, _ := y.find("good"); s.State != plugins.Running {
		y.Errorf("got %+v", s)
	}
}
