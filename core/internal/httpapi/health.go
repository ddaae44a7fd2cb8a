package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

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
// already knows and calls no plugin. A gateway that asks is there itself.
func (s *Server) health(c *call) error {
	s.Devices.Heard(c.who.Device)
	body := healthBody{
		OK: true, NodeID: s.Identity.ID(), Name: s.Identity.Name(), Version: s.Version,
		Capabilities: []string{}, Metadata: map[string]string{},
	}
	for _, capability := range s.Plugins.Capabilities() {
		body.Capabilities = append(body.Capabilities, capability.ID)
		body.Metadata[capability.ID] = capability.Title
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.answerIfChanged(encoded)
}

// answerIfChanged sends JSON with an entity tag made from it, or 304 to a caller
// who has it already (RFC 9110, 13.1.2). "no-cache" lets callers keep the answer
// and makes them ask each time whether it is still so.
func (c *call) answerIfChanged(encoded []byte) error {
	sum := sha256.Sum256(encoded)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	c.Set(fiber.HeaderETag, tag)
	c.Set(fiber.HeaderCacheControl, "private, no-cache")
	for known := range strings.SplitSeq(c.Get(fiber.HeaderIfNoneMatch), ",") {
		if known = strings.TrimPrefix(strings.TrimSpace(known), "W/"); known == tag || known == "*" {
			return c.SendStatus(http.StatusNotModified)
		}
	}
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	return c.Status(http.StatusOK).Send(encoded)
}
