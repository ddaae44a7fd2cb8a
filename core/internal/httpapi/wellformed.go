package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/salita-mesh/salita/sdk"
)

// wellFormed refuses requests that fasthttp takes and that another program on the
// way, such as a proxy, may understand in another way.
func wellFormed(h *fasthttp.RequestHeader) error {
	switch protocol := h.Protocol(); string(protocol) {
	case "HTTP/1.1", "HTTP/1.0":
	default:
		return &sdk.Error{
			Kind: sdk.Unsupported, Status: http.StatusHTTPVersionNotSupported, Cause: fmt.Errorf("request in %.20q", protocol),
		}
	}
	if len(h.PeekAll(fiber.HeaderAuthorization)) > 1 {
		return (&sdk.Error{Kind: sdk.Invalid}).Because(errors.New("more than one Authorization header"))
	}
	if codedAsNothing(h.RawHeaders()) {
		return (&sdk.Error{Kind: sdk.Invalid}).Because(errors.New("transfer coding other than chunked"))
	}
	return nil
}

// codedAsNothing finds the transfer coding "identity", which is none any more
// (RFC 9112, section 7) and of which fasthttp tells nothing.
func codedAsNothing(head []byte) bool {
	const field = "transfer-encoding:"
	for len(head) > len(field) {
		line, rest, _ := bytes.Cut(head, []byte("\n"))
		head = rest
		if len(line) < len(field) || line[0]|0x20 != field[0] || !bytes.EqualFold(line[:len(field)], []byte(field)) {
			continue
		}
		if !bytes.EqualFold(bytes.TrimSpace(line[len(field):]), []byte("chunked")) {
			return true
		}
	}
	return false
}

// knownMethods answers methods that Fiber does not know in the form of all
// errors; Fiber's own answer is plain text.
func (s *Server) knownMethods(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	known := make(map[string]bool)
	for _, method := range s.app.Config().RequestMethods {
		known[method] = true
	}
	return func(ctx *fasthttp.RequestCtx) {
		if known[string(ctx.Method())] {
			next(ctx)
			return
		}
		c := s.app.AcquireCtx(ctx)
		defer s.app.ReleaseCtx(c)
		err := (&sdk.Error{Kind: sdk.Invalid}).Because(fmt.Errorf("method %.20q", ctx.Method()))
		_ = s.fail(c, err) // it writes an answer and cannot fail
	}
}
