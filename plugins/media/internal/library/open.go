package library

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/salita-mesh/salita/plugins/media/internal/index"
	"github.com/salita-mesh/salita/sdk"
)

// Open returns an item and its file, which holds exactly the item's bytes. The
// error is of kind sdk.NotFound when there is no such item, when its file is
// gone, and when somebody changed the file.
//
// That nobody did is taken from its size and modification time. When only the
// time differs, as after the library was copied to another drive, the file is
// read once and the time remembered.
func (l *Library) Open(ctx context.Context, id string) (index.Item, *os.File, error) {
	item, err := l.index.Get(ctx, id)
	if errors.Is(err, index.ErrNotFound) {
		return index.Item{}, nil, notFound(err)
	}
	if err != nil {
		return index.Item{}, nil, err
	}
	f, err := l.openFile(ctx, &item)
	if err != nil {
		return index.Item{}, nil, l.failure(err)
	}
	return item, f, nil
}

// places are the names to look under. The file may be moved from the second to
// the first between two looks, hence the third.
func (l *Library) places(item index.Item) [3]string {
	placed, staged := filepath.Join(l.dir, item.File), filepath.Join(l.staging, item.Staged)
	return [3]string{placed, staged, placed}
}

func (l *Library) openFile(ctx context.Context, item *index.Item) (*os.File, error) {
	for _, path := range l.places(*item) {
		f, info, err := openRegular(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotRegular) {
			continue
		}
		if err != nil {
			return nil, err
		}
		genuine, err := l.genuine(ctx, item, f, info)
		if genuine && err == nil {
			return f, nil
		}
		f.Close()
		if err != nil {
			return nil, err
		}
	}
	if _, err := os.Stat(l.dir); err != nil {
		return nil, err
	}
	return nil, notFound(fmt.Errorf("file of item %s is gone or changed", item.ID))
}

// genuine reports whether the open file holds the item's bytes.
func (l *Library) genuine(ctx context.Context, item *index.Item, f *os.File, info fs.FileInfo) (bool, error) {
	modified := info.ModTime().UnixNano()
	switch {
	case info.Size() != item.Size:
		return false, nil
	case modified == item.ModifiedAt:
		return true, nil
	case modified == item.RejectedAt:
		return false, nil
	}
	select {
	case l.hashing <- struct{}{}:
		defer func() { <-l.hashing }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if now, err := l.index.Get(ctx, item.ID); err == nil && now.ModifiedAt == modified {
		*item = now // somebody else read it while this waited
		return true, nil
	}
	sum, err := l.hashFile(ctx, f)
	if err != nil {
		return false, err
	}
	l.log.Info("file re-read", "id", item.ID, "genuine", sum == item.SHA256)
	if sum != item.SHA256 {
		return false, l.index.Reject(ctx, item.ID, modified)
	}
	item.ModifiedAt = modified
	return true, l.index.Confirm(ctx, item.ID, modified)
}

// hashFile leaves the file at its start.
func (l *Library) hashFile(ctx context.Context, f *os.File) (string, error) {
	chunk := l.chunks.Get().(*[chunkSize]byte)
	defer l.chunks.Put(chunk)
	h := sha256.New()
	for {
		n, err := f.Read(chunk[:])
		h.Write(chunk[:n])
		if err == io.EOF {
			break
		}
		if err := errors.Join(err, ctx.Err()); err != nil {
			return "", err
		}
	}
	_, err := f.Seek(0, io.SeekStart)
	return hex.EncodeToString(h.Sum(nil)), err
}

func notFound(cause error) error {
	return sdk.Errorf(sdk.NotFound, "That file isn't here any more.").Because(cause)
}
