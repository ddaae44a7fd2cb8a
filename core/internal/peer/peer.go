// Package peer makes calls to other gateways: mutual TLS pinned to the key the
// device was paired with, our token for it, deadlines, bodies streamed. It does
// not decide who may be called, and it keeps no list of devices.
package peer

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/dataplane"
	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// Headers that gateways exchange. A gateway strips them from what its plugins
// answer, so over a pinned connection they are the gateway's own word.
const (
	// HeaderError repeats the code of an error that the gateway itself made.
	HeaderError = "Salita-Error"
	// HeaderTokenExpires tells the holder of a renewed token its new expiry, in
	// RFC 3339.
	HeaderTokenExpires = "Salita-Token-Expires"
)

// maxAnswer bounds the JSON answers that are read whole, in bytes.
const maxAnswer = 1 << 20

// Identity presents this device to others.
type Identity interface {
	ClientTLS(pin *mesh.KeyHash) *tls.Config
}

// Tokens keeps the tokens that others gave us.
type Tokens interface {
	PeerToken(ctx context.Context, device mesh.DeviceID) (mesh.PeerToken, error)
	SetPeerTokenExpiry(ctx context.Context, device mesh.DeviceID, expires time.Time) error
}

// Client calls other gateways. It is safe for concurrent use.
type Client struct {
	identity Identity
	tokens   Tokens
	log      hclog.Logger

	mu    sync.Mutex
	links map[mesh.DeviceID]*link
}

// New returns a Client.
func New(identity Identity, tokens Tokens, log hclog.Logger) *Client {
	return &Client{identity: identity, tokens: tokens, log: log, links: make(map[mesh.DeviceID]*link)}
}

// link is what is kept open to one device.
type link struct {
	device    mesh.Device
	token     mesh.PeerToken
	dialer    *dialer
	transport *dataplane.Transport

	mu    sync.Mutex // guards what it last said of itself
	known mesh.Health
	tag   string // names known; "" when there is none
}

// Do sends the request to the device and returns its answer, whatever its
// status, with two exceptions that are errors: sdk.Offline when the pinned
// device cannot be reached, and sdk.NeedsRepair when it says itself that our
// access has ended. The request's URL needs a path and a query only. For the
// request's body see dataplane.Transport.
func (c *Client) Do(req *http.Request, device mesh.Device) (*http.Response, error) {
	l, err := c.link(req.Context(), device)
	if err != nil {
		if req.Body != nil {
			req.Body.Close() // as every http.RoundTripper does
		}
		return nil, err
	}
	req.URL.Scheme, req.URL.Host, req.Host = "https", "salita", "salita"
	req.Header.Set("Authorization", "Bearer "+l.token.Token)
	resp, err := l.transport.RoundTrip(req)
	if err != nil {
		return nil, offline(device, err)
	}
	if resp.StatusCode == http.StatusUnauthorized && resp.Header.Get(HeaderError) == string(sdk.NeedsRepair) {
		drain(resp.Body)
		return nil, needsRepair(device)
	}
	c.noteExpiry(req.Context(), l, resp.Header.Get(HeaderTokenExpires))
	return resp, nil
}

// Address is where the device last answered, or "".
func (c *Client) Address(id mesh.DeviceID) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l, ok := c.links[id]; ok {
		return l.dialer.lastGood()
	}
	return ""
}

// Forget closes what is open to the device and drops its token from memory, as
// after a new pairing or a removal.
func (c *Client) Forget(id mesh.DeviceID) {
	c.mu.Lock()
	l, ok := c.links[id]
	delete(c.links, id)
	c.mu.Unlock()
	if ok {
		l.transport.CloseIdleConnections()
	}
}

// Refresh closes the connections to the device that no call uses, so that the
// next one looks for it anew.
func (c *Client) Refresh(id mesh.DeviceID) {
	c.mu.Lock()
	l, ok := c.links[id]
	c.mu.Unlock()
	if ok {
		l.transport.CloseIdleConnections()
	}
}

