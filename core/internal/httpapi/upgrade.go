package httpapi

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"golang.org/x/net/http/httpguts"

	"github.com/salita-mesh/salita/sdk"
)

// askedUpgrade is the protocol that the request wants to switch to, such as
// "websocket"; "" for none (RFC 9110, 7.8).
func askedUpgrade(c *fiber.Ctx) string {
	if !httpguts.HeaderValuesContainsToken([]string{c.Get(fiber.HeaderConnection)}, "upgrade") {
		return ""
	}
	return c.Get(fiber.HeaderUpgrade)
}

// askUpgrade passes the wish on to the plugin. A browser lets any page open a
// WebSocket to any host, cookies included, so this counts as a change that
// another site must not ask for.
func (c *call) askUpgrade(req *http.Request) error {
	protocol := askedUpgrade(c.Ctx)
	if protocol == "" {
		return nil
	}
	if err := sameOriginAs(c.Ctx, http.MethodPost); err != nil {
		return err
	}
	if req.Body != http.NoBody {
		return sdk.Errorf(sdk.Invalid, "That request can't be understood.").Because(errors.New("upgrade with a body"))
	}
	req.Header["Connection"], req.Header["Upgrade"] = []string{"Upgrade"}, []string{protocol}
	return nil
}

// switchProtocols answers 101 and carries bytes between the caller and the
// plugin from then on.
func (c *call) switchProtocols(resp *http.Response, allowed access) error {
	plugin, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		return errors.Join(errors.New("plugin switched protocols without a connection"), resp.Body.Close())
	}
	out := c.Response()
	out.SetStatusCode(http.StatusSwitchingProtocols)
	c.relayHeader(resp.Header)
	out.Header.Set(fiber.HeaderConnection, "Upgrade")
	out.Header.Set(fiber.HeaderUpgrade, resp.Header.Get(fiber.HeaderUpgrade))
	t := tunnel{plugin: plugin, still: c.stillAllowed(allowed)}
	server := c.server.ctx
	c.Context().Hijack(func(client net.Conn) { t.run(server, client) })
	return nil
}

// tunnel is a connection that has left HTTP.
type tunnel struct {
	plugin io.ReadWriteCloser
	still  func() bool
}

// run carries bytes both ways until one end closes, the caller loses its access,
// or the gateway stops.
func (t tunnel) run(ctx context.Context, client net.Conn) {
	_ = client.SetDeadline(time.Time{})
	ctx, end := context.WithCancel(ctx)
	defer end()
	var both sync.WaitGroup
	carry := func(to io.Writer, from io.Reader) {
		defer end()
		_, _ = io.Copy(to, from)
	}
	both.Go(func() { carry(client, t.plugin) })
	both.Go(func() { carry(t.plugin, client) })
	t.watch(ctx)
	_ = t.plugin.Close()
	_ = client.SetDeadline(time.Unix(1, 0)) // fasthttp closes it, but only when we are done
	both.Wait()
}

// watch returns when the tunnel is to end.
func (t tunnel) watch(ctx context.Context) {
	look := time.NewTicker(heartbeat)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			if !t.still() {
				return
			}
		}
	}
}
