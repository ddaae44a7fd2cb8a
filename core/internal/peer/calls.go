package peer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"

	"github.com/salita-mesh/salita/core/internal/dataplane"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/core/internal/pairing"
	"github.com/salita-mesh/salita/sdk"
)

// Limits on what a peer may say about itself.
const (
	maxCapabilities = 64
	maxMetadata     = 32
	maxWord         = 128 // bytes of a capability id, a metadata key or value
)

type healthAnswer struct {
	NodeID       mesh.DeviceID     `json:"node_id"`
	Name         string            `json:"name"`
	Version      string            `json:"version"`
	Capabilities []string          `json:"capabilities"`
	Metadata     map[string]string `json:"metadata"`
}

// Health asks the device what it can do right now.
func (c *Client) Health(ctx context.Context, device mesh.Device) (mesh.Health, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "/health", nil)
	if err != nil {
		return mesh.Health{}, err
	}
	resp, err := c.Do(req, device)
	if err != nil {
		return mesh.Health{}, err
	}
	var answer healthAnswer
	if err := decode(resp, &answer); err != nil {
		return mesh.Health{}, offline(device, fmt.Errorf("health answer: %w", err))
	}
	return answer.health(device)
}

// health keeps what a peer may truthfully say: bounded, and in its own name.
func (a healthAnswer) health(device mesh.Device) (mesh.Health, error) {
	if len(a.Capabilities) > maxCapabilities || len(a.Metadata) > maxMetadata {
		return mesh.Health{}, offline(device, fmt.Errorf("health answer: %d capabilities, %d metadata entries", len(a.Capabilities), len(a.Metadata)))
	}
	h := mesh.Health{DeviceID: device.ID, Name: mesh.CleanName(a.Name), Version: mesh.CleanName(a.Version), Metadata: a.Metadata}
	for _, capability := range a.Capabilities {
		if len(capability) <= maxWord {
			h.Capabilities = append(h.Capabilities, capability)
		}
	}
	for k, v := range a.Metadata {
		if len(k) > maxWord || len(v) > maxWord {
			delete(h.Metadata, k)
		}
	}
	return h, nil
}

// Removed tells the device that its access here has ended.
func (c *Client) Removed(ctx context.Context, device mesh.Device) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, pairing.PathRemoved, nil)
	if err != nil {
		return err
	}
	resp, err := c.Do(req, device)
	if err != nil {
		return err
	}
	drain(resp.Body)
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("unexpected answer with status %d", resp.StatusCode)
	}
	return nil
}

// Call posts JSON to a gateway that we are not paired with, or not yet: over
// mutual TLS, without a token. With a pin only that key is talked to; without
// one the answer says which key it was. It fails with sdk.Offline when no
// address answers, else with the error that the other side named.
func (c *Client) Call(ctx context.Context, addresses []string, pin *mesh.KeyHash, path string, in, out any) (mesh.KeyHash, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return mesh.KeyHash{}, fmt.Errorf("encode call: %w", err)
	}
	conn, _, err := dialFirst(ctx, addresses, c.identity.ClientTLS(pin))
	if err != nil {
		return mesh.KeyHash{}, (&sdk.Error{Kind: sdk.Offline}).Because(err)
	}
	key := mesh.KeyOf(conn.ConnectionState().PeerCertificates[0])
	transport := dataplane.New(func(context.Context) (net.Conn, error) { return conn, nil }, dataplane.Options{})
	defer transport.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://salita"+path, bytes.NewReader(body))
	if err != nil {
		return key, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return key, (&sdk.Error{Kind: sdk.Offline}).Because(err)
	}
	return key, decode(resp, out)
}
