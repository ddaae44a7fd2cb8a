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

// PathLeaving is where a paired gateway says that it is going: a POST without a
// body, answered with 204. Like every request of a gateway it is authenticated
// by its key and its token, so nobody can say it of another.
const PathLeaving = "/auth/pair/gateway/leaving"

// Removed tells the device that its access here has ended.
func (c *Client) Removed(ctx context.Context, device mesh.Device) error {
	return c.tell(ctx, device, pairing.PathRemoved)
}

// Leaving tells the device that this one is going.
func (c *Client) Leaving(ctx context.Context, device mesh.Device) error {
	return c.tell(ctx, device, PathLeaving)
}

func (c *Client) tell(ctx context.Context, device mesh.Device, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, path, nil)
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
	return key, decode(resp, maxAnswer, out)
}
