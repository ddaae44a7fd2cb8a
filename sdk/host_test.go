package sdk

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// hostSocket serves the handler where a gateway would.
func hostSocket(t *testing.T, h http.HandlerFunc) Host {
	t.Helper()
	dir, err := os.MkdirTemp("", "sh")
	must(t, err)
	l, err := net.Listen("unix", filepath.Join(dir, "host.sock"))
	must(t, err)
	server := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	host := newHost(l.Addr().String())
	t.Cleanup(func() {
		host.transport.CloseIdleConnections()
		_ = server.Close()
		<-done
		_ = os.RemoveAll(dir)
	})
	return host
}

// refuse answers as the gateway itself.
func refuse(w http.ResponseWriter, e *Error) {
	w.Header().Set(HeaderError, string(e.Kind))
	WriteJSON(w, e.HTTPStatus(), ErrorBody{Error: e.Friendly(), Code: e.Kind, Hint: e.Hint, Reference: "7K3QF"})
}

func TestHostDevices(t *testing.T) {
	var asked string
	h := hostSocket(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.URL.String()
		fmt.Fprint(w, `{"devices":[{"id":"d1","name":"NAS","kind":"gateway","capabilities":["media.storage"],"available":true,"new":1}],"next":""}`)
	})
	got, err := h.Devices(t.Context(), "media.storage")
	must(t, err)
	if len(got) != 1 || got[0].ID != "d1" || got[0].Name != "NAS" || got[0].Kind != "gateway" || !got[0].Available || got[0].Capabilities[0] != "media.storage" {
		t.Errorf("got %+v", got)
	}
	if asked != "GET /devices?capability=media.storage" {
		t.Errorf("asked %s", asked)
	}
	if _, err := h.Devices(t.Context(), ""); err != nil || asked != "GET /devices" {
		t.Errorf("asked %s, %v", asked, err)
	}
}

func TestHostDevicesFails(t *testing.T) {
	var answer http.HandlerFunc
	h := hostSocket(t, func(w http.ResponseWriter, r *http.Request) { answer(w, r) })
	for _, c := range []struct {
		answer http.HandlerFunc
		kind   Kind
	}{
		{func(w http.ResponseWriter, _ *http.Request) { refuse(w, &Error{Kind: RateLimited}) }, RateLimited},
		{func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", 404) }, Internal},
		{func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "nonsense") }, Internal},
		{func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, Internal},
	} {
		answer = c.answer
		var e *Error
		if _, err := h.Devices(t.Context(), ""); !errors.As(err, &e) || e.Kind != c.kind {
			t.Errorf("got %v, want %s", err, c.kind)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Devices(ctx, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}

	if _, err := newHost("/no/such/socket").Devices(t.Context(), ""); KindOf(err) != Internal {
		t.Errorf("got %v", err)
	}
}

func TestHostClient(t *testing.T) {
	h := hostSocket(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Target", r.Method+" "+r.RequestURI)
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.Copy(w, r.Body)
	})
	c := h.Client("d/1")
	for target, want := range map[string]string{
		"http://device/media/a%2Fb?q=1%202": "/devices/d%2F1/media/a%2Fb?q=1%202",
		"http://device/":                    "/devices/d%2F1/",
		"http://device/media/größe":         "/devices/d%2F1/media/gr%C3%B6%C3%9Fe",
		"http://device/media//x/":           "/devices/d%2F1/media//x/",
	} {
		resp, err := c.Post(target, "text/plain", strings.NewReader("body"))
		must(t, err)
		body, err := io.ReadAll(resp.Body)
		must(t, err)
		must(t, resp.Body.Close())
		if resp.StatusCode != http.StatusTeapot || string(body) != "body" || resp.Header.Get("X-Target") != "POST "+want {
			t.Errorf("%s: %d %q %s", target, resp.StatusCode, body, resp.Header.Get("X-Target"))
		}
		if resp.Request.URL.Host != "device" {
			t.Errorf("the answer speaks of %s", resp.Request.URL)
		}
	}
}

func TestHostClientRefusesOtherAddresses(t *testing.T) {
	h := hostSocket(t, func(w http.ResponseWriter, _ *http.Request) { t.Error("it was asked") })
	for _, target := range []string{"http://other/x", "https://device/x", "http://device:80/x"} {
		if _, err := h.Client("d1").Get(target); KindOf(err) != Invalid {
			t.Errorf("%s: %v", target, err)
		}
	}
	if _, err := h.Client("").Get("http://device/x"); KindOf(err) != Invalid {
		t.Errorf("no device: %v", err)
	}
}

// TestHostClientFollowsRedirectsOnTheDevice but nowhere else.
func TestHostClientRedirects(t *testing.T) {
	h := hostSocket(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/devices/d1/old":
			http.Redirect(w, r, "/new", http.StatusFound)
		case "/devices/d1/away":
			http.Redirect(w, r, "http://elsewhere/x", http.StatusFound)
		default:
			fmt.Fprint(w, r.URL.Path)
		}
	})
	resp, err := h.Client("d1").Get("http://device/old")
	must(t, err)
	body, _ := io.ReadAll(resp.Body)
	must(t, resp.Body.Close())
	if string(body) != "/devices/d1/new" {
		t.Errorf("got %q", body)
	}
	if _, err := h.Client("d1").Get("http://device/away"); KindOf(err) != Invalid {
		t.Errorf("got %v", err)
	}
}

