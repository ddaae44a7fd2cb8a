package core

import (
	"context"
	"errors"
	"time"

	"github.com/salita-mesh/salita/core/internal/devices"
	"github.com/salita-mesh/salita/core/internal/httpapi"
	"github.com/salita-mesh/salita/core/internal/maintenance"
	"github.com/salita-mesh/salita/core/internal/mesh"
)

// goneEvent is the data of "device.removed".
type goneEvent struct {
	ID   mesh.DeviceID `json:"id"`
	Name string        `json:"name"`
}

// newDevices opens the list of the other devices. What happens in it is told to
// those who watch this device.
func (a *App) newDevices(ctx context.Context) (*devices.Service, error) {
	c := a.config()
	return devices.New(ctx, devices.Options{
		Store: a.store, Caller: a.peers,
		Access:   []devices.Access{a.tokens, devices.AccessFunc(a.sessions.RemoveDevice)},
		LastUses: a.lastUses,
		Interval: c.Discovery.Interval, Timeout: c.Discovery.Timeout,
		Changed: func(d devices.Device) { a.publish("device.changed", httpapi.DeviceJSON(d)) },
		Gone:    func(d devices.Device) { a.publish("device.removed", goneEvent{d.ID, d.Name}) },
		Note:    a.note,
		Now:     time.Now, Log: a.log.Named("devices"),
	})
}

func (a *App) publish(name string, data any) {
	if err := a.events.Publish(name, data); err != nil {
		a.log.Warn("event not published", "name", name, "error", err)
	}
}

// note keeps what the gateway did by itself and tells those who watch.
func (a *App) note(ctx context.Context, n mesh.Activity) {
	if err := a.store.AddActivity(ctx, n); err != nil && !errors.Is(err, context.Canceled) {
		a.log.Warn("activity not kept", "name", n.Name, "error", err)
	}
	a.publish("activity.added", httpapi.ActivityJSON(n))
}

// maintain keeps the gateway tidy until ctx ends.
func (a *App) maintain(ctx context.Context) error {
	return maintenance.New(maintenance.Options{
		Devices: a.devices, Store: a.store, Note: a.note, Now: time.Now, Log: a.log.Named("maintenance"),
	}).Run(ctx)
}
