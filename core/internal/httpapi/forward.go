package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync/atomic"

	"github.com/gofiber/fiber/v2"

	"github.com/salita-mesh/salita/core/internal/dataplane"
	"github.com/salita-mesh/salita/core/internal/listener"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/core/internal/plugins"
	"github.com/salita-mesh/salita/sdk"
)

// forward carries a request to the plugin that declared its route, and the
// plugin's answer back. Nothing is buffered.
func (s *Server) forward(c *call) error {
	target, err := requestURL(c.Ctx)
	if err != nil {
		return err
	}
	to, err := s.Router.Route(c.who.Principal, c.Method(), target.EscapedPath())
	if err != nil {
		return err
	}
	return c.pass(to, target)
}

// useCapability carries a request to the route by which a capability is used, for
// callers who know what they want and not which plugin does it.
func (s *Server) useCapability(c *call) error {
	target, err := requestURL(c.Ctx)
	if err != nil {
		return err
	}
	to, err := s.Router.Capability(c.who.Principal, c.Params("id"))
	if err != nil {
		return err
	}
	if c.Method() != to.Method && (c.Method() != http.MethodHead || to.Method != http.MethodGet) {
		c.Set(fiber.HeaderAllow, to.Method)
		return (&sdk.Error{Kind: sdk.Unsupported, Status: http.StatusMethodNotAllowed}).
			Because(fmt.Errorf("capability is used by %s, not %s", to.Method, c.Method()))
	}
	plain, err := url.PathUnescape(to.Path)
	if err != nil {
		return err
	}
	target.Path, target.RawPath = plain, to.Path
	return c.pass(to.Match, target)
}

// pass carries the request to the plugin and its answer back.
func (c *call) pass(to plugins.Match, target *url.URL) error {
	// No context ends the call: a stop lets it finish, and then the plugin's own
	// end ends it.
	req := c.outgoing(context.Background(), c.Method(), target)
	c.introduce(req.Header)
	if err := c.askUpgrade(req); err != nil {
		return err
	}
	resp, err := to.RoundTrip(req)
	if err != nil {
		return c.abandon(req, err)
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return c.switchProtocols(resp, may(to.Permission))
	}
	return c.relay(req, resp)
}

// introduce says to a plugin who is asking, and under which reference the log
// will know it.
func (c *call) introduce(h http.Header) {
	kind := "device"
	if c.who.Owner {
		kind = "owner"
	}
	values := [...]string{mesh.NewReference(), kind, string(c.who.Device), url.PathEscape(c.who.Name)}
	for i, name := range [...]string{sdk.HeaderReference, sdk.HeaderCallerKind, sdk.HeaderCallerID, sdk.HeaderCallerName} {
		h[name] = values[i : i+1 : i+1]
	}
}

// requestURL parses the request's target. A path that is not in its shortest
// form is refused: what it means must not depend on who reads it.
func requestURL(c *fiber.Ctx) (*url.URL, error) {
	u, err := url.ParseRequestURI(string(c.Context().RequestURI()))
	if err != nil {
		return nil, (&sdk.Error{Kind: sdk.Invalid}).Because(err)
	}
	clean := path.Clean(u.Path)
	if clean != u.Path && clean+"/" != u.Path {
		return nil, sdk.Errorf(sdk.Invalid, "That address can't be understood.")
	}
	u.Scheme, u.Host, u.User = "", "", nil
	return u, nil
}

// outgoing is the caller's request for whoever serves it: without the caller's
// credentials and without headers that only gateways may set.
func (c *call) outgoing(ctx context.Context, method string, target *url.URL) *http.Request {
	req := new(http.Request).WithContext(ctx)
	req.Method, req.URL, req.Host = method, target, "salita"
	req.Proto, req.ProtoMajor, req.ProtoMinor = "HTTP/1.1", 1, 1
	req.Header, req.Body = c.header(), http.NoBody
	if stream := c.Context().RequestBodyStream(); stream != nil {
		conn := connection(c.Ctx)
		conn.StreamBody()
		req.Body = &requestBody{stream: stream, conn: conn, closed: make(chan struct{})}
		req.ContentLength = int64(c.Request().Header.ContentLength())
		if req.ContentLength < 0 {
			req.ContentLength = -1 // chunked
		}
	}
	return req
}

