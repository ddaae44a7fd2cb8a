package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// activityKept is how many notes of activity are kept, the newest ones.
const activityKept = 2000

// activityRow is a note of something that the gateway did by itself.
type activityRow struct {
	ID       int64 `gorm:"primaryKey"`
	At       time.Time
	Name     string
	DeviceID string
	Words    string
}

// TableName implements schema.Tabler.
func (activityRow) TableName() string { return "activity" }

// AddActivity notes what the gateway did. The oldest notes go when there are
// more than activityKept.
func (s *Store) AddActivity(ctx context.Context, a mesh.Activity) error {
	err := s.write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		row := activityRow{At: stored(a.At), Name: a.Name, DeviceID: string(a.DeviceID), Words: a.Words}
		if err := gorm.G[activityRow](tx).Create(ctx, &row); err != nil {
			return err
		}
		_, err := gorm.G[activityRow](tx).Where("id <= ?", row.ID-activityKept).Delete(ctx)
		return err
	})
	return wrap("add activity", err)
}

// Activity returns up to limit notes, the newest first.
func (s *Store) Activity(ctx context.Context, limit int) ([]mesh.Activity, error) {
	rows, err := gorm.G[activityRow](s.read).Order("id DESC").Limit(limit).Find(ctx)
	if err != nil {
		return nil, wrap("list activity", err)
	}
	list := make([]mesh.Activity, len(rows))
	for i, row := range rows {
		list[i] = mesh.Activity{At: row.At, Name: row.Name, DeviceID: mesh.DeviceID(row.DeviceID), Words: row.Words}
	}
	return list, nil
}
