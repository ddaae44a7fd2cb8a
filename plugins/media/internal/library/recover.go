package library

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/salita-mesh/salita/plugins/media/internal/index"
)

// settleEvery is how often a library looks whether others that were open when
// it was opened still are.
const settleEvery = 500 * time.Millisecond

// recover finishes what libraries that are no longer open left half done, and
// reports whether there are others still open. What cannot be finished now, on
// a write-protected drive for instance, is logged and tried again the next
// time: stored files are found in the staging folder too.
func (l *Library) recover(ctx context.Context, leases *leases) (others bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	entries, err := os.ReadDir(l.staging)
	if err != nil {
		return false, l.failure(err)
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
			return false, l.failure(err)
		}
	}
	alive, err := leases.sweep()
	if err != nil {
		l.log.Warn("cannot delete old upload locks", "error", err)
	}
	if alive > 1 {
		return true, nil // one of them may be in the middle of a removal
	}
	return false, l.finishRemovals(ctx)
}

// follow recovers again and again until no other library is open: one that is
// being replaced, or whose gateway was killed, may yet leave something behind.
func (l *Library) follow(ctx context.Context) {
	for others := true; others; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(settleEvery):
		}
		var err error
		if others, err = l.recoverAgain(ctx); err != nil && ctx.Err() == nil {
			l.log.Warn("cannot finish interrupted uploads", "error", err)
			others = true
		}
	}
}

func (l *Library) recoverAgain(ctx context.Context) (others bool, err error) {
	leases, err := openLeases(ctx, l.leaseDir)
	if err != nil {
		return true, err
	}
	defer leases.close()
	return l.recover(ctx, leases)
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
