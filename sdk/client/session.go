package client

import (
	"context"
	"net/http"
)

// SignInLink makes a link that signs one browser in as the owner. It works once,
// for a few minutes.
func (c *Client) SignInLink(ctx context.Context) (string, error) {
	var out struct {
		Link string `json:"link"`
	}
	err := c.do(ctx, http.MethodPost, "/auth/links", struct{}{}, &out)
	return out.Link, err
}
