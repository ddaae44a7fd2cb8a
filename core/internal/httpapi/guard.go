package httpapi

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/salita-mesh/salita/core/internal/listener"
	"github.com/salita-mesh/salita/sdk"
)

// guard refuses what a browser was tricked into sending: requests under a name
// that is not ours (DNS rebinding), and changes that another site asks for. Other
// gateways and the owner's socket are no browsers and are let through.
func (s *Server) guard(c *fiber.Ctx, conn *listener.Conn) error {
	if _, gateway := conn.PeerKey(); gateway || conn.Owner() {
		return nil
	}
	if host := string(c.Context().Host()); !s.knows(host) {
		return &sdk.Error{
			Kind: sdk.Forbidden, Message: "This device doesn't go by that name.",
			Hint: "Use its address instead.", Cause: fmt.Errorf("host %.100q is not ours", host),
		}
	}
	return sameOrigin(c)
}

// knows reports whether a Host header names this gateway. Any address does: a
// page at an address was fetched from there, so no foreign name can hide in it.
func (s *Server) knows(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.Trim(name, "[]")
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return slices.ContainsFunc(s.Names(), func(ours string) bool { return strings.EqualFold(ours, name) })
}

// sameOrigin refuses a change that another site asks for, by the rule of
// http.CrossOriginProtection: a Sec-Fetch-Site of "same-origin" or "none", or an
// Origin that is the Host. Without either header it is no browser that asks.
func sameOrigin(c *fiber.Ctx) error {
	site, origin := c.Get("Sec-Fetch-Site"), c.Get(fiber.HeaderOrigin)
	if site == "" && origin == "" {
		return nil
	}
	err := http.NewCrossOriginProtection().Check(&http.Request{
		Method: c.Method(),
		Host:   string(c.Context().Host()),
		URL:    &url.URL{Path: c.Path()},
		Header: http.Header{"Sec-Fetch-Site": {site}, "Origin": {origin}},
	})
	if err != nil {
		return (&sdk.Error{Kind: sdk.Forbidden}).Because(fmt.Errorf("another site asks for a change: %w", err))
	}
	return nil
}

// harden sets the headers that every answer has. A page or a plugin may replace
// the policy by its own.
func harden(c *fiber.Ctx) {
	h := &c.Response().Header
	h.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	h.Set(fiber.HeaderXFrameOptions, "DENY")
	h.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}
