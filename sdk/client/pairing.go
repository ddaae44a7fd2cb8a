package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Window is an open pairing window of this gateway.
type Window struct {
	Code        string    `json:"code"`
	LinkingCode string    `json:"linking_code"`
	Link        string    `json:"link"`
	Address     string    `json:"address"`
	ExpiresAt   time.Time `json:"expires_at"`
}

// PairStart opens a pairing window.
func (c *Client) PairStart(ctx context.Context) (Window, error) {
	var out Window
	err := c.do(ctx, http.MethodPost, "/auth/pair/start", struct{}{}, &out)
	return out, err
}

// Repair opens a pairing window by which this very device pairs again, keeping
// its name and history.
func (c *Client) Repair(ctx context.Context, device string) (Window, error) {
	var out Window
	err := c.do(ctx, http.MethodPost, "/api/devices/"+url.PathEscape(device)+"/repair", struct{}{}, &out)
	return out, err
}

// PairState is how a pairing stands.
type PairState struct {
	State  string     `json:"state"`
	PIN    string     `json:"pin"`    // on the showing side, once a device has claimed the window
	Device PairDevice `json:"device"` // who wants to join, or which gateway is joined
	Error  string     `json:"error"`  // a plain sentence
	Code   string     `json:"code"`   // the error's kind

	Hint      string `json:"hint"`      // what to do about it; may be empty
	Reference string `json:"reference"` // finds the error in the gateway's log; may be empty
}

// PairDevice is the other side of a pairing.
type PairDevice struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Kind string `json:"kind"`
}

// PairWindow tells how the window stands.
func (c *Client) PairWindow(ctx context.Context, code string) (PairState, error) {
	var out PairState
	err := c.do(ctx, http.MethodGet, "/auth/pair/"+url.PathEscape(code), nil, &out)
	return out, err
}

// PairCancel closes the window, so that nobody can join by it any more.
func (c *Client) PairCancel(ctx context.Context, code string) error {
	return c.do(ctx, http.MethodDelete, "/auth/pair/"+url.PathEscape(code), nil, nil)
}

// Join begins to join another gateway by its link or address, and returns the
// attempt's id.
func (c *Client) Join(ctx context.Context, target string) (string, error) {
	var out struct {
		ID string `json:"id"`
	}
	err := c.do(ctx, http.MethodPost, "/api/pairings", map[string]string{"target": target}, &out)
	return out.ID, err
}

// Joining tells how the attempt stands.
func (c *Client) Joining(ctx context.Context, id string) (PairState, error) {
	var out PairState
	err := c.do(ctx, http.MethodGet, "/api/pairings/"+url.PathEscape(id), nil, &out)
	return out, err
}

// EnterPIN hands over the number that the other gateway shows.
func (c *Client) EnterPIN(ctx context.Context, id, pin string) error {
	return c.do(ctx, http.MethodPost, "/api/pairings/"+url.PathEscape(id)+"/pin", map[string]string{"pin": pin}, nil)
}
