package sdktest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/salita-mesh/salita/sdk"
)

func httpSocket(t *trial) error {
	l, err := t.ready() // which checks the socket
	if err != nil {
		return err
	}
	addresses, err := listening(l.cmd.Process.Pid)
	if err != nil {
		return err
	}
	if len(addresses) > 0 {
		return fmt.Errorf("it also listens on %s", strings.Join(addresses, ", "))
	}
	return nil
}

// routesServed tells a route that is missing from one that has nothing to show by
// what the plugin says about a path that it never declared.
func routesServed(t *trial) error {
	l, err := t.ready()
	if err != nil {
		return err
	}
	none, err := l.send(t.ctx, http.MethodGet, "/salita-conformance/none", "")
	if err != nil {
		return err
	}
	for _, r := range t.manifest.Routes {
		a, err := l.example(t.ctx, r)
		wild := strings.Contains(r.Pattern, "{")
		switch {
		case err != nil:
			t.problem("%w", err)
		case a.status == http.StatusMethodNotAllowed, a.status == http.StatusNotImplemented:
			t.problem("%s is answered with %d", r.Pattern, a.status)
		case a.status == http.StatusInternalServerError:
			t.problem("%s is answered with %d for an empty request", r.Pattern, a.status)
		case !wild && a.status == http.StatusNotFound && a.same(none):
			t.problem("%s is answered as a path that does not exist", r.Pattern)
		}
	}
	return nil
}

func undeclaredRefused(t *trial) error {
	l, err := t.ready()
	if err != nil {
		return err
	}
	declared := http.NewServeMux()
	for _, r := range t.manifest.Routes {
		declared.Handle(r.Pattern, http.NotFoundHandler())
	}
	name := "/" + t.manifest.Name
	for _, path := range []string{"/", "/health", "/api/devices", name, name + "/", name + "x", name + "/a/b/c/d/e/f/g/h"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete, "SALITA"} {
			if _, pattern := declared.Handler(&http.Request{Method: method, URL: &url.URL{Path: path}}); pattern != "" {
				continue
			}
			a, err := l.send(t.ctx, method, path, "")
			if err != nil {
				t.problem("%w", err)
			} else if a.status/100 == 2 {
				t.problem("%s %s is no declared route and is answered with %d", method, path, a.status)
			}
		}
	}
	return nil
}

func headLikeGet(t *trial) error {
	l, err := t.ready()
	if err != nil {
		return err
	}
	asked := 0
	for _, r := range t.manifest.Routes {
		method, path := examplePath(r.Pattern)
		if method != http.MethodGet {
			continue
		}
		asked++
		get, err := l.send(t.ctx, http.MethodGet, path, "")
		if err != nil {
			return err
		}
		if err := t.sameHead(l, path, get.status); err != nil {
			t.problem("HEAD %s: %w", path, err)
		}
	}
	if asked == 0 {
		return skipError("it declares no GET route")
	}
	return nil
}

// sameHead reads everything that the plugin sends for a HEAD.
func (t *trial) sameHead(l *link, path string, status int) error {
	conn, err := t.raw(l)
	if err != nil {
		return err
	}
	if err := conn.begin(http.MethodHead, path, -1, "Connection: close"); err != nil {
		return err
	}
	resp, err := http.ReadResponse(conn.in, &http.Request{Method: http.MethodHead})
	if err != nil {
		return err
	}
	if resp.StatusCode != status {
		t.problem("HEAD %s is answered with %d, GET with %d", path, resp.StatusCode, status)
	}
	rest, err := io.ReadAll(io.LimitReader(conn.in, maxAnswer))
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("a body of %d bytes follows", len(rest))
	}
	return nil
}

func manyAtOnce(t *trial) error {
	l, err := t.ready()
	if err != nil {
		return err
	}
	path := "/salita-conformance/none"
	for _, r := range t.manifest.Routes {
		if method, example := examplePath(r.Pattern); method == http.MethodGet {
			path = example
			break
		}
	}
	const many = 64
	errs := make([]error, many)
	var work sync.WaitGroup
	for i := range many {
		work.Go(func() { _, errs[i] = l.send(t.ctx, http.MethodGet, path, "") })
	}
	work.Wait()
	if err := errors.Join(errs...); err != nil {
		failed := 0
		for _, e := range errs {
			if e != nil {
				failed, err = failed+1, e
			}
		}
		return fmt.Errorf("of %d requests %d were not answered, one of them: %w", many, failed, err)
	}
	return l.works(t.ctx)
}

func bigHeader(t *trial) error {
	l, err := t.ready()
	if err != nil {
		return err
	}
	conn, err := t.raw(l)
	if err != nil {
		return err
	}
	if err := conn.begin(http.MethodGet, "/salita-conformance/none", -1, "Connection: close", "X-Large: "+strings.Repeat("x", 32<<10)); err != nil {
		return err
	}
	resp, err := http.ReadResponse(conn.in, nil)
	switch {
	case err != nil:
		t.problem("with a header of 32 KiB there is no answer: %w", err)
	case resp.StatusCode == http.StatusBadRequest, resp.StatusCode == http.StatusRequestHeaderFieldsTooLarge:
		t.problem("with a header of 32 KiB the answer is %d", resp.StatusCode)
	}
	huge, err := t.raw(l)
	if err != nil {
		return err
	}
	// It may be refused at any moment, so nothing is to be learned here.
	if huge.begin(http.MethodGet, "/salita-conformance/none", -1, "Connection: close", "X-Large: "+strings.Repeat("x", 2<<20)) == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(huge.in, maxAnswer))
	}
	return l.works(t.ctx)
}

func abortedBody(t *trial) error {
	l, err := t.ready()
	if err != nil {
		return err
	}
	routes := t.bodyRoutes()
	if len(routes) == 0 {
		routes = []sdk.Route{{Pattern: "POST /salita-conformance/none"}}
	}
	for _, r := range routes {
		method, path := examplePath(r.Pattern)
		conn, err := t.raw(l)
		if err != nil {
			return err
		}
		if err := conn.begin(method, path, 1<<20); err != nil {
			return err
		}
		_, _ = conn.Write(bytes.Repeat([]byte("x"), 64<<10)) // it may have been refused by now
		_ = conn.Close()
		if err := l.works(t.ctx); err != nil {
			return fmt.Errorf("after %s: %w", r.Pattern, err)
		}
	}
	return nil
}

func garbage(t *trial) error {
	l, err := t.ready()
	if err != nil {
		return err
	}
	junk := [][]byte{nil, {0}, []byte("\r\n\r\n"), []byte("nonsense\r\n\r\n"), bytes.Repeat([]byte{0xff}, 128<<10)}
	for _, path := range []string{l.at.Address, l.socket} {
		for _, j := range junk {
			conn, err := net.Dial("unix", path)
			if err != nil {
				return err
			}
			_, _ = conn.Write(j)
			_ = conn.Close()
		}
	}
	return l.works(t.ctx)
}
