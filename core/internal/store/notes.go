package store

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// ImportNote is something of the earlier Salita's database that could not be
// taken over as it was. It never holds a secret.
type ImportNote struct {
	What string // such as "capabilities of device 0192f0c1-..."
	Why  string // a sentence for people
	Old  string // what was there; may be empty
}

// noteTable keeps what an import could not take over. Only a database that was
// imported has it.
const noteTable = "import_notes"

// noteRow is a note of an import.
type noteRow struct {
	ID   int `gorm:"primaryKey"`
	What string
	Why  string
	Old  string
}

// TableName implements schema.Tabler.
func (noteRow) TableName() string { return noteTable }

// saveNotes writes the notes down.
func (i *legacyImport) saveNotes(ctx context.Context) error {
	if err := i.exec(ctx, `CREATE TABLE `+noteTable+` (
    id   INTEGER PRIMARY KEY,
    what TEXT NOT NULL,
    why  TEXT NOT NULL,
    old  TEXT NOT NULL
)`); err != nil {
		return err
	}
	insert, err := i.tx.PrepareContext(ctx, `INSERT INTO `+noteTable+` (what, why, old) VALUES (?, ?, ?)`)
	if err != nil {
		return err
	}
	defer insert.Close()
	for _, n := range i.notes {
		if _, err := insert.ExecContext(ctx, n.What, n.Why, n.Old); err != nil {
			return fmt.Errorf("%s: %w", n.What, err)
		}
	}
	return nil
}

// ImportNotes returns what could not be taken over as it was from the earlier
// Salita's database, in the order in which it came up. There are none in a
// database that was made by this program.
func (s *Store) ImportNotes(ctx context.Context) ([]ImportNote, error) {
	var imported bool
	err := s.read.WithContext(ctx).Raw(`SELECT count(*) > 0 FROM sqlite_schema WHERE name = ?`, noteTable).Scan(&imported).Error
	if err != nil || !imported {
		return nil, wrap("list import notes", err)
	}
	rows, err := gorm.G[noteRow](s.read).Order("id").Find(ctx)
	if err != nil {
		return nil, wrap("list import notes", err)
	}
	notes := make([]ImportNote, len(rows))
	for i, row := range rows {
		notes[i] = ImportNote{What: row.What, Why: row.Why, Old: row.Old}
	}
	return notes, nil
}
