package httpapi

import (
	"net/http"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// expect decides on a request whose client waits for leave to send its body
// ("Expect: 100-continue", RFC 9110, 10.1.1). Who may not make the request at
// all hears that before the body is sent; everything else is for the handler.
func (s *Server) expect(ctx *fasthttp.RequestCtx) int {
	c := s.app.AcquireCtx(ctx)
	defer s.app.ReleaseCtx(c)
	call, err := s.identify(c)
	if err == nil && !call.who.Known() {
		err = signInUnlessOpen(s.routes(), c)
	}
	if err == nil {
		return http.StatusContinue
	}
	_ = s.fail(c, err) // it writes an answer and cannot fail
	return ctx.Response.StatusCode()
}

// signInUnlessOpen refuses a stranger, except on routes for anyone.
func signInUnlessOpen(routes []route, c *fiber.Ctx) error {
	for _, r := range routes {
		if r.method == c.Method() && r.path == c.Path() {
			return r.access(nobody)
		}
	}
	return paired(nobody)
}
