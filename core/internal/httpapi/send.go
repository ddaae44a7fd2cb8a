package httpapi

import (
	"context"
	"net/http"
	"net/url"

	"github.com/salita-mesh/salita/core/internal/devices"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// What "Send to Laptop" needs of the laptop. The media plugin serves it; any
// other plugin with this capability and route would do.
const (
	mediaStorage                 = "media.storage"
	mediaUpload  mesh.Permission = "media:upload"
	uploadPath                   = "/media/upload"
)

// send passes the body on to the device's media store as it arrives, and the
// store's answer back.
func (s *Server) send(c *call) error {
	device, err := s.storing(c)
	if err != nil {
		return err
	}
	req := c.outgoing(c.server.ctx, http.MethodPost, &url.URL{Path: uploadPath, RawQuery: string(c.Request().URI().QueryString())})
	resp, err := s.Peers.Do(req, device.Device)
	s.Devices.Outcome(s.ctx, device.ID, err)
	if err != nil {
		return c.abandon(req, err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		s.Log.Info("device refused a file; its own log says why", "device", device.ID, "status", resp.StatusCode)
	}
	return c.relay(req, resp)
}

// storing finds the device and makes sure that it stores media. What it said at
// the last ping may be out of date, so a "no" is asked again.
func (s *Server) storing(c *call) (devices.Device, error) {
	device, err := s.Devices.Get(c.deviceID())
	if err != nil || device.Can(mediaStorage) {
		return device, err
	}
	if device.Kind != mesh.KindGateway {
		return device, cannot(device)
	}
	err = c.within(func(ctx context.Context) error {
		device, err = s.Devices.Check(ctx, device.ID)
		return err
	})
	if err != nil {
		return device, err
	}
	if !device.Can(mediaStorage) {
		return device, cannot(device)
	}
	return device, nil
}

func cannot(device devices.Device) error {
	return sdk.Errorf(sdk.Forbidden, "%s can't do that", device.Name)
}
