// Package core is the gateway, told on one page: load the configuration, open
// identity and store, start the plugins, serve, and stop in reverse.
package core

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"

	"github.com/salita-mesh/salita/core/internal/auth"
	"github.com/salita-mesh/salita/core/internal/config"
	"github.com/salita-mesh/salita/core/internal/devices"
	"github.com/salita-mesh/salita/core/internal/events"
	"github.com/salita-mesh/salita/core/internal/httpapi"
	"github.com/salita-mesh/salita/core/internal/identity"
	"github.com/salita-mesh/salita/core/internal/listener"
	"github.com/salita-mesh/salita/core/internal/pairing"
	"github.com/salita-mesh/salita/core/internal/peer"
	"github.com/salita-mesh/salita/core/internal/plugins"
	"github.com/salita-mesh/salita/core/internal/router"
	"github.com/salita-mesh/salita/core/internal/sessions"
	"github.com/salita-mesh/salita/core/internal/store"
	"github.com/salita-mesh/salita/core/internal/tokens"
	"github.com/salita-mesh/salita/sdk/client"
)

// Version is the gateway's version. The build sets it.
var Version = "0.1.0-dev"

const (
	// grace is how long a stop waits for transfers in flight.
	grace = 30 * time.Second
	// handshakeTimeout bounds a new connection's first byte and TLS handshake.
	handshakeTimeout = 10 * time.Second
	// maxHandshakes bounds the connections that have not yet shown what they are.
	maxHandshakes = 512
	// bodyIdle is how long a transfer may stand still.
	bodyIdle = 30 * time.Second
)

// App is one gateway with everything open but nothing served yet.
type App struct {
	reloads *reloads
	log     hclog.Logger

	public, private net.Listener

	identity *identity.Identity
	store    *store.Store
	tokens   *tokens.Service
	sessions *sessions.Service
	devices  *devices.Service
	pairing  *pairing.Service
	plugins  *plugins.Host
	events   *events.Bus
	peers    *peer.Client
	server   *httpapi.Server

	opened []io.Closer // in the order of opening
}

