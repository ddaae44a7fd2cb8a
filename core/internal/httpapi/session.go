package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/salita-mesh/salita/core/internal/auth"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// sessionCookie keeps a browser signed in. Its prefix makes browsers refuse it
// over plain HTTP, for other hosts and from subdomains.
const sessionCookie = "__Host-salita"

// keepSession gives the browser its secret, in a place that no script can read.
func keepSession(c *fiber.Ctx, secret string, expires time.Time) {
	c.Cookie(&fiber.Cookie{
		Name: sessionCookie, Value: secret, Path: "/", Expires: expires,
		Secure: true, HTTPOnly: true, SameSite: fiber.CookieSameSiteLaxMode,
	})
}

type linkBody struct {
	Link      string     `json:"link"`
	ExpiresAt *time.Time `json:"expires_at"`
}

// mintLink makes a sign-in link. Its secret is in the fragment, which browsers
// keep to themselves: looking at the link uses nothing up.
func (s *Server) mintLink(c *call) error {
	link, expires := s.SignInLink()
	return c.ok(linkBody{Link: link, ExpiresAt: timeJSON(expires)})
}

// SignInLink makes a link that signs one browser in as the owner.
func (s *Server) SignInLink() (link string, expires time.Time) {
	secret, expires := s.Sessions.MintLink()
	return "https://" + s.Address() + "/open#" + secret, expires
}

func (s *Server) signIn(c *call) error {
	var in struct {
		Secret string `json:"secret"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	return c.within(func(ctx context.Context) error {
		secret, session, err := s.Sessions.Redeem(ctx, in.Secret, c.Get(fiber.HeaderUserAgent))
		if err != nil {
			return err
		}
		keepSession(c.Ctx, secret, session.ExpiresAt)
		return c.ok(s.whoBody(auth.Principal{Owner: true}))
	})
}

type whoBody struct {
	Owner       bool            `json:"owner"`
	Name        string          `json:"name"`        // of the paired device; "" for the owner at no device
	Permissions []string        `json:"permissions"` // what a paired device may do; the owner needs none
	Gateway     gatewayNameBody `json:"gateway"`
}

type gatewayNameBody struct {
	Name string `json:"name"`
}

func (s *Server) whoBody(p auth.Principal) whoBody {
	return whoBody{
		Owner: p.Owner, Name: p.Name, Permissions: p.Grant.Strings(),
		Gateway: gatewayNameBody{s.Identity.Name()},
	}
}

func (s *Server) whoAmI(c *call) error {
	return c.ok(s.whoBody(c.who.Principal))
}

// signOut ends the browser's own session.
func (s *Server) signOut(c *call) error {
	if c.who.Session.ID == "" {
		return sdk.Errorf(sdk.Invalid, "Nobody is signed in by this browser.")
	}
	return s.endSession(c, c.who.Session.ID)
}

func (s *Server) endSession(c *call, id mesh.SessionID) error {
	return c.within(func(ctx context.Context) error {
		if err := s.Sessions.Remove(ctx, id); err != nil {
			return err
		}
		if id == c.who.Session.ID {
			keepSession(c.Ctx, "", time.Unix(1, 0))
		}
		return c.SendStatus(http.StatusNoContent)
	})
}

type sessionBody struct {
	ID          mesh.SessionID   `json:"id"`
	Kind        mesh.SessionKind `json:"kind"`
	Description string           `json:"description"`
	Device      string           `json:"device"` // name of the paired device; "" for the owner's
	CreatedAt   *time.Time       `json:"created_at"`
	LastUsedAt  *time.Time       `json:"last_used_at"`
	Current     bool             `json:"current"`
}

func (s *Server) listSessions(c *call) error {
	out := []sessionBody{}
	for _, session := range s.Sessions.List() {
		out = append(out, sessionBody{
			ID: session.ID, Kind: session.Kind, Description: session.Description, Device: s.Devices.Name(session.DeviceID),
			CreatedAt: timeJSON(session.CreatedAt), LastUsedAt: timeJSON(session.LastUsedAt),
			Current: session.ID == c.who.Session.ID,
		})
	}
	return c.ok(out)
}

func (s *Server) removeSession(c *call) error {
	return s.endSession(c, mesh.SessionID(c.Params("id")))
}
