package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/salita-mesh/salita/core/internal/auth"
	"github.com/salita-mesh/salita/core/internal/listener"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/core/internal/peer"
	"github.com/salita-mesh/salita/sdk"
)

// maxJSON bounds a JSON request body, in bytes.
const maxJSON = 64 << 10

// call is one request and its caller.
type call struct {
	*fiber.Ctx
	server *Server
	who    auth.Identity
}

// identify refuses what nobody may send and finds out who is asking.
func (s *Server) identify(c *fiber.Ctx) (*call, error) {
	harden(c)
	if err := wellFormed(&c.Context().Request.Header); err != nil {
		return nil, err
	}
	conn := connection(c)
	if conn == nil {
		return nil, errors.New("connection does not come from the listener")
	}
	if err := s.guard(c, conn); err != nil {
		return nil, err
	}
	who, err := s.Auth.Identify(evidence(c, conn))
	if err != nil {
		return nil, err
	}
	if who.Token.Renewed {
		c.Set(peer.HeaderTokenExpires, who.Token.ExpiresAt.UTC().Format(time.RFC3339))
	}
	if who.Session.Renewed {
		keepSession(c, string(c.Context().Request.Header.Cookie(sessionCookie)), who.Session.ExpiresAt)
	}
	return &call{Ctx: c, server: s, who: who}, nil
}

// evidence is what the request brings to say who sends it. Its bytes are good
// until the handler returns.
func evidence(c *fiber.Ctx, conn *listener.Conn) auth.Evidence {
	key, _ := conn.PeerKey()
	return auth.Evidence{
		OwnerSocket:   conn.Owner(),
		Key:           key,
		Authorization: c.Context().Request.Header.Peek(fiber.HeaderAuthorization),
		Session:       c.Context().Request.Header.Cookie(sessionCookie),
	}
}

// within runs fn with a context that ends with the server or after
// answerTimeout. Fiber's own context never ends when a client goes away.
func (c *call) within(fn func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(c.server.ctx, answerTimeout)
	defer cancel()
	return fn(ctx)
}

// decode reads a bounded JSON body into v.
func (c *call) decode(v any) error {
	body, err := c.readAll(maxJSON)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return (&sdk.Error{Kind: sdk.Invalid}).Because(err)
	}
	return nil
}

func (c *call) readAll(limit int64) ([]byte, error) {
	if declared := int64(c.Request().Header.ContentLength()); declared > limit {
		return nil, &sdk.Error{Kind: sdk.TooLarge}
	}
	stream := c.Context().RequestBodyStream()
	if stream == nil {
		return c.Request().Body(), nil
	}
	body, err := io.ReadAll(io.LimitReader(stream, limit+1))
	if err != nil {
		return nil, (&sdk.Error{Kind: sdk.Invalid}).Because(err)
	}
	if int64(len(body)) > limit {
		return nil, &sdk.Error{Kind: sdk.TooLarge}
	}
	return body, nil
}

// answer sends v as JSON.
func (c *call) answer(status int, v any) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.Status(status).JSON(v)
}

func (c *call) ok(v any) error { return c.answer(http.StatusOK, v) }

// peerKey is the key that the other gateway proved, or an error for anyone else.
func (c *call) peerKey() (mesh.KeyHash, error) {
	key, ok := connection(c.Ctx).PeerKey()
	if !ok {
		return key, &sdk.Error{Kind: sdk.SignIn}
	}
	return key, nil
}

func (c *call) deviceID() mesh.DeviceID { return mesh.DeviceID(c.Params("id")) }
