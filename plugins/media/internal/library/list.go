package library

import (
	"context"
	"os"

	"github.com/salita-mesh/salita/plugins/media/internal/index"
)

// List returns up to limit items, newest first, that are older than the item
// before, or the newest when before is "". If there are more, next is what to
// pass as before for them, else "". Items whose files are gone or visibly
// changed are left out, and come back with their files.
func (l *Library) List(ctx context.Context, before string, limit int) (items []index.Item, next string, err error) {
	// Without this a drive that is not connected would look like an empty library.
	if _, err := os.Stat(l.dir); err != nil {
		return nil, "", l.failure(err)
	}
	items = make([]index.Item, 0, limit)
	for {
		page, err := l.index.List(ctx, before, limit+1)
		if err != nil {
			return nil, "", err
		}
		for _, item := range page {
			if !l.present(item) {
				continue
			}
			if len(items) == limit {
				return items, items[limit-1].ID, nil
			}
			items = append(items, item)
		}
		if len(page) <= limit {
			return items, "", nil
		}
		before = page[limit].ID
	}
}

// present is a quick look: it does not open the file.
func (l *Library) present(item index.Item) bool {
	for _, path := range l.places(item) {
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() || info.Size() != item.Size {
			continue
		}
		if item.RejectedAt == 0 || info.ModTime().UnixNano() != item.RejectedAt {
			return true
		}
	}
	return false
}
