package httpapi

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

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
	return s.names.hold(name)
}

const (
	// namesAge is how old the list of our names may be. To find it out takes the
	// system longer than to serve a small request.
	namesAge = 10 * time.Second
	// namesRetry is how old it may be for a name that is not on it: a new one of
	// ours is known by then, and strangers do not make us look all the time.
	namesRetry = time.Second
)

// ownNames are the names that this gateway goes by, looked up now and then.
type ownNames struct {
	find func() []string
	last atomic.Pointer[nameList]
}

type nameList struct {
	names []string
	at    time.Time
}

// hold reports whether the name is one of ours, in any case of letters.
func (o *ownNames) hold(name string) bool {
	list := o.last.Load()
	if list == nil || time.Since(list.at) > namesAge {
		list = o.look()
	}
	if list.holds(name) {
		return true
	}
	return time.Since(list.at) > namesRetry && o.look().holds(name)
}

func (o *ownNames) look() *nameList {
	list := &nameList{names: o.find(), at: time.Now()}
	o.last.Store(list)
	return list
}

func (l *nameList) holds(name string) bool {
	return slices.ContainsFunc(l.names, func(ours string) bool { return strings.EqualFold(ours, name) })
}

// sameOrigin refuses a change that another site asks for, by the rule of
// http.CrossOriginProtection: a Sec-Fetch-Site of "same-origin" or "none", or an
// Origin that is the Host. Without either header it is no browser that asks.
func sameOrigin(c *fiber.Ctx) error { return sameOriginAs(c, c.Method()) }

// sameOriginAs applies the rule as if the request had the method.
func sameOriginAs(c *fiber.Ctx, method string) error {
	site, origin := c.Get("Sec-Fetch-Site"), c.Get(fiber.HeaderOrigin)
	if site == "" && origin == "" || site == "same-origin" {
		return nil
	}
	err := http.NewCrossOriginProtection().Check(&http.Request{
		Method: method,
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
