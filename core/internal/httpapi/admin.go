package httpapi

import (
	"context"
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/core/internal/plugins"
	"github.com/salita-mesh/salita/sdk"
)

// Plugins is what the API tells about the plugin host.
type Plugins interface {
	Capabilities() []sdk.Capability
	Plugins() []plugins.Status
	Restart(name string) error
	Refresh() // after the device got another name
}

type identityBody struct {
	ID        mesh.DeviceID `json:"id"`
	Name      string        `json:"name"`
	Version   string        `json:"version"`
	CreatedAt *time.Time    `json:"created_at"`
}

func (s *Server) identity(c *call) error {
	return c.ok(identityBody{
		ID: s.Identity.ID(), Name: s.Identity.Name(), Version: s.Version, CreatedAt: timeJSON(s.Identity.CreatedAt()),
	})
}

func (s *Server) renameSelf(c *call) error {
	var in struct {
		Name string `json:"name"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if err := s.Identity.Rename(in.Name); err != nil {
		return err
	}
	s.Plugins.Refresh()
	return s.identity(c)
}

type tokenBody struct {
	NodeID      mesh.DeviceID `json:"node_id"`
	Name        string        `json:"name"`
	Permissions []string      `json:"permissions"`
	IssuedAt    *time.Time    `json:"issued_at"`
	ExpiresAt   *time.Time    `json:"expires_at"`
	LastUsedAt  *time.Time    `json:"last_used_at"`
}

func (s *Server) listTokens(c *call) error {
	out := []tokenBody{}
	for _, t := range s.Tokens.List() {
		out = append(out, tokenBody{
			NodeID: t.DeviceID, Name: s.Devices.Name(t.DeviceID), Permissions: t.Permissions.Strings(),
			IssuedAt: timeJSON(t.IssuedAt), ExpiresAt: timeJSON(t.ExpiresAt), LastUsedAt: timeJSON(t.LastUsedAt),
		})
	}
	return c.ok(out)
}

func (s *Server) revokeTokens(c *call) error {
	device, err := s.Devices.Get(c.deviceID())
	if err != nil {
		return err
	}
	return c.within(func(ctx context.Context) error {
		if err := s.Tokens.Revoke(ctx, device.ID); err != nil {
			return err
		}
		if err := s.Sessions.RemoveDevice(ctx, device.ID); err != nil {
			return err
		}
		return c.ok(map[string]bool{"ok": true})
	})
}

type pluginBody struct {
	Name         string   `json:"name"`
	Title        string   `json:"title"`
	State        string   `json:"state"`
	Version      string   `json:"version"`
	Capabilities []string `json:"capabilities"`
	Abilities    []string `json:"abilities"` // the capabilities in plain words
	LastError    string   `json:"last_error"`
}

func (s *Server) listPlugins(c *call) error {
	out := []pluginBody{}
	for _, p := range s.Plugins.Plugins() {
		body := pluginBody{
			Name: p.Name, Title: p.Title, State: string(p.State), Version: p.Version,
			Capabilities: []string{}, Abilities: []string{}, LastError: p.LastError,
		}
		for _, capability := range p.Capabilities {
			body.Capabilities = append(body.Capabilities, capability.ID)
			body.Abilities = append(body.Abilities, capability.Title)
		}
		out = append(out, body)
	}
	return c.ok(out)
}
