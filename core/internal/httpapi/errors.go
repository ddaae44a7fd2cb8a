package httpapi

import (
	"errors"
	"math"
	"net/http"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/core/internal/peer"
	"github.com/salita-mesh/salita/sdk"
)

// fail is the edge where every error of the gateway's own becomes an answer:
// the plain sentence and a reference for the caller, the cause in the log under
// the same reference.
func (s *Server) fail(c *fiber.Ctx, err error) error {
	e := asError(err)
	reference := mesh.NewReference()
	report := s.Log.Info
	if e.Kind == sdk.Internal {
		report = s.Log.Error
	}
	report("request failed", "reference", reference, "method", c.Method(), "path", c.Path(), "status", e.HTTPStatus(), "error", e.Error())

	harden(c) // an error may come from before the handler
	refuseBody(c)
	c.Set(peer.HeaderError, string(e.Kind))
	c.Set(fiber.HeaderCacheControl, "no-store")
	if e.HTTPStatus() == http.StatusUnauthorized {
		c.Set(fiber.HeaderWWWAuthenticate, "Bearer")
	}
	if seconds := retryAfter(e); seconds > 0 {
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(seconds))
	}
	return c.Status(e.HTTPStatus()).JSON(sdk.ErrorBody{
		Error: e.Friendly(), Code: e.Kind, Hint: e.Hint, Reference: reference,
	})
}

// retryAfter is after how many seconds trying again may help; 0 when that is
// not known.
func retryAfter(e *sdk.Error) int {
	seconds := int(math.Ceil(e.RetryAfter.Seconds()))
	switch e.HTTPStatus() {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return max(seconds, 1)
	}
	return seconds
}

// refuseBody ends the connection after the answer when a large body may still be
// on its way: reading it to its end would be a stranger's gift of our time, and
// leaving it unread would make it the next request.
func refuseBody(c *fiber.Ctx) {
	length := c.Request().Header.ContentLength()
	if c.Context().RequestBodyStream() == nil || 0 <= length && length <= maxJSON {
		return
	}
	if conn := connection(c); conn != nil {
		conn.Cut()
	}
	c.Response().SetConnectionClose()
}

// asError also understands what Fiber and fasthttp report.
func asError(err error) *sdk.Error {
	var f *fiber.Error
	if !errors.As(err, &f) {
		return sdk.AsError(err)
	}
	e := &sdk.Error{Kind: sdk.Internal, Status: f.Code, Cause: err}
	switch {
	case f.Code == http.StatusNotFound:
		e.Kind = sdk.NotFound
	case f.Code == http.StatusMethodNotAllowed:
		e.Kind = sdk.Unsupported
	case f.Code == http.StatusRequestEntityTooLarge || f.Code == http.StatusRequestHeaderFieldsTooLarge:
		e.Kind = sdk.TooLarge
	case f.Code < http.StatusInternalServerError:
		e.Kind = sdk.Invalid
	}
	return e
}
