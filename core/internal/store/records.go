package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// recordRow is the note of a pairing under way.
type recordRow struct {
	Code         string `gorm:"primaryKey"`
	Role         string `gorm:"primaryKey"`
	SealedSecret []byte
	ExpiresAt    time.Time
}

// TableName implements schema.Tabler.
func (recordRow) TableName() string { return "pairing_records" }

func recordContext(code, role string) []byte {
	return sealContext("pairing_records", "sealed_secret", code, role)
}

// SavePairingRecord stores the note of a pairing under way and replaces an
// earlier one of the same code and role. Expired ones go.
func (s *Store) SavePairingRecord(ctx context.Context, record mesh.PairingRecord) error {
	err := s.write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		return s.putRecord(ctx, tx, record)
	})
	return wrap("save pairing record", err)
}

func (s *Store) putRecord(ctx context.Context, tx *gorm.DB, record mesh.PairingRecord) error {
	if err := purgeRecords(ctx, tx, s.now()); err != nil {
		return err
	}
	code, role := record.Code, string(record.Role)
	sealed, err := s.Sealer.Seal(record.Secret, recordContext(code, role))
	if err != nil {
		return fmt.Errorf("seal secret: %w", err)
	}
	row := recordRow{Code: code, Role: role, SealedSecret: sealed, ExpiresAt: stored(record.Expires)}
	return gorm.G[recordRow](tx, clause.OnConflict{UpdateAll: true}).Create(ctx, &row)
}

// PairingRecords returns the notes of a role that have not expired, the oldest
// expiry first. One that does not open, because the device key is another, is
// left out and logged: its pairing cannot go on.
func (s *Store) PairingRecords(ctx context.Context, role mesh.PairingRole) ([]mesh.PairingRecord, error) {
	rows, err := gorm.G[recordRow](s.read).Where("role = ? AND expires_at > ?", string(role), s.now()).
		Order("expires_at, code").Find(ctx)
	if err != nil {
		return nil, wrap("list pairing records", err)
	}
	records := make([]mesh.PairingRecord, 0, len(rows))
	for _, row := range rows {
		secret, err := s.Sealer.Open(row.SealedSecret, recordContext(row.Code, row.Role))
		if err != nil {
			s.Log.Warn("pairing record does not open", "role", row.Role, "error", err)
			continue
		}
		records = append(records, mesh.PairingRecord{
			Code: row.Code, Role: mesh.PairingRole(row.Role), Secret: secret, Expires: row.ExpiresAt,
		})
	}
	return records, nil
}

// DeletePairingRecord forgets a note, or returns sdk.NotFound.
func (s *Store) DeletePairingRecord(ctx context.Context, code string, role mesh.PairingRole) error {
	n, err := gorm.G[recordRow](s.write).Where("code = ? AND role = ?", code, string(role)).Delete(ctx)
	if err == nil && n == 0 {
		err = (&sdk.Error{Kind: sdk.NotFound}).Because(gorm.ErrRecordNotFound)
	}
	return wrap("delete pairing record", err)
}

func purgeRecords(ctx context.Context, tx *gorm.DB, now time.Time) error {
	_, err := gorm.G[recordRow](tx).Where("expires_at <= ?", now).Delete(ctx)
	return err
}
