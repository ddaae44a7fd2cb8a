package client

import (
	"context"
	"net/http"
)

// Plugin is a plugin of this gateway, running or not.
type Plugin struct {
	Name         string   `json:"name"`
	Title        string   `json:"title"`
	State        string   `json:"state"`
	Version      string   `json:"version"`
	Capabilities []string `json:"capabilities"`
	LastError    string   `json:"last_error"` // in plain words; "" when fine
}

// Plugins lists the plugins that were found.
func (c *Client) Plugins(ctx context.Context) ([]Plugin, error) {
	var out []Plugin
	err := c.do(ctx, http.MethodGet, "/api/plugins", nil, &out)
	return out, err
}
