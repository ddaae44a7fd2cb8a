package library

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/salita-mesh/salita/plugins/media/internal/filename"
	"github.com/salita-mesh/salita/plugins/media/internal/index"
)

// publish stores received files: rows first, then their places.
func (l *Library) publish(ctx context.Context, items []index.Item) ([]index.Item, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now().UTC().Truncate(time.Millisecond)
	for i := range items {
		items[i].ID = l.ids.Next(now)
		items[i].CreatedAt = now
	}
	if err := l.addRows(ctx, items); err != nil {
		return nil, err
	}
	for i := range items {
		if err := l.place(ctx, &items[i]); err != nil {
			return nil, errors.Join(err, l.withdraw(ctx, items))
		}
	}
	if err := syncDir(l.dir); err != nil {
		return nil, errors.Join(err, l.withdraw(ctx, items))
	}
	return items, nil
}

// addRows finds free file names and takes them. Another process may take one in
// between; then all are looked for again.
func (l *Library) addRows(ctx context.Context, items []index.Item) error {
	for {
		chosen := make(map[string]bool, len(items))
		for i := range items {
			file, err := l.freeName(ctx, items[i].Name, chosen)
			if err != nil {
				return err
			}
			chosen[file] = true
			items[i].File = file
		}
		err := l.index.Add(ctx, items)
		if !errors.Is(err, index.ErrFileTaken) {
			return err
		}
	}
}

// freeName finds a file name that is neither on the disk, nor in the index, nor
// among those chosen. It searches by doubling and halving: a phone may send
// thousands of files named image.jpg.
func (l *Library) freeName(ctx context.Context, name string, chosen map[string]bool) (string, error) {
	base := filename.OnDisk(name)
	var failed error
	taken := func(n int) bool {
		file := filename.Numbered(base, n)
		if chosen[file] {
			return true
		}
		if _, err := os.Lstat(filepath.Join(l.dir, file)); !errors.Is(err, os.ErrNotExist) {
			// An error here, such as a drive that is gone, ends the search.
			failed = errors.Join(failed, err)
			return err == nil
		}
		has, err := l.index.HasFile(ctx, file)
		failed = errors.Join(failed, err)
		return has
	}
	free := 1
	for taken(free) {
		free *= 2
	}
	for low := free / 2; low+1 < free; {
		if middle := (low + free) / 2; taken(middle) {
			low = middle
		} else {
			free = middle
		}
	}
	if failed != nil {
		return "", fmt.Errorf("find a free file name: %w", failed)
	}
	return filename.Numbered(base, free), nil
}

// place moves a stored item's file from the staging folder to its name. If
// somebody else just put a file there, the item gets another name.
func (l *Library) place(ctx context.Context, item *index.Item) error {
	from := filepath.Join(l.staging, item.Staged)
	for {
		to := filepath.Join(l.dir, item.File)
		err := moveNew(from, to)
		if !errors.Is(err, os.ErrExist) {
			return err
		}
		if sameFile(from, to) {
			return os.Remove(from)
		}
		if err := l.rename(ctx, item); err != nil {
			return err
		}
	}
}

func (l *Library) rename(ctx context.Context, item *index.Item) error {
	for {
		file, err := l.freeName(ctx, item.Name, nil)
		if err != nil {
			return err
		}
		err = l.index.SetFile(ctx, item.ID, file)
		if errors.Is(err, index.ErrFileTaken) {
			continue
		}
		item.File = file
		return err
	}
}

// withdraw takes back items whose rows are committed and whose places failed.
func (l *Library) withdraw(ctx context.Context, items []index.Item) error {
	ids := make([]string, len(items))
	for i := range items {
		ids[i] = items[i].ID
	}
	if err := l.index.MarkRemoved(ctx, ids...); err != nil {
		return err
	}
	var failed error
	for _, item := range items {
		failed = errors.Join(failed, l.erase(item))
	}
	if failed != nil {
		return failed
	}
	return l.index.Forget(ctx, ids...)
}

// sameFile reports whether both names are of one file.
func sameFile(a, b string) bool {
	first, err := os.Lstat(a)
	if err != nil {
		return false
	}
	second, err := os.Lstat(b)
	return err == nil && os.SameFile(first, second)
}
