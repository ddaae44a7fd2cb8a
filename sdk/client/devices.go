package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Device is another device of the owner's.
type Device struct {
	ID           string     `json:"id"`
	Name         string     `json:"name"`
	Kind         string     `json:"kind"`
	Status       string     `json:"status"` // "available", "offline" or "needs_repair"
	Capabilities []string   `json:"capabilities"`
	LastSeen     *time.Time `json:"last_seen"` // nil when never
	NeedsRepair  bool       `json:"needs_repair"`
}

// Devices lists the devices, Available first.
func (c *Client) Devices(ctx context.Context) ([]Device, error) {
	var out []Device
	err := c.do(ctx, http.MethodGet, "/api/devices", nil, &out)
	return out, err
}

// RenameDevice gives a device another name.
func (c *Client) RenameDevice(ctx context.Context, id, name string) (Device, error) {
	var out Device
	err := c.do(ctx, http.MethodPatch, "/api/devices/"+url.PathEscape(id), map[string]string{"name": name}, &out)
	return out, err
}

// RemoveDevice ends a device's access and forgets it.
func (c *Client) RemoveDevice(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodDelete, "/api/devices/"+url.PathEscape(id), nil, nil)
}

// Round is the outcome of asking every device whether it is there.
type Round struct {
	Available   []Device `json:"available"`
	Offline     []Device `json:"offline"`
	NeedsRepair []Device `json:"needs_repair"`
}

// Discover asks every device now.
func (c *Client) Discover(ctx context.Context) (Round, error) {
	var out Round
	err := c.do(ctx, http.MethodPost, "/api/discover", nil, &out)
	return out, err
}

// Upload is what the receiving device says of the files it has stored.
type Upload struct {
	Items []Item `json:"items"`
}

// Item is one stored file.
type Item struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // computed by the receiver, lower-case hex
	URL    string `json:"url"`    // relative to the receiving gateway
}

// Send streams one file to a device. Size is its length in bytes.
func (c *Client) Send(ctx context.Context, id, name string, body io.Reader, size int64) (Upload, error) {
	path := "/api/devices/" + url.PathEscape(id) + "/send?filename=" + url.QueryEscape(name)
	if size == 0 {
		body = http.NoBody
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://salita"+path, body)
	if err != nil {
		return Upload{}, err
	}
	req.ContentLength = size
	req.Header.Set("Content-Type", "application/octet-stream")
	var out Upload
	err = c.send(req, &out)
	return out, err
}
