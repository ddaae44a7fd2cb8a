package store

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// CompletePairing stores everything that a pairing leaves behind, and the note
// of it if there is one, in one transaction: all of it or nothing.
//
// A device that was paired before is found by its key, else by its id; it keeps
// the id and name it has here, and its earlier tokens, given and received, go.
// The returned device is the one stored; its id is also the one that the tokens
// belong to, whatever id the pairing named. A known id with another key or kind
// is sdk.Conflict: it would let one device pass for another.
//
// A pairing that replaces a device is the owner's word that it is the same one.
// The device chosen keeps its id and name and takes over key and kind, whatever
// it had before; an entry of its own that the key had until now goes. Only a
// gateway with a key is not replaced by a device without one: sdk.Conflict. A
// device that is no longer there is paired as if none had been chosen.
//
// A pairing that is repeated never brings a device back that was removed since
// the first time: that is sdk.NotFound.
func (s *Store) CompletePairing(ctx context.Context, p mesh.Pairing, record *mesh.PairingRecord) (mesh.Device, error) {
	if err := checkPairing(p); err != nil {
		return mesh.Device{}, wrap("complete pairing", err)
	}
	var device mesh.Device
	err := s.write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := checkRepeated(ctx, tx, p); err != nil {
			return err
		}
		row, err := putDevice(ctx, tx, rowOfDevice(p.Device), p.Replaces)
		if err != nil {
			return fmt.Errorf("device: %w", err)
		}
		device = row.device()
		if err := s.replaceTokens(ctx, tx, device.ID, p); err != nil {
			return fmt.Errorf("tokens: %w", err)
		}
		if record == nil {
			return nil
		}
		return s.putRecord(ctx, tx, *record)
	})
	if err != nil {
		return mesh.Device{}, wrap("complete pairing", err)
	}
	return device, nil
}

// checkPairing refuses a pairing that is not whole.
func checkPairing(p mesh.Pairing) error {
	switch {
	case p.Device.ID == "":
		return errors.New("device has no id")
	case p.Issued.Hash == mesh.TokenHash{}:
		return errors.New("issued token has no hash")
	case p.Peer != nil && p.Peer.Token == "":
		return errors.New("peer token is empty")
	case p.Session != nil && (p.Session.ID == "" || p.Session.Hash == mesh.TokenHash{}):
		return errors.New("session has no id or no hash")
	}
	return nil
}

// checkRepeated looks whether the device is still there.
func checkRepeated(ctx context.Context, tx *gorm.DB, p mesh.Pairing) error {
	if !p.Repeated {
		return nil
	}
	_, err := gorm.G[deviceRow](tx).Select("id").Where("id = ?", string(p.Device.ID)).Take(ctx)
	return orNoDevice(p.Device.ID, err)
}

// putDevice stores a device that has just been paired.
func putDevice(ctx context.Context, tx *gorm.DB, paired deviceRow, replaces mesh.DeviceID) (deviceRow, error) {
	paired.NeedsRepair, paired.ArchivedAt = false, nil
	known, err := findReplaced(ctx, tx, paired, replaces)
	if errors.Is(err, gorm.ErrRecordNotFound) {
		known, err = findPaired(ctx, tx, paired)
	}
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return paired, gorm.G[deviceRow](tx).Create(ctx, &paired)
	}
	if err != nil {
		return paired, err
	}
	paired.ID, paired.Name = known.ID, known.Name
	if paired.LastSeen == nil {
		paired.LastSeen = known.LastSeen
	}
	if paired.Metadata == nil {
		paired.Metadata = known.Metadata
	}
	_, err = gorm.G[deviceRow](tx).Where("id = ?", paired.ID).
		Select("*").Updates(ctx, paired)
	return paired, err
}

// findReplaced finds the row that the owner chose, and makes room for the key in
// it.
func findReplaced(ctx context.Context, tx *gorm.DB, paired deviceRow, chosen mesh.DeviceID) (deviceRow, error) {
	known, err := gorm.G[deviceRow](tx).Where("id = ?", string(chosen)).Take(ctx)
	if err != nil || paired.KeyHash == known.KeyHash {
		return known, err
	}
	if paired.KeyHash == (digest{}) {
		return known, (&sdk.Error{
			Kind:    sdk.Conflict,
			Message: fmt.Sprintf("%s can't be re-paired from a browser.", known.Name),
			Hint:    "Re-pair it from Salita on that device.",
		}).Because(fmt.Errorf("device %q has a key and %q has none", known.ID, paired.ID))
	}
	twin, err := gorm.G[deviceRow](tx).Where("key_hash = ?", paired.KeyHash).Take(ctx)
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return known, nil
	}
	if err == nil {
		_, err = deleteDevice(ctx, tx, twin.ID)
	}
	return known, err
}

// findPaired finds the row that a paired device had before.
func findPaired(ctx context.Context, tx *gorm.DB, paired deviceRow) (deviceRow, error) {
	if paired.KeyHash != (digest{}) {
		known, err := gorm.G[deviceRow](tx).Where("key_hash = ?", paired.KeyHash).Take(ctx)
		if !errors.Is(err, gorm.ErrRecordNotFound) {
			return known, err
		}
	}
	known, err := gorm.G[deviceRow](tx).Where("id = ?", paired.ID).Take(ctx)
	if err != nil {
		return known, err
	}
	sameKey := known.KeyHash == paired.KeyHash || known.KeyHash == digest{}
	if !sameKey || known.Kind != paired.Kind {
		return known, sdk.Errorf(sdk.Conflict, "Another device already goes by that identity. Remove %s first.", known.Name).
			Because(fmt.Errorf("device %q is known as %s with another key", known.ID, known.Kind))
	}
	return known, nil
}

// replaceTokens makes the pairing's tokens and session the only ones of the
// device.
func (s *Store) replaceTokens(ctx context.Context, tx *gorm.DB, id mesh.DeviceID, p mesh.Pairing) error {
	if err := deleteTokens(ctx, tx, string(id)); err != nil {
		return err
	}
	issued := rowOfIssued(p.Issued)
	issued.NodeID = string(id)
	if err := gorm.G[issuedRow](tx).Create(ctx, &issued); err != nil {
		return err
	}
	if err := createDeviceSession(ctx, tx, id, p.Session); err != nil {
		return err
	}
	if p.Peer == nil {
		return nil
	}
	received := *p.Peer
	received.DeviceID = id
	peer, err := s.rowOfPeer(received)
	if err != nil {
		return err
	}
	return gorm.G[peerRow](tx).Create(ctx, &peer)
}
