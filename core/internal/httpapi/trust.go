package httpapi

import (
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/salita-mesh/salita/sdk"
)

type trustBody struct {
	Enabled     bool   `json:"enabled"`
	Fingerprint string `json:"fingerprint,omitempty"` // to compare on both screens
}

// trust tells whether this gateway has an authority that a phone may install, so
// that its browser knows the gateway.
func (s *Server) trust(c *call) error {
	ca, ok := s.Identity.CACertificate()
	return c.ok(trustBody{Enabled: ok, Fingerprint: ca.Fingerprint})
}

func (s *Server) enableTrust(c *call) error {
	ca, err := s.Identity.EnableCA()
	if err != nil {
		return err
	}
	return c.ok(trustBody{Enabled: true, Fingerprint: ca.Fingerprint})
}

func (s *Server) authorityFile(c *call) error {
	ca, ok := s.Identity.CACertificate()
	return download(c, "application/x-x509-ca-cert", "salita.crt", ca.DER, ok)
}

func (s *Server) appleProfile(c *call) error {
	profile, ok := s.Identity.AppleProfile()
	return download(c, "application/x-apple-aspen-config", "salita.mobileconfig", profile, ok)
}

func download(c *call, contentType, name string, body []byte, ok bool) error {
	if !ok {
		return &sdk.Error{Kind: sdk.NotFound}
	}
	c.Set(fiber.HeaderContentType, contentType)
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+name+`"`)
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.Status(http.StatusOK).Send(body)
}
