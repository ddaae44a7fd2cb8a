package pairing

import (
	"context"
	"fmt"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// complete stores a pairing with its note and then lets what it gives out work.
func (s *Service) complete(ctx context.Context, p mesh.Pairing, record mesh.PairingRecord) (mesh.Device, error) {
	twin, err := s.twin(ctx, p)
	if err != nil {
		return mesh.Device{}, fmt.Errorf("store pairing: %w", err)
	}
	device, err := s.cfg.Store.CompletePairing(ctx, p, &record)
	if err != nil {
		return mesh.Device{}, fmt.Errorf("store pairing: %w", err)
	}
	if twin != "" && twin != device.ID {
		s.cfg.Tokens.Forget(twin)
		s.cfg.Absorbed(twin)
	}
	issued := p.Issued
	issued.DeviceID = device.ID
	s.cfg.Tokens.Publish(issued)
	if p.Session != nil {
		session := *p.Session
		session.DeviceID = device.ID
		s.cfg.Sessions.Publish(session)
	}
	s.cfg.Log.Info("devices paired", "device", device.ID, "name", device.Name)
	s.cfg.Paired(device)
	return device, nil
}

// twin is the device under which the key of a repaired one is known so far: a
// gateway that was set up anew and paired as a new one before its owner repaired
// the old entry. That entry stays and the twin goes.
func (s *Service) twin(ctx context.Context, p mesh.Pairing) (mesh.DeviceID, error) {
	if p.Replaces == "" || p.Device.Key.IsZero() {
		return "", nil
	}
	devices, err := s.cfg.Store.Devices(ctx)
	for _, d := range devices {
		if d.Key == p.Device.Key && d.ID != p.Replaces {
			return d.ID, err
		}
	}
	return "", err
}

// notStored tells the owner why. A browser may try the same verify again; for a
// gateway the window ends, and its owner is told whose trouble it is.
func (s *Service) notStored(w *window, err error) error {
	e := *sdk.AsError(err)
	if e.Kind == sdk.Internal && e.Message == "" {
		e.Message = "This device couldn't save the pairing."
	}
	trouble := s.failed("pairing not stored", &e)
	gateway := false
	s.with(w, func(now time.Time) error {
		w.trouble = trouble
		gateway = !w.state.Claimant.IsZero()
		_, err := w.next(mesh.PairingNotStored, mesh.KeyHash{}, now)
		return err
	})
	if gateway {
		return mesh.PairingUnsaved(e.Kind).Because(err)
	}
	return err
}

// failed logs why something failed and makes what people are shown of it, with a
// reference that finds the line.
func (s *Service) failed(what string, err error, args ...any) *Problem {
	p := problem(err)
	p.Reference = mesh.NewReference()
	s.cfg.Log.Warn(what, append(args, "reference", p.Reference, "error", err)...)
	return p
}

// stored ends the window with the device as it is stored.
func (s *Service) stored(w *window, device mesh.Device) {
	s.with(w, func(now time.Time) error {
		w.device = &Device{ID: device.ID, Name: device.Name, Kind: device.Kind}
		_, err := w.next(mesh.PairingStored, mesh.KeyHash{}, now)
		return err
	})
}
