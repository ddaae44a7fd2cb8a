package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/core/internal/pairing"
	"github.com/salita-mesh/salita/sdk"
)

type windowBody struct {
	Code        string     `json:"code"`
	LinkingCode string     `json:"linking_code"`
	Link        string     `json:"link"`
	QRURL       string     `json:"qr_url"` // what a QR code shall hold
	Address     string     `json:"address"`
	ExpiresAt   *time.Time `json:"expires_at"`
}

func (s *Server) pairStart(c *call) error {
	return c.openWindow(s.Pairing.Start)
}

// repairDevice opens a window by which this very device pairs again: it keeps
// its id, name and history.
func (s *Server) repairDevice(c *call) error {
	return c.openWindow(func(ctx context.Context) (pairing.Window, error) {
		return s.Pairing.Repair(ctx, c.deviceID())
	})
}

func (c *call) openWindow(open func(context.Context) (pairing.Window, error)) error {
	return c.within(func(ctx context.Context) error {
		w, err := open(ctx)
		if err != nil {
			return err
		}
		return c.ok(windowBody{
			Code: w.Code, LinkingCode: w.LinkingCode, Link: w.Link, QRURL: w.Link,
			Address: w.Address, ExpiresAt: timeJSON(w.ExpiresAt),
		})
	})
}

// pairClaim and pairVerify let a phone or a script join that has no key.
func (s *Server) pairClaim(c *call) error {
	var in pairing.ClaimRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	return c.within(func(ctx context.Context) error {
		out, err := s.Pairing.Claim(ctx, in)
		if err != nil {
			return err
		}
		return c.ok(out)
	})
}

func (s *Server) pairVerify(c *call) error {
	var in pairing.VerifyRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	in.Description = c.Get(fiber.HeaderUserAgent)
	return c.within(func(ctx context.Context) error {
		out, err := s.Pairing.Verify(ctx, in)
		if err != nil {
			return err
		}
		if out.Device.Kind == mesh.KindBrowser {
			keepSession(c.Ctx, out.SessionToken, out.SessionExpires)
		}
		return c.ok(out)
	})
}

// pairBody is how a pairing stands, on either side.
type pairBody struct {
	State  string          `json:"state"`
	PIN    string          `json:"pin,omitempty"`
	Device *pairDeviceBody `json:"device,omitempty"`
	Error  string          `json:"error,omitempty"`
	Code   sdk.Kind        `json:"code,omitempty"`

	Hint      string `json:"hint,omitempty"`
	Reference string `json:"reference,omitempty"` // finds the error in the log
}

type pairDeviceBody struct {
	ID   mesh.DeviceID `json:"id,omitempty"`
	Name string        `json:"name"`
	Kind mesh.Kind     `json:"kind"`
}

func (b *pairBody) setDevice(d *pairing.Device) {
	if d != nil {
		b.Device = &pairDeviceBody{ID: d.ID, Name: d.Name, Kind: d.Kind}
	}
}

func (b *pairBody) setProblem(p *pairing.Problem) {
	if p != nil {
		b.Error, b.Code, b.Hint, b.Reference = p.Message, p.Code, p.Hint, p.Reference
	}
}

func (s *Server) pairWindow(c *call) error {
	view, err := s.Pairing.Window(c.Params("code"))
	if err != nil {
		return err
	}
	body := pairBody{State: string(view.State), PIN: view.PIN}
	body.setDevice(view.Device)
	body.setProblem(view.Error)
	return c.ok(body)
}

func (s *Server) pairCancel(c *call) error {
	if err := s.Pairing.Cancel(c.Params("code")); err != nil {
		return err
	}
	return c.SendStatus(http.StatusNoContent)
}

func (s *Server) pairHello(c *call) error   { return gatewayCall(c, s.Pairing.Hello) }
func (s *Server) pairShare(c *call) error   { return gatewayCall(c, s.Pairing.Share) }
func (s *Server) pairConfirm(c *call) error { return gatewayCall(c, s.Pairing.Confirm) }

// gatewayCall decodes one message of the protocol, hands it over with the key
// that the connection proved, and sends the reply.
func gatewayCall[In, Out any](c *call, handle func(context.Context, mesh.KeyHash, In) (Out, error)) error {
	key, err := c.peerKey()
	if err != nil {
		return err
	}
	var in In
	if err := c.decode(&in); err != nil {
		return err
	}
	return c.within(func(ctx context.Context) error {
		out, err := handle(ctx, key, in)
		if err != nil {
			return err
		}
		return c.ok(out)
	})
}

// pairRemoved hears from a paired gateway that it has removed this one. Nothing
// is deleted: the owner sees that the device needs re-pairing.
func (s *Server) pairRemoved(c *call) error {
	if _, err := c.peerKey(); err != nil {
		return err
	}
	return c.within(func(ctx context.Context) error {
		s.Devices.Outcome(ctx, c.who.Device, &sdk.Error{Kind: sdk.NeedsRepair})
		return c.SendStatus(http.StatusNoContent)
	})
}

func (s *Server) pairQR(c *call) error {
	view, err := s.Pairing.Window(c.Params("code"))
	if err != nil {
		return err
	}
	if view.Link == "" { // claimed or over: its code is of no more use
		return &sdk.Error{Kind: sdk.Expired}
	}
	image, err := pairing.QR(view.Link)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "image/svg+xml")
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.Send(image)
}

func (s *Server) joinStart(c *call) error {
	var in struct {
		Target string `json:"target"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	return c.within(func(ctx context.Context) error {
		id, err := s.Pairing.Join(ctx, in.Target)
		if err != nil {
			return err
		}
		return c.answer(http.StatusCreated, map[string]string{"id": id})
	})
}

func (s *Server) joinState(c *call) error {
	view, err := s.Pairing.Joining(c.Params("id"))
	if err != nil {
		return err
	}
	body := pairBody{State: string(view.State)}
	if view.Gateway.Name != "" {
		body.Device = &pairDeviceBody{Name: view.Gateway.Name, Kind: mesh.KindGateway}
	}
	body.setDevice(view.Device)
	body.setProblem(view.Error)
	return c.ok(body)
}

func (s *Server) joinPIN(c *call) error {
	var in struct {
		PIN string `json:"pin"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if err := s.Pairing.EnterPIN(c.Params("id"), in.PIN); err != nil {
		return err
	}
	return c.SendStatus(http.StatusNoContent)
}
