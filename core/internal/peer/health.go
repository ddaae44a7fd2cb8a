package peer

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// Limits on what a peer may say about itself.
const (
	maxHealth       = 64 << 10 // bytes of the whole answer
	maxCapabilities = 256
	maxMetadata     = 256
	maxWord         = 128 // bytes of a capability id or a metadata key
)

// maxWarm is up to how many devices the connection of a health check is kept for
// the next one. In a larger mesh each check opens its own, so that the sockets
// held between two rounds do not grow with the mesh.
const maxWarm = 128

type healthAnswer struct {
	NodeID       mesh.DeviceID     `json:"node_id"`
	Name         string            `json:"name"`
	Version      string            `json:"version"`
	Capabilities []string          `json:"capabilities"`
	Metadata     map[string]string `json:"metadata"`
}

// Health asks the device what it can do right now. When nothing has changed
// since it was asked last, only that much comes over the wire. An answer that
// cannot be true is sdk.Offline because of mesh.ErrImplausible: a device that
// talks nonsense is of no more use than one that is silent.
func (c *Client) Health(ctx context.Context, device mesh.Device) (mesh.Health, error) {
	l, err := c.link(ctx, device)
	if err != nil {
		return mesh.Health{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "/health", nil)
	if err != nil {
		return mesh.Health{}, err
	}
	known, tag := l.said()
	if tag != "" {
		req.Header.Set("If-None-Match", tag)
	}
	resp, err := c.Do(req, device)
	if err != nil {
		return mesh.Health{}, err
	}
	defer c.cool(l)
	if resp.StatusCode == http.StatusNotModified && tag != "" {
		drain(resp.Body)
		return known, nil
	}
	var answer healthAnswer
	if err := decode(resp, maxHealth, &answer); err != nil {
		return mesh.Health{}, implausible(device, err)
	}
	health, err := answer.health(device)
	if err != nil {
		return mesh.Health{}, implausible(device, err)
	}
	l.say(health, resp.Header.Get("Etag"))
	return health, nil
}

// said is what the device last said of itself and the tag that names it.
func (l *link) said() (mesh.Health, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known, l.tag
}

func (l *link) say(health mesh.Health, tag string) {
	if len(tag) > maxWord {
		tag = ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known, l.tag = health, tag
}

// cool closes what a check has left open in a mesh that is too large for it.
func (c *Client) cool(l *link) {
	c.mu.Lock()
	crowded := len(c.links) > maxWarm
	c.mu.Unlock()
	if crowded {
		l.transport.CloseIdleConnections()
	}
}

// health keeps what a peer may truthfully say: bounded, in order, and in its own
// name.
func (a healthAnswer) health(device mesh.Device) (mesh.Health, error) {
	if own := device.Key.DeviceID(); a.NodeID != own {
		return mesh.Health{}, fmt.Errorf("it calls itself %q and is %q", mesh.CleanName(string(a.NodeID)), own)
	}
	if len(a.Capabilities) > maxCapabilities || len(a.Metadata) > maxMetadata {
		return mesh.Health{}, fmt.Errorf("%d capabilities, %d metadata entries", len(a.Capabilities), len(a.Metadata))
	}
	h := mesh.Health{DeviceID: device.ID, Name: mesh.CleanName(a.Name), Version: mesh.CleanName(a.Version), Metadata: map[string]string{}}
	for _, capability := range a.Capabilities {
		if plain(capability) {
			h.Capabilities = append(h.Capabilities, capability)
		}
	}
	slices.Sort(h.Capabilities)
	h.Capabilities = slices.Compact(h.Capabilities)
	for k, v := range a.Metadata {
		if plain(k) {
			h.Metadata[k] = mesh.CleanSentence(v)
		}
	}
	return h, nil
}

// plain reports whether a word is short and made of nothing but what shows.
func plain(word string) bool {
	return word != "" && len(word) <= maxWord && mesh.CleanSentence(word) == word
}

// implausible is sdk.Offline whatever the answer said: a body is not the
// gateway's own word.
func implausible(device mesh.Device, cause error) error {
	return unreached(device, fmt.Errorf("%w: %w", mesh.ErrImplausible, cause))
}