// New reads the configuration and opens everything that a gateway needs; it holds
// its data folder's lock from then on. A mistake in the configuration is a
// *ConfigError. On an error nothing stays open.
func New(ctx context.Context, options LoadOptions, logs io.Writer) (*App, error) {
	source, err := config.NewSource(options)
	if err != nil {
		return nil, err
	}
	first := source.Read()
	if first.Err != nil {
		return nil, first.Err
	}
	a := &App{reloads: newReloads(source, first), log: newLogger(first.Config, logs)}
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// Name is this device's name.
func (a *App) Name() string { return a.identity.Name() }

// ForgotDevices reports whether a device that ran before has started without its
// database, and so without the devices that were paired with it.
func (a *App) ForgotDevices() bool { return a.store.Fresh() && !a.identity.Made() }

// SignInLink makes a link that signs one browser in as the owner, once.
func (a *App) SignInLink() string {
	link, _ := a.server.SignInLink()
	return link
}

func (a *App) open(ctx context.Context) (err error) {
	c := a.config()
	if a.identity, err = identity.Open(c.DataDir, identity.Options{
		Name: c.Device.Name, Now: time.Now, Log: a.log.Named("identity"),
		Hosts:       func() []string { return append(identity.LocalHosts(), a.config().Server.Names...) },
		Certificate: identity.CertificateFiles(c.Certificate),
	}); err != nil {
		return err
	}
	a.opened = append(a.opened, a.identity)
	options := storeOptions(c)
	options.Sealer, options.Now, options.Log = a.identity, time.Now, a.log.Named("store")
	if a.store, err = store.Open(ctx, options); err != nil {
		return err
	}
	a.opened = append(a.opened, a.store)
	if a.ForgotDevices() {
		a.log.Warn("the list of devices is gone: no database where this device should have one; pair its devices again, or stop and bring a copy back with salita restore",
			"database", c.Storage.Path)
	}
	if err := a.listen(); err != nil {
		return err
	}
	if err := a.serve(ctx); err != nil {
		return err
	}
	return a.store.SaveCurrent(ctx, a.identity.ID(), a.identity.Name(), hostname(), a.port())
}

// listen opens the two doors: the port for everyone and the owner's socket.
func (a *App) listen() error {
	tcp, err := net.Listen("tcp", a.config().Server.Address)
	if err != nil {
		return cannotListen(a.config().Server.Address, err)
	}
	a.opened = append(a.opened, tcp)
	a.public = listener.New(tcp, listener.Options{
		TLS: a.identity.ServerTLS(), HandshakeTimeout: handshakeTimeout, MaxPending: maxHandshakes,
		BodyIdle: bodyIdle, Log: a.log.Named("listener"),
	})
	if a.private, err = listener.ListenOwner(a.inDataDir(client.SocketName)); err != nil {
		return err
	}
	a.opened = append(a.opened, a.private)
	return nil
}

// serve builds the services and the HTTP interface over them.
func (a *App) serve(ctx context.Context) (err error) {
	c := a.config()
	policy := tokenPolicy(c)
	if a.tokens, err = tokens.New(ctx, a.store, policy, a.log.Named("tokens"), time.Now); err != nil {
		return err
	}
	if a.sessions, err = sessions.New(ctx, a.store, policy, a.log.Named("sessions"), time.Now); err != nil {
		return err
	}
	a.peers = peer.New(a.identity, a.store, a.log.Named("peer"))
	a.opened = append(a.opened, a.peers)
	a.events = events.New(keptEvents, time.Now)
	if a.devices, err = a.newDevices(ctx); err != nil {
		return err
	}
	a.plugins = a.newPlugins()
	a.pairing = a.newPairing()
	a.server = httpapi.New(httpapi.Services{
		Identity: a.identity, Tokens: a.tokens, Sessions: a.sessions, Devices: a.devices, Pairing: a.pairing,
		Plugins: a.plugins, Events: a.events, Imported: a.store, Activity: a.store, Backups: a.store, Peers: a.peers, Config: configAPI{a},
		Auth:    auth.New(a.tokens, a.sessions, a.devices),
		Router:  router.New(a.plugins),
		Names:   a.names,
		Address: a.ownAddress,
		Version: Version, Log: a.log.Named("http"),
	})
	return nil
}

// Run starts the plugins and serves until ctx ends; then it lets transfers in
// flight finish, within grace, and closes everything. It calls ready once
// requests are answered.
func (a *App) Run(ctx context.Context, ready func()) error {
	defer a.Close()
	if err := a.plugins.Start(ctx, pluginSpecs(a.config().Plugins)); err != nil {
		return err
	}
	defer a.plugins.Close()

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.server.Serve(a.public) })
	g.Go(func() error { return a.server.Serve(a.private) })
	g.Go(func() error { return a.identity.Run(ctx) })
	g.Go(func() error { return a.tokens.Run(ctx) })
	g.Go(func() error { return a.sessions.Run(ctx) })
	g.Go(func() error { return a.devices.Run(ctx) })
	g.Go(func() error { return a.maintain(ctx) })
	g.Go(func() error { return a.pairing.Run(ctx) })
	g.Go(func() error { return a.tellPluginChanges(ctx) })
	g.Go(func() error { return a.watchConfig(ctx) })
	g.Go(func() error {
		<-ctx.Done()
		a.log.Info("stopping, transfers in flight may finish", "within", grace)
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		return a.server.Shutdown(stop)
	})
	a.log.Info("listening", "address", a.public.Addr(), "device", a.identity.ID(), "name", a.identity.Name(), "version", Version)
	ready()
	return g.Wait()
}

// Close ends what New opened, in reverse.
func (a *App) Close() error {
	var errs []error
	for _, c := range slices.Backward(a.opened) {
		errs = append(errs, c.Close())
	}
	a.opened = nil
	return errors.Join(errs...)
}

func (a *App) inDataDir(name string) string { return filepath.Join(a.config().DataDir, name) }

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}
