package library

import (
	"context"
	"errors"
	"os"

	"github.com/salita-mesh/salita/plugins/media/internal/index"
)

// Remove deletes an item and its file. The error is of kind sdk.NotFound when
// Open would say so; a file that somebody changed is never deleted.
//
// The row is marked first, so that after a crash Open of the library knows that
// the file is to go.
func (l *Library) Remove(ctx context.Context, id string) error {
	_, f, err := l.Open(ctx, id)
	if err != nil {
		return err
	}
	f.Close()
	ctx = context.WithoutCancel(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	// The item may have been placed, renamed or removed before the lock.
	item, err := l.index.Get(ctx, id)
	if errors.Is(err, index.ErrNotFound) {
		return notFound(err)
	}
	if err != nil {
		return err
	}
	if err := l.index.MarkRemoved(ctx, id); err != nil {
		return err
	}
	if err := l.erase(item); err != nil {
		return l.failure(errors.Join(err, l.index.Restore(ctx, id)))
	}
	return l.index.Forget(ctx, id)
}

// erase deletes an item's file, if it is still the one that was stored, for
// good: its name does not come back after a crash.
func (l *Library) erase(item index.Item) error {
	for _, path := range l.places(item) {
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if info.Size() != item.Size || info.ModTime().UnixNano() != item.ModifiedAt {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return syncDir(l.dir)
}
