package pairing

import (
	"context"
	"errors"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// Claim reserves the open window for the browser or script that holds its link;
// only now the number is made, and shown on this device alone. The link's codes
// are needed whole: an unknown code, a wrong secret and a window that is over
// are all the same sdk.Expired, or sdk.RateLimited when there were many of them.
// A window that is claimed is sdk.Conflict, also to the browser that claimed it.
func (s *Service) Claim(_ context.Context, req ClaimRequest) (ClaimReply, error) {
	if err := req.check(); err != nil {
		return ClaimReply{}, (&sdk.Error{Kind: sdk.Invalid}).Because(err)
	}
	var device Device
	err := s.invited(req.Code, req.LinkingCode, func(w *window, now time.Time) error {
		kind := keylessKind(req.Kind)
		if err := w.fits(kind); err != nil {
			return err
		}
		if _, err := w.next(mesh.PairingClaim, mesh.KeyHash{}, now); err != nil {
			return err
		}
		// The id is ours to choose, and chosen once: whatever is repeated later
		// makes no second device.
		device = Device{ID: w.repairs.ID, Name: nameOr(req.Name), Kind: kind}
		if device.ID == "" {
			device.ID = mesh.NewDeviceID()
		}
		w.device = &device
		return nil
	})
	if err != nil {
		return ClaimReply{}, err
	}
	s.cfg.Log.Info("device wants to join", "device", device.ID, "kind", device.Kind)
	return ClaimReply{Gateway: Gateway{Name: nameOr(s.cfg.Self().Name)}}, nil
}

// keylessKind is what a device without a key is stored as.
func keylessKind(kind mesh.Kind) mesh.Kind {
	if kind == mesh.KindScript {
		return mesh.KindScript
	}
	return mesh.KindBrowser
}

// fits refuses a device that cannot be the one that the open window repairs: a
// browser cannot be a gateway whose key is known, nor a gateway a phone. What
// kind an imported device is was only guessed, so that one may be either.
func (w *window) fits(kind mesh.Kind) error {
	gateway, guessed := kind == mesh.KindGateway, w.repairs.Key.IsZero() && w.repairs.NeedsRepair
	wrong := !gateway && !w.repairs.Key.IsZero() ||
		gateway && w.repairs.ID != "" && w.repairs.Kind != mesh.KindGateway && !guessed
	if wrong && w.state.State == mesh.PairingOpen {
		return mesh.PairingOther()
	}
	return nil
}

// invited runs fn on the current window for whoever holds its link; see with.
func (s *Service) invited(code, linkingCode string, fn func(w *window, now time.Time) error) error {
	w := s.current()
	if w == nil {
		return s.turnAway()
	}
	err := s.with(w, func(now time.Time) error {
		if !w.link.opens(code, linkingCode) {
			return errStranger
		}
		return fn(w, now)
	})
	if errors.Is(err, errStranger) {
		return s.turnAway()
	}
	return err
}

var errStranger = errors.New("not the link of the window")

// opens compares both codes, so that time does not tell which one is wrong. The
// linking code of a window that is over is gone, and no request has an empty one.
func (l Link) opens(code, linkingCode string) bool {
	known, secret := sameCode(l.Code, code), sameCode(l.LinkingCode, linkingCode)
	return known && secret
}

// turnAway answers whoever has not the link of a window that runs.
func (s *Service) turnAway() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.windows.strangers.Allow(s.cfg.Now()) {
		return (&sdk.Error{Kind: sdk.RateLimited}).Because(errStranger)
	}
	return mesh.PairingGone().Because(errStranger)
}
