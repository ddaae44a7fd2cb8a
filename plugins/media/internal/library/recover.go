package library

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/salita-mesh/salita/plugins/media/internal/index"
)

// recover finishes what libraries that are no longer open left half done. What
// cannot be finished now, on a write-protected drive for instance, is logged
// and tried again the next time: stored files are found in the staging folder
// too.
func (l *Library) recover(ctx context.Context, leases *leases) error {
	entries, err := os.ReadDir(l.staging)
	if err != nil {
		return l.failure(err)
	}
	placed := 0
	for _, e := range entries {
		if leases.alive(e.Name()) {
			continue
		}
		moved, err := l.settle(ctx, e.Name())
		if err != nil {
			l.log.Warn("cannot settle staging file", "file", e.Name(), "error", err)
		}
		if moved {
			placed++
		}
	}
	if placed > 0 {
		l.log.Info("interrupted uploads finished", "files", placed)
		if err := syncDir(l.dir); err != nil {
			return l.failure(err)
		}
	}
	if err := l.finishRemovals(ctx); err != nil {
		return err
	}
	if err := leases.sweep(); err != nil {
		l.log.Warn("cannot delete old upload locks", "error", err)
	}
	return nil
}

// settle moves a staging file that has a row to its place, even if the item is
// about to be removed, and deletes one that has none.
func (l *Library) settle(ctx context.Context, staged string) (moved bool, err error) {
	item, err := l.index.ByStaged(ctx, staged)
	if err == nil {
		return true, l.place(ctx, &item)
	}
	if !errors.Is(err, index.ErrNotFound) {
		return false, err
	}
	return false, os.Remove(filepath.Join(l.staging, staged))
}

func (l *Library) finishRemovals(ctx context.Context) error {
	items, err := l.index.Removed(ctx)
	if err != nil {
		return err
	}
	for _, item := range items {
		if err := l.erase(item); err != nil {
			l.log.Warn("cannot finish removal", "id", item.ID, "error", err)
			continue
		}
		if err := l.index.Forget(ctx, item.ID); err != nil {
			return err
		}
	}
	return nil
}
