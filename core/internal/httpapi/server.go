// Package httpapi is the gateway's HTTP interface: it turns requests into calls
// of the services and their answers into JSON. It decides nothing: who is asking
// is auth's answer, what is permitted the router's. It is the only package that
// knows Fiber.
package httpapi

import (
	"context"
	"math"
	"net"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/auth"
	"github.com/salita-mesh/salita/core/internal/devices"
	"github.com/salita-mesh/salita/core/internal/events"
	"github.com/salita-mesh/salita/core/internal/identity"
	"github.com/salita-mesh/salita/core/internal/listener"
	"github.com/salita-mesh/salita/core/internal/pairing"
	"github.com/salita-mesh/salita/core/internal/peer"
	"github.com/salita-mesh/salita/core/internal/router"
	"github.com/salita-mesh/salita/core/internal/sessions"
	"github.com/salita-mesh/salita/core/internal/tokens"
)

const (
	// headTimeout bounds the arrival of a request's head.
	headTimeout = 15 * time.Second
	// keepAlive is how long an idle connection stays open.
	keepAlive = 75 * time.Second
	// readBuffer bounds a request's head, in bytes.
	readBuffer = 16 << 10
	// answerTimeout bounds the work on a request without a streamed body.
	answerTimeout = 30 * time.Second
)

// Services are what the routes call.
type Services struct {
	Identity *identity.Identity
	Auth     *auth.Authenticator
	Tokens   *tokens.Service
	Sessions *sessions.Service
	Devices  *devices.Service
	Pairing  *pairing.Service
	Plugins  Plugins
	Config   Config
	Events   *events.Bus
	Imported Imported
	Activity Activity
	Backups  Backups
	Router   *router.Router
	Peers    *peer.Client
	Names    func() []string // the host names that browsers may call this gateway by
	Address  func() string   // host:port at which a browser on this machine finds it
	Version  string
	Log      hclog.Logger
}

// Server is the HTTP interface.
type Server struct {
	Services
	app  *fiber.App
	ctx  context.Context // ends when shutdown has waited long enough
	stop context.CancelFunc

	names   ownNames
	streams atomic.Int64 // event streams that are open
}

// New returns a Server with all its routes.
func New(services Services) *Server {
	s := &Server{Services: services}
	s.names.find = services.Names
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.app = s.newApp()
	s.mount()
	s.app.Server().Handler = s.knownMethods(s.app.Handler()) // Handler also builds the route tree, as Listen would
	return s
}

// newApp returns Fiber as the gateway needs it, without routes.
func (s *Server) newApp() *fiber.App {
	app := fiber.New(fiber.Config{
		// Fiber's strings alias the connection's buffer unless told otherwise.
		Immutable:             true,
		DisableStartupMessage: true,
		ErrorHandler:          func(c *fiber.Ctx, err error) error { return s.fail(c, err) },
		StreamRequestBody:     true,
		// Bodies are bounded where they are read: see call.decode and forward.
		BodyLimit:                    math.MaxInt,
		DisablePreParseMultipartForm: true,
		ReadBufferSize:               readBuffer,
		ReadTimeout:                  headTimeout,
		IdleTimeout:                  keepAlive,
	})
	app.Server().ExpectHandler = s.expect
	app.Server().NoDefaultServerHeader = true
	return app
}

// Serve answers the connections of a listener until Shutdown. They must come
// from the listener package.
func (s *Server) Serve(ln net.Listener) error {
	return s.app.Server().Serve(ln)
}

// Shutdown stops accepting, ends the event streams, and waits for other requests
// in flight until ctx ends; then it cuts them off.
func (s *Server) Shutdown(ctx context.Context) error {
	defer s.stop()
	_ = s.Events.Close()
	return s.app.ShutdownWithContext(ctx)
}

// connection returns the facts about the request's connection.
func connection(c *fiber.Ctx) *listener.Conn {
	conn, _ := c.Context().Conn().(*listener.Conn)
	return conn
}
