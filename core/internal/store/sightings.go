package store

import (
	"context"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// Sighting is one attempt to find a device.
type Sighting = mesh.Sighting

// sightingRow is the last attempt to find a device.
type sightingRow struct {
	NodeID     string `gorm:"primaryKey"`
	Address    string
	ResponseMS int64 `gorm:"column:response_ms"`
	Reachable  bool
	CheckedAt  time.Time
}

// TableName implements schema.Tabler.
func (sightingRow) TableName() string { return "discovery_cache" }

// saveSighting keeps the newest attempt of a device that is still there.
const saveSighting = `
INSERT INTO discovery_cache (node_id, address, response_ms, reachable, checked_at)
SELECT id, ?, ?, ?, ? FROM mesh_nodes WHERE id = ?
ON CONFLICT (node_id) DO UPDATE
SET address = excluded.address, response_ms = excluded.response_ms,
    reachable = excluded.reachable, checked_at = excluded.checked_at
WHERE excluded.checked_at >= discovery_cache.checked_at`

// SaveSightings notes the newest attempt for each device, and for one that
// answered that it was seen then. Sightings of devices that are gone are
// dropped. All are stored, or none.
func (s *Store) SaveSightings(ctx context.Context, sightings []Sighting) error {
	if len(sightings) == 0 {
		return nil
	}
	err := s.write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		for _, sighting := range sightings {
			if err := saveOne(ctx, tx, sighting); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap("save sightings", err)
}

func saveOne(ctx context.Context, tx *gorm.DB, g Sighting) error {
	at := stored(g.CheckedAt)
	err := gorm.G[sightingRow](tx).Exec(ctx, saveSighting,
		g.Address, max(0, g.Response.Milliseconds()), g.Reachable, at, string(g.DeviceID))
	if err != nil || !g.Reachable {
		return err
	}
	_, err = gorm.G[deviceRow](tx).
		Where("id = ? AND (last_seen IS NULL OR last_seen < ?)", string(g.DeviceID), at).
		Update(ctx, "last_seen", at)
	return err
}

// Sightings returns the newest attempt for each device that was ever looked for.
func (s *Store) Sightings(ctx context.Context) ([]Sighting, error) {
	rows, err := gorm.G[sightingRow](s.read).Order("node_id").Find(ctx)
	if err != nil {
		return nil, wrap("list sightings", err)
	}
	sightings := make([]Sighting, len(rows))
	for i, row := range rows {
		sightings[i] = Sighting{
			DeviceID:  mesh.DeviceID(row.NodeID),
			Address:   row.Address,
			Response:  time.Duration(row.ResponseMS) * time.Millisecond,
			Reachable: row.Reachable,
			CheckedAt: row.CheckedAt,
		}
	}
	return sightings, nil
}

// presenceChunk bounds how many devices one transaction takes in, so that other
// changes never wait long.
const presenceChunk = 200

// SavePresence stores what the search for devices showed of them: addresses,
// capabilities, metadata, whether they need re-pairing and when they were last
// seen; and each sighting by the rules of SaveSightings. Devices that are gone
// are passed over. It stores presenceChunk devices at a time: after an error
// some may have been.
func (s *Store) SavePresence(ctx context.Context, devices []mesh.Device, sightings []Sighting) error {
	for chunk := range slices.Chunk(devices, presenceChunk) {
		err := s.write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			for _, d := range chunk {
				_, err := gorm.G[deviceRow](tx).Where("id = ?", string(d.ID)).
					Select("addresses", "capabilities", "metadata", "needs_repair", "last_seen").
					Updates(ctx, rowOfDevice(d))
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return wrap("save presence", err)
		}
	}
	for chunk := range slices.Chunk(sightings, presenceChunk) {
		if err := s.SaveSightings(ctx, chunk); err != nil {
			return err
		}
	}
	return nil
}