// header copies the fields that go further. They are many, small and
// short-lived, so all of them share one string and one slice.
func (c *call) header() http.Header {
	var (
		stack [1 << 10]byte
		marks [64]int
		text  = stack[:0]
		ends  = marks[:0]
	)
	for name, value := range c.Request().Header.All() {
		if !private(string(name)) {
			text = append(text, name...)
			ends = append(ends, len(text))
			text = append(text, value...)
			ends = append(ends, len(text))
		}
	}
	whole, start := string(text), 0
	header, values := make(http.Header, 8), make([]string, len(ends)/2)
	for i := range values {
		name := whole[start:ends[2*i]]
		values[i] = whole[ends[2*i]:ends[2*i+1]]
		start = ends[2*i+1]
		if earlier, ok := header[name]; ok {
			header[name] = append(earlier, values[i])
			continue
		}
		header[name] = values[i : i+1 : i+1]
	}
	return header
}

// private reports whether a header is between the two ends of one hop, or holds
// credentials, or is the gateways' own.
func private(name string) bool {
	switch name {
	case "Authorization", "Cookie", "Set-Cookie", "Host", "Content-Length", "Expect",
		"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Proxy-Authenticate",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Server", "Date":
		return true
	}
	return strings.HasPrefix(name, "Salita-")
}

// requestBody is the caller's body as it arrives. Whoever sends it on may still
// be reading when the answer is there, and closes it when done.
type requestBody struct {
	stream io.Reader
	conn   *listener.Conn
	ended  atomic.Bool
	closed chan struct{}
}

func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.stream.Read(p)
	if err != nil {
		b.ended.Store(true)
	}
	return n, err
}

// Pending reports whether more of the body is already here, so that small TLS
// records can be joined into large writes.
func (b *requestBody) Pending() bool { return b.conn.Pending() }

func (b *requestBody) Close() error {
	close(b.closed)
	return nil
}

// cut refuses the rest of the request's body, if there is any: it is of no use
// to anyone, and must not be taken for the next request.
func (c *call) cut(req *http.Request) {
	if body, ok := req.Body.(*requestBody); ok && !body.ended.Load() {
		body.conn.Cut()
		c.Response().SetConnectionClose()
	}
}

// abandon ends a call that got no answer. Fiber takes the request back as soon
// as the handler returns, so nobody may be reading its body by then.
func (c *call) abandon(req *http.Request, err error) error {
	c.cut(req)
	if body, ok := req.Body.(*requestBody); ok {
		<-body.closed
	}
	if errors.Is(err, dataplane.ErrRequestBody) {
		return sdk.Errorf(sdk.Invalid, "The file didn't arrive whole.").Because(err)
	}
	return err
}

// relay passes an answer on to the caller.
func (c *call) relay(req *http.Request, resp *http.Response) error {
	out := c.Response()
	out.SetStatusCode(resp.StatusCode)
	c.relayHeader(resp.Header)
	if resp.StatusCode >= http.StatusBadRequest {
		c.cut(req)
	}
	if resp.Body == nil || c.Method() == http.MethodHead {
		out.SkipBody = true
		out.Header.SetContentLength(int(resp.ContentLength))
		if resp.Body != nil {
			return resp.Body.Close()
		}
		return nil
	}
	if here, ok := resp.Body.(interface{ Buffered() int }); ok && 0 <= resp.ContentLength && resp.ContentLength <= int64(here.Buffered()) {
		return c.relayWhole(resp)
	}
	out.ImmediateHeaderFlush = resp.ContentLength < 0
	c.Context().SetBodyStream(responseBody{resp.Body}, int(resp.ContentLength))
	return nil
}

// relayHeader passes on the fields that are meant for the caller.
func (c *call) relayHeader(header http.Header) {
	out := &c.Response().Header
	var stack [64]byte
	for name, values := range header {
		if private(name) {
			continue
		}
		key := append(stack[:0], name...)
		for i, v := range values {
			if i == 0 {
				out.SetBytesK(key, v) // in place of our own default
			} else {
				out.AddBytesK(key, v)
			}
		}
	}
}

// relayWhole passes on a small body that is here already.
func (c *call) relayWhole(resp *http.Response) error {
	body := make([]byte, resp.ContentLength)
	_, err := io.ReadFull(resp.Body, body)
	c.Response().SetBodyRaw(body)
	return errors.Join(err, resp.Body.Close())
}

// responseBody lets fasthttp use the body's own large writes.
type responseBody struct{ io.ReadCloser }

func (b responseBody) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, b.ReadCloser) }

func (b responseBody) SupportsBodyWriteTo() bool { return true }
