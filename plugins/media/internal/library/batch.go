package library

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/salita-mesh/salita/plugins/media/internal/index"
	"github.com/salita-mesh/salita/plugins/media/internal/mediatype"
)

// checkEvery is after how many bytes the drive is looked at again and told to
// start writing. Larger steps leave a longer sync to the end of an upload.
const checkEvery = 16 << 20

// Batch receives files that are stored together or not at all. It is not safe
// for concurrent use. Abort must be called in the end; after Commit it does
// nothing.
type Batch struct {
	library *Library
	size    int64 // announced; negative: unknown
	claim   *claim
	items   []index.Item // received and synced, not yet stored
}

// Begin prepares to receive size bytes in all, or a negative number when that
// is not known. The error is of kind sdk.NoSpace when there is no room for them.
func (l *Library) Begin(size int64) (*Batch, error) {
	claim, err := l.space.claim(max(size, 0))
	if err != nil {
		return nil, l.uploadFailure(err, size)
	}
	return &Batch{library: l, size: size, claim: claim}, nil
}

// Add receives one file to the end of src. The name must be one that
// filename.Check accepts. When Add returns, the file is on the drive and not
// yet part of the library. An error of src that is an *sdk.Error is returned as
// such.
func (b *Batch) Add(name string, src io.Reader) (index.Item, error) {
	item, err := b.add(name, src)
	if err != nil {
		return index.Item{}, b.library.uploadFailure(err, b.size)
	}
	return item, nil
}

func (b *Batch) add(name string, src io.Reader) (index.Item, error) {
	staged := fmt.Sprintf("%s.%d", b.library.lease.name, b.library.staged.Add(1))
	f, err := b.library.createStaged(staged)
	if err != nil {
		return index.Item{}, err
	}
	// Known to Abort from here on, whatever happens.
	b.items = append(b.items, index.Item{Name: name, Staged: staged})
	item := &b.items[len(b.items)-1]
	w := &stagedFile{file: f, space: b.library.space, claim: b.claim}
	c, err := receive(w, src, &b.library.chunks)
	if err != nil {
		return index.Item{}, errors.Join(err, f.Close())
	}
	item.ModifiedAt, err = w.finish()
	if err != nil {
		return index.Item{}, err
	}
	item.Size, item.SHA256, item.Type = c.size, c.sha256, mediatype.Detect(c.head, name)
	return *item, nil
}

// createStaged makes the staging folder again if somebody deleted it, but never
// the library itself: see prepareFolders.
func (l *Library) createStaged(name string) (*os.File, error) {
	path := filepath.Join(l.staging, name)
	const flags = os.O_CREATE | os.O_EXCL | os.O_WRONLY
	f, err := os.OpenFile(path, flags, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		if err := l.makeStaging(); err != nil {
			return nil, err
		}
		f, err = os.OpenFile(path, flags, 0o600)
	}
	return f, err
}

// Commit stores the received files and returns them in the order of Add. When
// it returns nil they survive a crash of the machine.
func (b *Batch) Commit(ctx context.Context) ([]index.Item, error) {
	// Storing takes milliseconds, and half a commit helps nobody who left.
	items, err := b.library.publish(context.WithoutCancel(ctx), b.items)
	if err != nil {
		return nil, b.library.uploadFailure(err, b.size)
	}
	b.items = nil
	return items, nil
}

// Abort deletes what was received and not committed.
func (b *Batch) Abort() {
	b.claim.release()
	for _, item := range b.items {
		path := filepath.Join(b.library.staging, item.Staged)
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			b.library.log.Warn("cannot delete staging file", "path", path, "error", err)
		}
	}
	b.items = nil
}

// stagedFile is a file being received.
type stagedFile struct {
	file            *os.File
	space           *space
	claim           *claim
	written, synced int64
}

func (w *stagedFile) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	w.written += int64(n)
	w.claim.used(int64(n))
	if err == nil && w.written-w.synced >= checkEvery {
		startWriting(w.file, w.synced, w.written-w.synced)
		w.synced = w.written
		err = w.space.check()
	}
	return n, err
}

// finish puts the file on the drive and returns its modification time in Unix
// nanoseconds.
func (w *stagedFile) finish() (modifiedAt int64, err error) {
	defer func() { err = errors.Join(err, w.file.Close()) }()
	if err := w.space.check(); err != nil {
		return 0, err
	}
	if err := w.file.Sync(); err != nil {
		return 0, err
	}
	info, err := w.file.Stat()
	if err != nil {
		return 0, err
	}
	return info.ModTime().UnixNano(), nil
}

// uploadFailure is failure with the size of the upload in the sentence about
// space.
func (l *Library) uploadFailure(err error, size int64) error {
	if isFull(err) {
		return l.noSpace(size).Because(err)
	}
	return l.failure(err)
}
