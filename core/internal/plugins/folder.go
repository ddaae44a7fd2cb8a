package plugins

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/hashicorp/go-hclog"
)

// folder watches one plugin folder. What it finds there, and every change, it
// tells. A folder that does not exist yet, that cannot be watched, or whose
// changes the system does not report, as on many network drives, is looked at
// every few seconds.
type folder struct {
	dir    string
	timing Timing
	log    hclog.Logger
	tell   func([]program) // what counts, by name; must not block
	late   func()          // nothing can be told for now; must not block

	notifier func() (*fsnotify.Watcher, error) // of the system

	calm    *calm
	last    []program
	told    bool
	trouble string    // the last that was warned about
	watched string    // the resolved folder that is watched; "" for none
	due     time.Time // of the next look
	timer   *time.Timer
}

func newFolder(dir string, t Timing, log hclog.Logger, tell func([]program), late func()) *folder {
	return &folder{dir: dir, timing: t, log: log, tell: tell, late: late, notifier: fsnotify.NewWatcher, calm: newCalm(t.Settle, t.Rescan)}
}

// run watches until ctx ends. It tells something soon after it began, whatever
// happens: a drive that does not answer holds nobody up.
func (f *folder) run(ctx context.Context) {
	slow := time.AfterFunc(f.timing.FirstLook, func() {
		f.log.Warn("plugin folder does not answer", "folder", f.dir)
		f.late()
	})
	f.timer = time.NewTimer(time.Hour)
	defer f.timer.Stop()
	notifier, err := f.notifier()
	if err != nil {
		f.warn("plugin folder is looked at from time to time, the system reports no changes", err)
		notifier = &fsnotify.Watcher{}
	} else {
		defer notifier.Close()
	}
	f.look(notifier)
	slow.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-notifier.Events:
			if ok && f.concerns(e) {
				f.lookWithin(f.timing.Debounce)
			}
		case <-notifier.Errors: // lost events, perhaps
			f.lookWithin(f.timing.Debounce)
		case <-f.timer.C:
			f.look(notifier)
		}
	}
}

// concerns reports whether an event is about a program or the folder itself. A
// folder that something happened to may be another one by now.
func (f *folder) concerns(e fsnotify.Event) bool {
	if e.Name == f.watched {
		f.watched = ""
		return true
	}
	return strings.HasPrefix(filepath.Base(e.Name), filePrefix)
}

// lookWithin brings the next look forward. It never puts it off: what goes on
// happening would do so for ever.
func (f *folder) lookWithin(d time.Duration) {
	if at := time.Now().Add(d); at.Before(f.due) {
		f.due = at
		f.timer.Reset(d)
	}
}

// look sees what is there, tells what is new, and sets the time of the next
// look. The watch comes first: nothing falls in between.
func (f *folder) look(notifier *fsnotify.Watcher) {
	f.watch(notifier)
	found, err := scanDir(f.dir)
	if err != nil {
		f.warn("plugin folder cannot be read", err)
	}
	again := f.timing.Rescan
	if f.watched != "" {
		again *= watchedRescan
	}
	if err == nil || !f.told {
		programs, soon := f.calm.next(time.Now(), observe(found))
		if soon > 0 {
			again = min(soon, again)
		}
		if !f.told || !slices.EqualFunc(programs, f.last, sameProgram) {
			f.told, f.last = true, programs
			f.tell(programs)
		}
	}
	f.due = time.Now().Add(again)
	f.timer.Reset(again)
}

// watchedRescan is how much more seldom a watched folder is looked at without
// any event.
const watchedRescan = 5

func sameProgram(p, q program) bool {
	return p.name == q.name && p.id == q.id && p.twin == q.twin && p.same(q)
}

// watch keeps the watch on the folder that the path leads to by now.
func (f *folder) watch(notifier *fsnotify.Watcher) {
	if notifier.Events == nil {
		return
	}
	resolved, err := filepath.EvalSymlinks(f.dir)
	if err == nil {
		resolved, err = filepath.Abs(resolved)
	}
	if err != nil {
		f.watched = "" // not there, or the scan says what is wrong
		return
	}
	if f.watched == resolved && slices.Contains(notifier.WatchList(), resolved) {
		return
	}
	for _, earlier := range notifier.WatchList() {
		_ = notifier.Remove(earlier) // it may be gone
	}
	f.watched = resolved
	if err := notifier.Add(resolved); err != nil {
		f.watched = ""
		f.warn("plugin folder is looked at from time to time, it cannot be watched", err)
	}
}

// warn says each kind of trouble once, and again when another came in between.
func (f *folder) warn(message string, err error) {
	if f.trouble == message {
		return
	}
	f.trouble = message
	f.log.Warn(message, "folder", f.dir, "every", f.timing.Rescan, "error", err)
}

// observe asks about each program whether it is being written.
func observe(programs []program) []seen {
	found := make([]seen, len(programs))
	for i, p := range programs {
		found[i] = seen{program: p, written: p.problem == nil && writtenNow(p.path)}
	}
	return found
}

func writtenNow(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return beingWritten(f)
}
