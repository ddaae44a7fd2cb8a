package client

import (
	"context"
	"net/http"
)

// Backup is a copy of the gateway's database.
type Backup struct {
	File string `json:"file"` // its name in the folder "backups" of the data folder
	Size int64  `json:"size"` // in bytes
}

// Backup has the gateway copy its database into the folder for copies.
func (c *Client) Backup(ctx context.Context) (Backup, error) {
	var out Backup
	err := c.do(ctx, http.MethodPost, "/api/backup", struct{}{}, &out)
	return out, err
}