// Close ends every open connection.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.links {
		l.transport.Close()
	}
	clear(c.links)
	return nil
}

// link returns the open link to the device, making it when there is none or
// when the device has another key or other addresses by now.
func (c *Client) link(ctx context.Context, device mesh.Device) (*link, error) {
	if !device.Reachable() {
		return nil, needsRepair(device)
	}
	c.mu.Lock()
	l, ok := c.links[device.ID]
	c.mu.Unlock()
	if ok && l.device.Key == device.Key {
		l.dialer.setAddresses(device.Addresses)
		return l, nil
	}
	token, err := c.tokens.PeerToken(ctx, device.ID)
	if sdk.KindOf(err) == sdk.NeedsRepair {
		return nil, needsRepair(device)
	}
	if err != nil {
		return nil, fmt.Errorf("token for %s: %w", device.ID, err)
	}
	key := device.Key
	d := &dialer{tls: c.identity.ClientTLS(&key)}
	d.setAddresses(device.Addresses)
	l = &link{device: device, token: token, dialer: d, transport: dataplane.New(d.dial, dataplane.Options{})}
	c.mu.Lock()
	old := c.links[device.ID]
	c.links[device.ID] = l
	c.mu.Unlock()
	if old != nil {
		old.transport.CloseIdleConnections()
	}
	return l, nil
}

// maxTokenLife is longer than any token of Salita lives, the clocks of both
// sides being somewhat off.
const maxTokenLife = 2 * 366 * 24 * time.Hour

// noteExpiry keeps our copy of a renewed token's expiry right. A future that no
// token of Salita has is ignored, and so is the past.
func (c *Client) noteExpiry(ctx context.Context, l *link, header string) {
	if header == "" {
		return
	}
	expires, err := time.Parse(time.RFC3339, header)
	if err != nil {
		c.log.Warn("peer sent a malformed token expiry", "device", l.device.ID)
		return
	}
	if life := time.Until(expires); life <= 0 || life > maxTokenLife {
		c.log.Warn("peer sent a token expiry that can't be true", "device", l.device.ID, "expires", expires.UTC())
		return
	}
	if err := c.tokens.SetPeerTokenExpiry(ctx, l.device.ID, expires.UTC()); err != nil {
		c.log.Warn("could not keep the new token expiry", "device", l.device.ID, "error", err)
	}
}

// drain reads a short answer to its end so that its connection can be reused.
func drain(body io.ReadCloser) {
	io.CopyN(io.Discard, body, maxAnswer)
	body.Close()
}

func offline(device mesh.Device, cause error) error {
	var already *sdk.Error
	if errors.As(cause, &already) {
		return cause
	}
	return unreached(device, cause)
}

func unreached(device mesh.Device, cause error) error {
	return sdk.Errorf(sdk.Offline, "%s is offline. Make sure it's on and on the same network.", device.Name).Because(cause)
}

func needsRepair(device mesh.Device) error {
	return &sdk.Error{
		Kind: sdk.NeedsRepair, Message: fmt.Sprintf("%s needs re-pairing", device.Name),
		Hint: "Pair the two devices again.",
	}
}

// decode reads one JSON answer of at most limit bytes. An error answer becomes
// the sdk.Error it describes.
func decode(resp *http.Response, limit int64, out any) error {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if int64(len(body)) > limit {
		return fmt.Errorf("answer is longer than %d bytes", limit)
	}
	if resp.StatusCode/100 != 2 {
		return remoteError(resp.StatusCode, body)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("decode answer: %w", err)
	}
	return nil
}

func remoteError(status int, body []byte) error {
	var answer sdk.ErrorBody
	if err := json.Unmarshal(body, &answer); err != nil || answer.Code == "" {
		return fmt.Errorf("unexpected answer with status %d", status)
	}
	return &sdk.Error{
		Kind: answer.Code, Message: mesh.CleanSentence(answer.Error), Hint: mesh.CleanSentence(answer.Hint),
		Cause: fmt.Errorf("the other device answered %d, its reference %q", status, mesh.CleanSentence(answer.Reference)),
	}
}
