package core

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/salita-mesh/salita/core/internal/config"
	"github.com/salita-mesh/salita/core/internal/identity"
	"github.com/salita-mesh/salita/core/internal/store"
	"github.com/salita-mesh/salita/sdk"
)

// BackupFolder is the folder in a data folder that holds the copies of its
// database.
const BackupFolder = "backups"

// BackUp is for a gateway that does not run: it copies the database into the
// folder for copies and returns the copy's path. While a gateway runs it is
// sdk.Conflict.
func BackUp(ctx context.Context, options LoadOptions) (path string, err error) {
	err = closed(options, func(c Config) error {
		path, err = store.BackUpClosed(ctx, storeOptions(c))
		return err
	})
	return path, err
}

// Restore is for a gateway that does not run: it puts a copy in the place of the
// database. What was there is kept in the folder for copies, and its path
// returned; "" if there was nothing. While a gateway runs it is sdk.Conflict, and
// so is a copy of another device. Whenever it fails, nothing was changed.
func Restore(ctx context.Context, options LoadOptions, file string) (kept string, err error) {
	err = closed(options, func(c Config) error {
		id, err := identity.ReadID(c.DataDir)
		if err != nil {
			return err
		}
		if id == "" {
			return noKey(c)
		}
		kept, err = store.Restore(ctx, storeOptions(c), file, id)
		return err
	})
	return kept, err
}

// closed runs fn while no gateway can run.
func closed(options LoadOptions, fn func(Config) error) error {
	c, err := config.Load(options)
	if err != nil {
		return err
	}
	lock, err := identity.Lock(c.DataDir)
	if sdk.KindOf(err) == sdk.Conflict {
		return (&sdk.Error{
			Kind: sdk.Conflict, Message: "Salita is running on this device.",
			Hint: "stopping it first, then this again. Nothing was changed.",
		}).Because(err)
	}
	if err != nil {
		return err
	}
	return errors.Join(fn(c), lock.Close())
}

// noKey refuses to restore a database that nothing in it can be opened of.
func noKey(c Config) error {
	return &sdk.Error{
		Kind: sdk.NotFound, Message: "There is no device.key in the data folder " + c.DataDir + ".",
		Hint: "putting device.key and node_identity.json of the device back first. Nothing was changed.",
	}
}

func storeOptions(c Config) store.Options {
	return store.Options{Path: c.Storage.Path, BackupDir: filepath.Join(c.DataDir, BackupFolder)}
}
