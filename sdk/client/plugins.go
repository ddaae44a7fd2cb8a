package client

import (
	"context"
	"net/http"
	"net/url"
)

// Plugin is a plugin of this gateway, running or not.
type Plugin struct {
	Name         string   `json:"name"`
	Title        string   `json:"title"`
	State        string   `json:"state"`
	Version      string   `json:"version"`
	Capabilities []string `json:"capabilities"`
	Abilities    []string `json:"abilities"`  // the capabilities in plain words
	LastError    string   `json:"last_error"` // in plain words; "" when fine
}

// Plugins lists the plugins that were found.
func (c *Client) Plugins(ctx context.Context) ([]Plugin, error) {
	var out []Plugin
	err := c.do(ctx, http.MethodGet, "/api/plugins", nil, &out)
	return out, err
}

// EnablePlugin writes into config.hcl that the plugin is enabled, and has the
// gateway start it. It does not wait for the plugin.
func (c *Client) EnablePlugin(ctx context.Context, name string) error {
	return c.plugin(ctx, name, "enable")
}

// DisablePlugin writes into config.hcl that the plugin is not enabled, and has
// the gateway stop it. It does not wait for the plugin.
func (c *Client) DisablePlugin(ctx context.Context, name string) error {
	return c.plugin(ctx, name, "disable")
}

// RestartPlugin has the gateway stop the plugin and start it again; earlier
// failures are forgiven. It does not wait for the plugin.
func (c *Client) RestartPlugin(ctx context.Context, name string) error {
	return c.plugin(ctx, name, "restart")
}

func (c *Client) plugin(ctx context.Context, name, act string) error {
	return c.do(ctx, http.MethodPost, "/api/plugins/"+url.PathEscape(name)+"/"+act, struct{}{}, nil)
}

// Config is what the gateway says about config.hcl.
type Config struct {
	File          string   `json:"file"`           // "" when there is none
	Error         string   `json:"error"`          // why the file is not in force, with the place; "" when it is
	RestartNeeded []string `json:"restart_needed"` // settings that count from the next start on
}

// Config tells how the gateway stands to its config.hcl.
func (c *Client) Config(ctx context.Context) (Config, error) {
	var out Config
	err := c.do(ctx, http.MethodGet, "/api/config", nil, &out)
	return out, err
}
