package httpapi

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
)

// Backups makes copies of the database.
type Backups interface {
	// BackUp makes a whole copy and returns its path.
	BackUp(context.Context) (path string, err error)
}

type backupBody struct {
	File string `json:"file"` // its name in the folder "backups"
	Size int64  `json:"size"` // in bytes
}

// backUp takes no path: who may manage this gateway may not for that reason write
// anywhere on its disk.
func (s *Server) backUp(c *call) error {
	return c.within(func(ctx context.Context) error {
		path, err := s.Backups.BackUp(ctx)
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		s.Log.Info("database copied for the owner", "copy", path)
		return c.answer(http.StatusCreated, backupBody{File: filepath.Base(path), Size: info.Size()})
	})
}
