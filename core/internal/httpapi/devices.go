package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/salita-mesh/salita/core/internal/devices"
	"github.com/salita-mesh/salita/core/internal/mesh"
)

type deviceBody struct {
	ID           mesh.DeviceID `json:"id"`
	Name         string        `json:"name"`
	Kind         mesh.Kind     `json:"kind"`
	Status       mesh.Status   `json:"status"`
	Capabilities []string      `json:"capabilities"`
	LastSeen     *time.Time    `json:"last_seen"`
	NeedsRepair  bool          `json:"needs_repair"`
	ResponseMS   *float64      `json:"response_ms,omitempty"` // of a gateway that is there
	ArchivedAt   *time.Time    `json:"archived_at,omitempty"` // when it was put out of the list
}

// DeviceJSON is what GET /api/devices/:id answers, and the data of the event
// "device.changed".
func DeviceJSON(d devices.Device) any { return deviceJSON(d) }

func deviceJSON(d devices.Device) deviceBody {
	body := deviceBody{
		ID: d.ID, Name: d.Name, Kind: d.Kind, Status: d.Status,
		Capabilities: orEmpty(d.Capabilities),
		LastSeen:     timeJSON(d.Presence.LastSeen),
		NeedsRepair:  d.Status == mesh.StatusNeedsRepair,
		ArchivedAt:   timeJSON(d.ArchivedAt),
	}
	if d.Status == mesh.StatusAvailable && d.Response > 0 {
		ms := float64(d.Response.Microseconds()) / 1000
		body.ResponseMS = &ms
	}
	return body
}

func devicesJSON(list []devices.Device) []deviceBody {
	out := make([]deviceBody, len(list))
	for i, d := range list {
		out[i] = deviceJSON(d)
	}
	return out
}

// timeJSON is RFC 3339 in UTC, or null for "never".
func timeJSON(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Millisecond)
	return &t
}

// orEmpty makes an absent list [] rather than null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (s *Server) listDevices(c *call) error {
	return c.ok(devicesJSON(s.Devices.List()))
}

func (s *Server) showDevice(c *call) error {
	d, err := s.Devices.Get(c.deviceID())
	if err != nil {
		return err
	}
	return c.ok(deviceJSON(d))
}

func (s *Server) renameDevice(c *call) error {
	var in struct {
		Name string `json:"name"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	return c.within(func(ctx context.Context) error {
		d, err := s.Devices.Rename(ctx, c.deviceID(), in.Name)
		if err != nil {
			return err
		}
		return c.ok(deviceJSON(d))
	})
}

func (s *Server) removeDevice(c *call) error {
	return c.within(func(ctx context.Context) error {
		if err := s.Devices.Remove(ctx, c.deviceID()); err != nil {
			return err
		}
		return c.SendStatus(http.StatusNoContent)
	})
}

func (s *Server) discover(c *call) error {
	return c.within(func(ctx context.Context) error {
		round := s.Devices.Discover(ctx)
		return c.ok(map[string][]deviceBody{
			"available":    devicesJSON(round.Available),
			"offline":      devicesJSON(round.Offline),
			"needs_repair": devicesJSON(round.NeedsRepair),
		})
	})
}
