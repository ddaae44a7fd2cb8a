// Package library keeps files in a folder that people can also open without
// Salita, next to an index of what was accepted. A file appears there whole or
// not at all, is never overwritten, and is never given out again once somebody
// changed it by hand. The package knows nothing of HTTP.
//
// The life of a file: it is received into a hidden staging folder and synced;
// its row is committed to the index, which is the moment from which it is
// stored; it is moved to its place; the folder is synced; the sender is told.
// A crash in between leaves either a row whose file still lies in the staging
// folder, which Open moves, or a staging file without a row, which Open
// deletes.
package library

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/salita-mesh/salita/plugins/media/internal/index"
	"github.com/salita-mesh/salita/plugins/media/internal/itemid"
)

// stagingName is the hidden folder inside the library; it has to be on the same
// file system for a file to be moved in one step.
const stagingName = ".salita-staging"

// KeepFree is how many bytes of a drive uploads usually leave free.
const KeepFree = 64 << 20

// Options is what Open needs.
type Options struct {
	Dir        string // the library's folder, absolute
	DataDir    string // for the index and for locks; exists
	DeviceName string // for sentences to people
	Log        *slog.Logger
	KeepFree   int64 // bytes to leave free on the drive
}

// Library is an open library. It is safe for concurrent use, and several may be
// open on one folder at a time, as happens while a new configuration or a new
// version takes over from the old.
type Library struct {
	dir     string
	staging string
	device  string
	log     *slog.Logger
	index   *index.Index
	ids     *itemid.Source
	lease   *lease
	space   *space
	chunks  sync.Pool     // of *[chunkSize]byte
	hashing chan struct{} // holds the right to re-read a file; one at a time
	probes  probes
	staged  atomic.Int64 // counts this library's staging files

	leaseDir string
	stop     context.CancelFunc // ends the work in the background
	workers  sync.WaitGroup

	// mu orders everything that gives, takes or frees a file name.
	mu sync.Mutex
}

// Open opens the library, creates its folder where that is safe, and finishes
// what a crash left half done. The error is an *sdk.Error where a person can do
// something about it.
func Open(ctx context.Context, o Options) (*Library, error) {
	x, err := index.Open(ctx, filepath.Join(o.DataDir, "media.db"))
	if err != nil {
		return nil, err
	}
	l := &Library{
		dir:     o.Dir,
		staging: filepath.Join(o.Dir, stagingName),
		device:  o.DeviceName,
		log:     o.Log,
		index:   x,
		space:   &space{dir: o.Dir, keep: o.KeepFree, free: freeSpace},
		chunks:  sync.Pool{New: func() any { return new([chunkSize]byte) }},
		hashing: make(chan struct{}, 1),

		leaseDir: filepath.Join(o.DataDir, "uploads"),
		stop:     func() {},
	}
	if err := l.start(ctx, o.DataDir); err != nil {
		return nil, errors.Join(err, l.Close(ctx))
	}
	return l, nil
}

func (l *Library) start(ctx context.Context, dataDir string) error {
	if err := l.prepareFolders(ctx, dataDir); err != nil {
		return err
	}
	last, err := l.index.LastID(ctx)
	if err != nil {
		return err
	}
	l.ids = itemid.NewSource(last)
	leases, err := openLeases(ctx, l.leaseDir)
	if err != nil {
		return err
	}
	defer leases.close()
	if l.lease, err = leases.take(); err != nil {
		return err
	}
	others, err := l.recover(ctx, leases)
	if err == nil && others {
		background, stop := context.WithCancel(context.WithoutCancel(ctx))
		l.stop = stop
		l.workers.Go(func() { l.follow(background) })
	}
	return err
}

// prepareFolders creates the library's folder, but not where one is missing
// that was there before: its drive may not be connected, and files would go to
// the wrong one.
func (l *Library) prepareFolders(ctx context.Context, dataDir string) error {
	known, err := l.index.KnowsLibrary(ctx, l.dir)
	if err != nil {
		return err
	}
	if _, err := os.Stat(l.dir); errors.Is(err, os.ErrNotExist) {
		if known && !within(dataDir, l.dir) {
			return l.missing(fmt.Errorf("%s was a library and does not exist now", l.dir))
		}
		if err := os.MkdirAll(l.dir, 0o700); err != nil {
			return l.failure(fmt.Errorf("create library: %w", err))
		}
	}
	if err := l.makeStaging(); err != nil {
		return l.failure(err)
	}
	if known {
		return nil
	}
	return l.index.AddLibrary(ctx, l.dir)
}

// makeStaging creates the staging folder unless it exists. A link in its place
// is refused: received files would go elsewhere.
func (l *Library) makeStaging() error {
	if err := os.Mkdir(l.staging, 0o700); err == nil || !errors.Is(err, os.ErrExist) {
		return err
	}
	info, err := os.Lstat(l.staging)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", l.staging)
	}
	return nil
}

// Close closes the index. Uploads must have ended.
func (l *Library) Close(ctx context.Context) error {
	l.stop()
	l.workers.Wait()
	return errors.Join(l.probes.wait(ctx), l.lease.release(), l.index.Close())
}

// within reports whether path lies below dir, by name.
func within(dir, path string) bool {
	relative, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(relative)
}
