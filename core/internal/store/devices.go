package store

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// currentRow is this device.
type currentRow struct {
	NodeID   string `gorm:"primaryKey"`
	Name     string
	Hostname string
	Port     int
	SavedAt  time.Time
}

// TableName implements schema.Tabler.
func (currentRow) TableName() string { return "current_node" }

// deviceRow is another device.
type deviceRow struct {
	ID           string `gorm:"primaryKey"`
	Name         string
	Kind         string
	Hostname     string
	KeyHash      digest
	Addresses    list
	Capabilities list
	Metadata     labels
	NeedsRepair  bool
	PairedAt     time.Time
	LastSeen     *time.Time
	ArchivedAt   *time.Time
	RestoredAt   *time.Time
}

// TableName implements schema.Tabler.
func (deviceRow) TableName() string { return "mesh_nodes" }

func rowOfDevice(d mesh.Device) deviceRow {
	return deviceRow{
		ID:           string(d.ID),
		Name:         d.Name,
		Kind:         string(d.Kind),
		Hostname:     d.Hostname,
		KeyHash:      digest(d.Key),
		Addresses:    d.Addresses,
		Capabilities: d.Capabilities,
		Metadata:     d.Metadata,
		NeedsRepair:  d.NeedsRepair,
		PairedAt:     stored(d.PairedAt),
		LastSeen:     storedOrNull(d.LastSeen),
		ArchivedAt:   storedOrNull(d.ArchivedAt),
		RestoredAt:   storedOrNull(d.RestoredAt),
	}
}

func (r deviceRow) device() mesh.Device {
	return mesh.Device{
		ID:           mesh.DeviceID(r.ID),
		Name:         r.Name,
		Kind:         mesh.Kind(r.Kind),
		Hostname:     r.Hostname,
		Key:          mesh.KeyHash(r.KeyHash),
		Addresses:    r.Addresses,
		Capabilities: r.Capabilities,
		Metadata:     r.Metadata,
		NeedsRepair:  r.NeedsRepair,
		PairedAt:     r.PairedAt,
		LastSeen:     orZero(r.LastSeen),
		ArchivedAt:   orZero(r.ArchivedAt),
		RestoredAt:   orZero(r.RestoredAt),
	}
}

// SaveCurrent notes what this device is called and where it listens. There is
// one such note; it replaces the last.
func (s *Store) SaveCurrent(ctx context.Context, id mesh.DeviceID, name, hostname string, port int) error {
	row := currentRow{NodeID: string(id), Name: name, Hostname: hostname, Port: port, SavedAt: s.now()}
	err := s.write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if _, err := gorm.G[currentRow](tx).Where("node_id <> ?", row.NodeID).Delete(ctx); err != nil {
			return err
		}
		return gorm.G[currentRow](tx, clause.OnConflict{UpdateAll: true}).Create(ctx, &row)
	})
	return wrap("save current device", err)
}

// Devices returns every device, in the order of their names.
func (s *Store) Devices(ctx context.Context) ([]mesh.Device, error) {
	rows, err := gorm.G[deviceRow](s.read).Order("lower(name), id").Find(ctx)
	if err != nil {
		return nil, wrap("list devices", err)
	}
	devices := make([]mesh.Device, len(rows))
	for i, row := range rows {
		devices[i] = row.device()
	}
	return devices, nil
}

// Device returns one device, or sdk.NotFound.
func (s *Store) Device(ctx context.Context, id mesh.DeviceID) (mesh.Device, error) {
	row, err := gorm.G[deviceRow](s.read).Where("id = ?", string(id)).Take(ctx)
	if err != nil {
		return mesh.Device{}, wrap("read device", orNoDevice(id, err))
	}
	return row.device(), nil
}

// RenameDevice gives a device another name, or returns sdk.NotFound.
func (s *Store) RenameDevice(ctx context.Context, id mesh.DeviceID, name string) error {
	n, err := gorm.G[deviceRow](s.write).Where("id = ?", string(id)).Update(ctx, "name", name)
	return wrap("rename device", oneDevice(id, n, err))
}

// UpdateDevice stores what can change while a device stays paired: name,
// hostname, addresses, capabilities, metadata, whether it needs re-pairing and
// when it was last seen. Kind, key and time of pairing stay as they are. It
// returns sdk.NotFound for a device that is not there.
func (s *Store) UpdateDevice(ctx context.Context, device mesh.Device) error {
	n, err := gorm.G[deviceRow](s.write).Where("id = ?", string(device.ID)).
		Select("name", "hostname", "addresses", "capabilities", "metadata", "needs_repair", "last_seen").
		Updates(ctx, rowOfDevice(device))
	return wrap("update device", oneDevice(device.ID, n, err))
}

// ArchiveDevice notes that a device was put out of the list. It returns
// sdk.NotFound for a device that is not there.
func (s *Store) ArchiveDevice(ctx context.Context, id mesh.DeviceID, at time.Time) error {
	n, err := gorm.G[deviceRow](s.write).Where("id = ?", string(id)).Update(ctx, "archived_at", stored(at))
	return wrap("archive device", oneDevice(id, n, err))
}

// RestoreDevice notes that a device was put into the list again. It returns
// sdk.NotFound for a device that is not there.
func (s *Store) RestoreDevice(ctx context.Context, id mesh.DeviceID, at time.Time) error {
	at = stored(at)
	n, err := gorm.G[deviceRow](s.write).Where("id = ?", string(id)).
		Select("archived_at", "restored_at").Updates(ctx, deviceRow{RestoredAt: &at})
	return wrap("restore device", oneDevice(id, n, err))
}

// RemoveDevice forgets a device with its tokens, those it gave us and those we
// gave it, and where it was found. It returns sdk.NotFound for a device that is
// not there.
func (s *Store) RemoveDevice(ctx context.Context, id mesh.DeviceID) error {
	err := s.write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		n, err := deleteDevice(ctx, tx, string(id))
		return oneDevice(id, n, err)
	})
	return wrap("remove device", err)
}

// deleteDevice reports how many devices there were of that id.
func deleteDevice(ctx context.Context, tx *gorm.DB, id string) (int, error) {
	// Foreign keys would take these along; a token that outlives its device is
	// bad enough not to rely on a connection setting.
	if err := deleteTokens(ctx, tx, id); err != nil {
		return 0, err
	}
	if _, err := gorm.G[sightingRow](tx).Where("node_id = ?", id).Delete(ctx); err != nil {
		return 0, err
	}
	return gorm.G[deviceRow](tx).Where("id = ?", id).Delete(ctx)
}

// oneDevice makes sdk.NotFound of a change that met no row.
func oneDevice(id mesh.DeviceID, rows int, err error) error {
	if err == nil && rows == 0 {
		return noDevice(id)
	}
	return err
}

func orNoDevice(id mesh.DeviceID, err error) error {
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return noDevice(id)
	}
	return err
}
