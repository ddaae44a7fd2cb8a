package config

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/hashicorp/go-hclog"
)

// watchTiming is every duration of a watch.
type watchTiming struct {
	patience
	first time.Duration // from an event to the look at the file
	poll  time.Duration // between looks without any event
}

// Network folders tell of no change, which is what the poll is for.
func standardTiming() watchTiming {
	return watchTiming{
		patience: patience{calm: 150 * time.Millisecond, doubt: time.Second},
		first:    20 * time.Millisecond,
		poll:     10 * time.Second,
	}
}

// Watch calls changed with each new reading until ctx ends, beginning with what
// changed since last. A reading counts once it has stayed the same for a moment,
// so that a file which is just being written is not taken at its word. The same
// files are looked for as in Read: one that appears and comes first counts. A
// file that is no regular one, such as a pipe, is not read again.
func (s *Source) Watch(ctx context.Context, last Reading, log hclog.Logger, changed func(Reading)) error {
	return newWatcher(s, last, standardTiming(), log, changed).run(ctx)
}

type watcher struct {
	source  *Source
	first   string // the file that was read at the start
	timing  watchTiming
	log     hclog.Logger
	changed func(Reading)

	settling settling
	timer    *time.Timer
	due      time.Time // when the timer fires
}

func newWatcher(s *Source, last Reading, timing watchTiming, log hclog.Logger, changed func(Reading)) *watcher {
	again := &Source{s.loader}
	again.again = true
	return &watcher{
		source: again, first: last.File, timing: timing, log: log, changed: changed,
		settling: settling{patience: timing.patience, believed: last},
	}
}

func (w *watcher) run(ctx context.Context) error {
	w.timer = time.NewTimer(0)
	defer w.timer.Stop()
	var events chan fsnotify.Event
	var failures chan error
	notifier, err := fsnotify.NewWatcher()
	if err != nil {
		w.log.Warn("edits of the configuration are noticed late, the system does not report them", "within", w.timing.poll, "error", err)
	} else {
		defer notifier.Close()
		events, failures = notifier.Events, notifier.Errors
	}
	watched := &folders{notifier: notifier, watched: map[string]fs.FileInfo{}}
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-events:
			if watched.concerns(e) {
				w.lookWithin(w.timing.first)
			}
		case err := <-failures:
			w.log.Debug("watching the configuration", "error", err)
			w.lookWithin(w.timing.first)
		case <-w.timer.C:
			// First the watch, then the look: nothing falls in between.
			if notifier != nil {
				watched.set(w.source.paths())
			}
			w.look()
		}
	}
}

// lookWithin brings the next look forward, but never puts it off: what goes on
// happening would do so for ever.
func (w *watcher) lookWithin(d time.Duration) {
	if at := time.Now().Add(d); at.Before(w.due) {
		w.due = at
		w.timer.Reset(d)
	}
}

// look reads the configuration and sets the time of the next look.
func (w *watcher) look() {
	next := w.timing.poll
	if r := w.read(); !errors.Is(r.Err, errOnce) {
		again, news := w.settling.next(r, time.Now())
		if news {
			w.changed(w.settling.believed)
		}
		if again > 0 {
			next = again
		}
	}
	w.due = time.Now().Add(next)
	w.timer.Reset(next)
}

// read is Source.Read with more care: whoever can put a file into the working
// folder must not be able to choose what a running gateway does.
func (w *watcher) read() Reading {
	r := w.source.Read()
	if r.Err == nil && r.File != "" && r.File != w.first && !w.source.named() && foreign(r.File) {
		r.Config, r.Err = Config{}, problem("The configuration file %s has appeared, but it belongs to another user or anybody can change it. It isn't read; to use it, start Salita with --config.", r.File)
	}
	return r
}

// named reports whether a flag or variable names the file.
func (s *Source) named() bool { return s.File != "" || s.Env(envFile) != "" }

// paths are where the file may be.
func (s *Source) paths() []string {
	all, err := s.candidates()
	if err != nil {
		return nil
	}
	paths := make([]string, len(all))
	for i, c := range all {
		paths[i] = c.path
	}
	return paths
}
