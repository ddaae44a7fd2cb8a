package plugins

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/salita-mesh/salita/core/internal/dataplane"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// Match is a declared route that fits a request. It stays good across restarts
// of the plugin.
type Match struct {
	Plugin     string
	Permission mesh.Permission // what a caller needs; checking it is the caller's part

	board *board
}

// Route finds the plugin route that a request fits. path is escaped, as on the
// request line, without the query. It reports true also while the plugin is not
// running, as long as its routes are known. It never waits for a plugin.
func (h *Host) Route(method, path string) (Match, bool) {
	name := owner(path)
	e, ok := h.board.look().entries[name]
	if !ok || e.routes == nil {
		return Match{}, false
	}
	permission, ok := e.routes.match(method, path)
	if !ok {
		return Match{}, false
	}
	return Match{Plugin: name, Permission: permission, board: h.board}, true
}

// RoundTrip sends the request to the plugin's process and returns its answer,
// whose body streams. It takes the request over and changes it. Scheme and host
// of the URL do not matter. Credentials and connection headers of the request
// stay behind, as do headers of the answer that would speak for the whole
// gateway.
//
// A request that may be repeated and has no body waits for a plugin that is just
// starting again, for up to a second.
//
// Errors are of type *sdk.Error: 503 when the plugin is not running or has too
// many requests, 502 when it dies or answers nonsense, 504 when it gives no
// answer within 30 seconds; or the cause of the request's own context.
func (m Match) RoundTrip(r *http.Request) (*http.Response, error) {
	e, err := m.admit(r, nil)
	if err != nil {
		closeBody(r)
		return nil, err
	}
	resp, err := e.instance.forward(r)
	if err != nil && errors.Is(err, dataplane.ErrDial) && repeatable(r) && r.Context().Err() == nil {
		// It did not get there: the process has just ended.
		e.suspect(err)
		if next, failed := m.admit(r, e.instance); failed == nil {
			e = next
			resp, err = e.instance.forward(r)
		}
	}
	if err != nil {
		return nil, e.forwardFailure(r.Context(), err)
	}
	return resp, nil
}

// forward sends an admitted request and counts it out when its answer ends.
func (i *instance) forward(r *http.Request) (*http.Response, error) {
	resp, err := i.transport.RoundTrip(prepare(r))
	i.answered()
	if err == nil {
		err = checkResponse(resp)
	}
	if err != nil {
		i.done()
		return nil, err
	}
	cleanResponse(resp)
	resp.Body = count(resp.Body, i)
	return resp, nil
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// unavailable says why a plugin takes no requests.
func unavailable(s Status) *sdk.Error {
	switch s.State {
	case Starting, Backoff, Stopping:
		return sdk.Errorf(sdk.PluginUnavailable, "%s is restarting", s.Title)
	}
	return sdk.Errorf(sdk.PluginUnavailable, "%s isn't working right now", s.Title)
}

// away is unavailable with how long that may last, as far as it is known.
func (e entry) away() *sdk.Error {
	failure := unavailable(e.status)
	if e.returning {
		failure.RetryAfter = max(time.Until(e.resumes), time.Second)
	}
	return failure
}

// busy is a plugin with as many requests as it gets at once.
func busy(s Status) *sdk.Error {
	failure := sdk.Errorf(sdk.PluginUnavailable, "%s is busy. Try again in a moment.", s.Title)
	failure.RetryAfter = time.Second
	return failure
}

// forwardFailure is the meaning of an error of the transport.
func (e entry) forwardFailure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e.suspect(err)
	return e.meaning(err).Because(fmt.Errorf("forward to plugin %q: %w", e.status.Name, err))
}

// suspect has the plugin's health checked when nobody listens there any more.
func (e entry) suspect(err error) {
	if socketGone(err) {
		e.instance.suspected()
	}
}

func (e entry) meaning(err error) *sdk.Error {
	var timeout net.Error
	switch {
	case errors.Is(err, dataplane.ErrBusy):
		return busy(e.status)
	case errors.Is(err, dataplane.ErrRequestBody), errors.Is(err, dataplane.ErrBadRequest):
		return &sdk.Error{Kind: sdk.Invalid} // the caller's doing, not the plugin's
	case errors.As(err, &timeout) && timeout.Timeout():
		failure := sdk.Errorf(sdk.PluginUnavailable, "%s takes too long to answer.", e.status.Title)
		failure.Status = http.StatusGatewayTimeout
		return failure
	}
	failure := sdk.Errorf(sdk.PluginUnavailable, "%s is restarting", e.status.Title)
	failure.Status, failure.RetryAfter = http.StatusBadGateway, time.Second
	return failure
}

// prepare makes it the request that the plugin gets. What is about one
// connection only stays behind anyway, in the data plane.
func prepare(r *http.Request) *http.Request {
	r.URL.Scheme, r.URL.Host, r.URL.User = "http", "plugin", nil
	r.Close = false
	r.RequestURI = ""
	delete(r.Header, "Authorization")
	delete(r.Header, "Cookie")
	return r
}

// checkResponse refuses an answer that cannot be passed on. A change of protocol
// that nobody asked for was refused by the data plane.
func checkResponse(resp *http.Response) error {
	status := resp.StatusCode
	if status != http.StatusSwitchingProtocols && (status < http.StatusOK || status > 599) {
		_ = resp.Body.Close()
		return fmt.Errorf("impossible status %d", status)
	}
	return nil
}

// cleanResponse takes away what a plugin has no right to say: in the gateway's
// own name, or for the gateway's whole origin.
func cleanResponse(resp *http.Response) {
	for name := range resp.Header {
		switch {
		case strings.HasPrefix(name, "Salita-"),
			name == "Set-Cookie", name == "Clear-Site-Data", name == "Strict-Transport-Security", name == "Alt-Svc", name == "Service-Worker-Allowed":
			delete(resp.Header, name)
		}
	}
}

// countedBody is a body that counts its request out when it is closed. It keeps
// the abilities of the body: a switched connection is written to, a fast one
// copies itself, a short one is there already.
type countedBody struct {
	io.ReadCloser
	instance *instance
	closed   atomic.Bool
}

// count wraps the body of an answer of the instance.
func count(body io.ReadCloser, i *instance) io.ReadCloser {
	counted := &countedBody{ReadCloser: body, instance: i}
	if writer, ok := body.(io.Writer); ok {
		return struct {
			*countedBody
			io.Writer
		}{counted, writer}
	}
	return counted
}

// WriteTo lets the body write itself.
func (b *countedBody) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, b.ReadCloser) }

// Buffered is how many bytes of the body can be read without waiting.
func (b *countedBody) Buffered() int {
	if here, ok := b.ReadCloser.(interface{ Buffered() int }); ok {
		return here.Buffered()
	}
	return 0
}

// Close closes the body.
func (b *countedBody) Close() error {
	if b.closed.CompareAndSwap(false, true) {
		defer b.instance.done()
	}
	return b.ReadCloser.Close()
}
