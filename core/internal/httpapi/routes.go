package httpapi

import (
	"net/http"

	"github.com/gofiber/fiber/v2"

	"github.com/salita-mesh/salita/core/internal/auth"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/core/internal/peer"
	"github.com/salita-mesh/salita/core/internal/router"
)

// access says whom a route serves.
type access func(auth.Principal) error

func open(auth.Principal) error { return nil }

func owner(p auth.Principal) error { return router.PermitOwner(p) }

// paired serves the owner and every device with a valid token.
func paired(p auth.Principal) error { return router.PermitKnown(p) }

func may(permission mesh.Permission) access {
	return func(p auth.Principal) error { return router.Permit(p, permission) }
}

// nobody is a caller without credentials.
var nobody auth.Principal

type route struct {
	method, path string
	access       access
	handle       func(*call) error
}

// routes is the table of contents. Whatever is not in it belongs to a plugin or
// to nobody.
func (s *Server) routes() []route {
	return []route{
		{http.MethodGet, "/livez", open, s.alive},
		{http.MethodGet, "/readyz", open, s.alive},
		{http.MethodGet, "/health", paired, s.health},

		{http.MethodGet, "/", open, s.page},
		{http.MethodGet, "/open", open, s.page},
		{http.MethodGet, "/add", open, s.page},
		{http.MethodGet, "/join", open, s.page},
		{http.MethodGet, "/assets/*", open, s.page},

		{http.MethodPost, "/auth/links", owner, s.mintLink},
		{http.MethodPost, "/auth/session", open, s.signIn},
		{http.MethodGet, "/auth/session", paired, s.whoAmI},
		{http.MethodDelete, "/auth/session", paired, s.signOut},
		{http.MethodGet, "/api/sessions", owner, s.listSessions},
		{http.MethodDelete, "/api/sessions/:id", owner, s.removeSession},

		{http.MethodPost, "/auth/pair/start", owner, s.pairStart},
		{http.MethodGet, "/auth/pair/:code", owner, s.pairWindow},
		{http.MethodDelete, "/auth/pair/:code", owner, s.pairCancel},
		{http.MethodGet, "/auth/pair/:code/qr.svg", owner, s.pairQR},
		{http.MethodPost, "/auth/pair/gateway/removed", paired, s.pairRemoved},
		{http.MethodPost, peer.PathLeaving, paired, s.peerLeaving},
		{http.MethodPost, "/auth/pair/claim", open, s.pairClaim},
		{http.MethodPost, "/auth/pair/verify", open, s.pairVerify},
		{http.MethodPost, "/auth/pair/gateway/hello", open, s.pairHello},
		{http.MethodPost, "/auth/pair/gateway/share", open, s.pairShare},
		{http.MethodPost, "/auth/pair/gateway/confirm", open, s.pairConfirm},
		{http.MethodPost, "/api/pairings", owner, s.joinStart},
		{http.MethodGet, "/api/pairings/:id", owner, s.joinState},
		{http.MethodPost, "/api/pairings/:id/pin", owner, s.joinPIN},

		{http.MethodGet, "/api/node/identity", owner, s.identity},
		{http.MethodPost, "/api/node/identity", owner, s.renameSelf},
		{http.MethodGet, "/api/devices", may(mesh.DevicesRead), s.listDevices},
		{http.MethodGet, "/api/devices/:id", may(mesh.DevicesRead), s.showDevice},
		{http.MethodPatch, "/api/devices/:id", owner, s.renameDevice},
		{http.MethodDelete, "/api/devices/:id", owner, s.removeDevice},
		{http.MethodPost, "/api/devices/:id/repair", owner, s.repairDevice},
		{http.MethodPost, "/api/devices/:id/restore", owner, s.restoreDevice},
		{http.MethodGet, "/api/archived", owner, s.listArchived},
		{http.MethodGet, "/api/activity", owner, s.listActivity},
		{http.MethodPost, "/api/discover", owner, s.discover},
		{http.MethodPost, "/api/devices/:id/send", may(mediaUpload), s.send},

		{http.MethodGet, "/trust", open, s.page},
		{http.MethodGet, "/trust/salita.crt", paired, s.authorityFile},
		{http.MethodGet, "/trust/salita.mobileconfig", paired, s.appleProfile},
		{http.MethodGet, "/api/trust", paired, s.trust},
		{http.MethodPost, "/api/trust", owner, s.enableTrust},

		{http.MethodGet, "/api/tokens", owner, s.listTokens},
		{http.MethodPost, "/api/tokens/revoke/:id", owner, s.revokeTokens},
		{http.MethodGet, "/api/plugins", owner, s.listPlugins},
		{http.MethodPost, "/api/plugins/:name/restart", owner, s.restartPlugin},
		{http.MethodPost, "/api/plugins/:name/enable", owner, s.enablePlugin},
		{http.MethodPost, "/api/plugins/:name/disable", owner, s.disablePlugin},
		{http.MethodGet, "/api/config", owner, s.showConfig},
		{http.MethodGet, "/api/events", owner, s.follow},
		{http.MethodGet, "/api/imported", owner, s.listImportNotes},
		{http.MethodPost, "/api/backup", owner, s.backUp},
	}
}

func (s *Server) mount() {
	for _, r := range s.routes() {
		s.app.Add(r.method, r.path, s.handler(r.access, r.handle))
		if r.method == http.MethodGet {
			s.app.Add(http.MethodHead, r.path, s.handler(r.access, r.handle))
		}
	}
	s.app.All("/capabilities/:id", s.handler(open, s.useCapability))
	s.app.All("/*", s.handler(open, s.forward)) // the router asks who may
}

func (s *Server) handler(allowed access, handle func(*call) error) fiber.Handler {
	return func(c *fiber.Ctx) error {
		call, err := s.identify(c)
		if err != nil {
			return err
		}
		if err := allowed(call.who.Principal); err != nil {
			return err
		}
		return handle(call)
	}
}
