package httpapi

import (
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/salita-mesh/salita/core/internal/web"
	"github.com/salita-mesh/salita/sdk"
)

// page sends a page or one of its files. They are the same for everybody; what
// they show comes from the API.
func (s *Server) page(c *call) error {
	asset, ok := web.Lookup(string(c.Request().URI().PathOriginal()))
	if !ok {
		return &sdk.Error{Kind: sdk.NotFound}
	}
	c.Set(fiber.HeaderContentSecurityPolicy, asset.CSP)
	c.Set(fiber.HeaderETag, asset.ETag)
	c.Set(fiber.HeaderCacheControl, "no-cache") // always asked, seldom sent
	if c.Get(fiber.HeaderIfNoneMatch) == asset.ETag {
		return c.SendStatus(http.StatusNotModified)
	}
	c.Set(fiber.HeaderContentType, asset.ContentType)
	return c.Send(asset.Body)
}
