package httpapi

import (
	"net/http"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

func (s *Server) alive(c *call) error {
	return c.ok(map[string]bool{"ok": true})
}

type healthBody struct {
	OK           bool              `json:"ok"`
	NodeID       mesh.DeviceID     `json:"node_id"`
	Name         string            `json:"name"`
	Version      string            `json:"version"`
	Capabilities []string          `json:"capabilities"`
	Metadata     map[string]string `json:"metadata"`
}

// health says what this device can do right now. It reads what the plugin host
// already knows and calls no plugin.
func (s *Server) health(c *call) error {
	body := healthBody{
		OK: true, NodeID: s.Identity.ID(), Name: s.Identity.Name(), Version: s.Version,
		Capabilities: []string{}, Metadata: map[string]string{},
	}
	for _, capability := range s.Plugins.Capabilities() {
		body.Capabilities = append(body.Capabilities, capability.ID)
		body.Metadata[capability.ID] = capability.Title
	}
	return c.answer(http.StatusOK, body)
}
