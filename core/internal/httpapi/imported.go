package httpapi

import (
	"context"

	"github.com/salita-mesh/salita/core/internal/store"
)

// Imported tells what could not be taken over from the earlier Salita.
type Imported interface {
	ImportNotes(context.Context) ([]store.ImportNote, error)
}

type importNoteBody struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// listImportNotes is empty where no earlier database was imported, and where
// everything could be.
func (s *Server) listImportNotes(c *call) error {
	return c.within(func(ctx context.Context) error {
		notes, err := s.Imported.ImportNotes(ctx)
		if err != nil {
			return err
		}
		out := make([]importNoteBody, len(notes))
		for i, n := range notes {
			out[i] = importNoteBody{What: n.What, Why: n.Why}
		}
		return c.ok(out)
	})
}