func TestHostClientErrors(t *testing.T) {
	h := hostSocket(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/devices/off/x" {
			refuse(w, &Error{Kind: Offline, Message: "NAS is offline.", Hint: "Turn it on."})
			return
		}
		WriteJSON(w, http.StatusNotFound, ErrorBody{Error: "No such note.", Code: NotFound}) // the device's own
	})
	_, err := h.Client("off").Get("http://device/x")
	var e *Error
	if !errors.As(err, &e) || e.Kind != Offline || e.Friendly() != "NAS is offline." || e.Hint != "Turn it on." || !strings.Contains(e.Error(), "7K3QF") {
		t.Errorf("got %v", err)
	}
	resp, err := h.Client("on").Get("http://device/x")
	must(t, err)
	if e := ReadError(resp); e.Kind != NotFound || e.Friendly() != "No such note." {
		t.Errorf("got %v", e)
	}
}

func TestHostClientStreams(t *testing.T) {
	h := hostSocket(t, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		_ = rc.EnableFullDuplex()
		for lines := bufio.NewScanner(r.Body); lines.Scan(); {
			fmt.Fprintln(w, "echo", lines.Text())
			_ = rc.Flush()
		}
	})
	r, w := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://device/x", r)
	must(t, err)
	go fmt.Fprintln(w, "one") // the answer begins with it
	resp, err := h.Client("d1").Do(req)
	must(t, err)
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for _, text := range []string{"one", "two", "three"} {
		if text != "one" {
			fmt.Fprintln(w, text)
		}
		if got, err := lines.ReadString('\n'); err != nil || got != "echo "+text+"\n" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	must(t, w.Close())
	if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestHostClientRangeAndHead(t *testing.T) {
	file := bytes.NewReader([]byte("0123456789"))
	h := hostSocket(t, func(w http.ResponseWriter, r *http.Request) {
		if enc := r.Header.Get("Accept-Encoding"); enc != "" {
			t.Errorf("it asks for %s", enc)
		}
		http.ServeContent(w, r, "x", time.Time{}, file)
	})
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://device/x", nil)
	must(t, err)
	req.Header.Set("Range", "bytes=3-5")
	resp, err := h.Client("d1").Do(req)
	must(t, err)
	body, _ := io.ReadAll(resp.Body)
	must(t, resp.Body.Close())
	if resp.StatusCode != http.StatusPartialContent || string(body) != "345" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	resp, err = h.Client("d1").Head("http://device/x")
	must(t, err)
	must(t, resp.Body.Close())
	if resp.ContentLength != 10 {
		t.Errorf("length %d", resp.ContentLength)
	}
}

func TestHostClientCancels(t *testing.T) {
	ended := make(chan struct{})
	h := hostSocket(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	why := errors.New("no longer wanted")
	ctx, cancel := context.WithCancelCause(t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", "http://device/x", nil)
	must(t, err)
	resp, err := h.Client("d1").Do(req)
	must(t, err)
	cancel(why)
	<-ended
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("a cut answer looked whole")
	}
	_ = resp.Body.Close()
}

func TestZeroHost(t *testing.T) {
	var env Env
	if _, err := env.Host.Devices(t.Context(), "x"); KindOf(err) != Unsupported {
		t.Errorf("got %v", err)
	}
	body := &closing{Reader: strings.NewReader("x")}
	_, err := env.Host.Client("d1").Post("http://device/x", "", body)
	var e *Error
	if !errors.As(err, &e) || e.Kind != Unsupported || e.Friendly() == "" || !body.closed {
		t.Errorf("got %v, closed %v", err, body.closed)
	}
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}

func TestReadError(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   Error
	}{
		{404, `{"error":"No.","code":"not_found","hint":"H","reference":"R"}`, Error{Kind: NotFound, Message: "No.", Hint: "H"}},
		{504, `{"error":"No.","code":"plugin_unavailable"}`, Error{Kind: PluginUnavailable, Message: "No.", Status: 504}},
		{200, `{"code":"not_found"}`, Error{Kind: NotFound}},
		{500, `{"error":"No.","code":"made_up"}`, Error{Kind: Internal}},
		{502, `<html>`, Error{Kind: Internal}},
		{502, strings.Repeat(" ", 100<<10) + `{"code":"not_found"}`, Error{Kind: Internal}},
	} {
		body := &closing{Reader: strings.NewReader(c.body)}
		got := ReadError(&http.Response{StatusCode: c.status, Body: body})
		if got.Cause == nil || !strings.Contains(got.Cause.Error(), fmt.Sprint(c.status)) || !body.closed {
			t.Errorf("%.40s: cause %v, closed %v", c.body, got.Cause, body.closed)
		}
		got.Cause = nil
		if *got != c.want {
			t.Errorf("%.40s: %+v, want %+v", c.body, *got, c.want)
		}
	}
}
