package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// Activity is where it is noted what the gateway did by itself.
type Activity interface {
	// Activity returns up to limit notes, the newest first.
	Activity(ctx context.Context, limit int) ([]mesh.Activity, error)
}

// peerLeaving hears from a paired gateway that it is going. It can say so of
// itself alone: who it is comes from its key and token.
func (s *Server) peerLeaving(c *call) error {
	if _, err := c.peerKey(); err != nil {
		return err
	}
	return c.within(func(ctx context.Context) error {
		s.Devices.Left(ctx, c.who.Device)
		return c.SendStatus(http.StatusNoContent)
	})
}

func (s *Server) listArchived(c *call) error {
	return c.ok(devicesJSON(s.Devices.Archived()))
}

func (s *Server) restoreDevice(c *call) error {
	return c.within(func(ctx context.Context) error {
		d, err := s.Devices.Restore(ctx, c.deviceID())
		if err != nil {
			return err
		}
		return c.ok(DeviceJSON(d))
	})
}

type activityBody struct {
	At       *time.Time    `json:"at"`
	Name     string        `json:"name"`
	DeviceID mesh.DeviceID `json:"device_id,omitempty"`
	Words    string        `json:"words"`
}

const (
	activityLimit    = 100
	maxActivityLimit = 2000
)

func (s *Server) listActivity(c *call) error {
	limit := activityLimit
	if text := c.Query("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxActivityLimit {
			return sdk.Errorf(sdk.Invalid, "The limit is a number from 1 to %d.", maxActivityLimit)
		}
		limit = n
	}
	return c.within(func(ctx context.Context) error {
		notes, err := s.Activity.Activity(ctx, limit)
		if err != nil {
			return err
		}
		out := make([]activityBody, len(notes))
		for i, n := range notes {
			out[i] = activityJSON(n)
		}
		return c.ok(map[string]any{"items": out})
	})
}

// ActivityJSON is a note in what GET /api/activity answers, and the data of the
// event "activity.added".
func ActivityJSON(n mesh.Activity) any { return activityJSON(n) }

func activityJSON(n mesh.Activity) activityBody {
	return activityBody{At: timeJSON(n.At), Name: n.Name, DeviceID: n.DeviceID, Words: n.Words}
}
