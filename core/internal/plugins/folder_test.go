package plugins

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/google/go-cmp/cmp"
)

// TestFolderIsWatched drops files into a folder while the gateway runs.
func TestFolderIsWatched(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	timing := quick()
	timing.Rescan = patience / 2 // what is noticed sooner, the system has reported
	b.start(timing, nil)
	path := filepath.Join(b.dir, filePrefix+"new")
	write(t, path, 0o755)
	want := Status{Name: "new", Title: "new", State: Found, Path: path}
	if diff := cmp.Diff(want, b.awaitStatus("new", "found", func(Status) bool { return true })); diff != "" {
		t.Error(diff)
	}
	must(t, os.Chmod(path, 0o777))
	b.awaitStatus("new", "refused", func(s Status) bool { return strings.Contains(s.LastError, "chmod go-w") })
	must(t, os.Chmod(path, 0o755))
	b.awaitStatus("new", "mended", func(s Status) bool { return s.LastError == "" })
	must(t, os.Rename(path, filepath.Join(b.dir, filePrefix+"other")))
	b.await("other", Found)
	b.awaitGone("new")
	must(t, os.Remove(filepath.Join(b.dir, filePrefix+"other")))
	b.awaitGone("other")
}

// TestFolderThatIsReplaced takes the whole folder away and puts another one in
// its place.
func TestFolderThatIsReplaced(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.start(quick(), nil)
	write(t, filepath.Join(b.dir, filePrefix+"one"), 0o755)
	b.await("one", Found)
	must(t, os.Rename(b.dir, b.dir+"-old"))
	b.awaitGone("one")
	must(t, os.Mkdir(b.dir, 0o755))
	write(t, filepath.Join(b.dir, filePrefix+"two"), 0o755)
	b.await("two", Found)
	write(t, filepath.Join(b.dir, filePrefix+"three"), 0o755)
	b.await("three", Found)
	must(t, os.RemoveAll(b.dir))
	b.awaitGone("two")
	b.awaitGone("three")
}

// TestFolderThatComesLater begins with a folder that is not there, in one that
// is not there either, reached through a link.
func TestFolderThatComesLater(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	link, real := filepath.Join(b.root, "link"), filepath.Join(b.root, "drive", "plugins")
	must(t, os.Symlink(real, link))
	b.start(quick(), nil, func(o *Options) { o.Dirs = []string{link} })
	must(t, os.MkdirAll(real, 0o755))
	write(t, filepath.Join(real, filePrefix+"one"), 0o755)
	b.await("one", Found)
}

// TestFolderThatCannotBeRead is warned about once, and is no reason not to look
// into the others.
func TestFolderThatCannotBeRead(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	file := filepath.Join(b.root, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	b.start(quick(), enabled("good"), func(o *Options) { o.Dirs = []string{file, b.dir} })
	b.await("good", Running)
	b.awaitLog("plugin folder cannot be read")
	write(t, filepath.Join(b.dir, filePrefix+"one"), 0o755)
	b.await("one", Found)
	write(t, filepath.Join(b.dir, filePrefix+"two"), 0o755)
	b.await("two", Found)
	if n := strings.Count(b.log.String(), "plugin folder cannot be read"); n != 1 {
		t.Errorf("warned %d times", n)
	}
}

// TestFolderWithoutNotifications has a system that reports no changes.
func TestFolderWithoutNotifications(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	log := &logBuffer{}
	listings := make(chan []program, 100)
	f := newFolder(dir, quick().withDefaults(), testLogger(log), func(p []program) { listings <- p }, func() {})
	f.notifier = func() (*fsnotify.Watcher, error) { return nil, errors.New("too many open files") }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.run(ctx)
	}()
	if got := <-listings; len(got) != 0 {
		t.Errorf("got %v", got)
	}
	for _, name := range []string{"one", "two"} {
		write(t, filepath.Join(dir, filePrefix+name), 0o755)
		for got := range listings {
			if got[len(got)-1].name == name {
				break
			}
		}
	}
	cancel()
	<-done
	if n := strings.Count(log.String(), "too many open files"); n != 1 {
		t.Errorf("warned %d times:\n%s", n, log)
	}
}

// TestFolderThatDoesNotAnswer hangs as a network drive does whose server is off.
func TestFolderThatDoesNotAnswer(t *testing.T) {
	log, late, told := &logBuffer{}, make(chan struct{}), make(chan []program, 1)
	timing := quick().withDefaults()
	timing.FirstLook = time.Millisecond
	hangs := make(chan struct{})
	f := newFolder(t.TempDir(), timing, testLogger(log), func(p []program) { told <- p }, func() { close(late) })
	f.notifier = func() (*fsnotify.Watcher, error) { <-hangs; return nil, errors.New("no") }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.run(ctx)
	}()
	<-late
	close(hangs)
	<-told
	cancel()
	<-done
	if !strings.Contains(log.String(), "does not answer") {
		t.Errorf("log:\n%s", log)
	}
}

func TestDoublesAreWarnedAboutOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	other := filepath.Join(b.root, "other")
	must(t, os.Mkdir(other, 0o755))
	write(t, filepath.Join(other, filePrefix+"good"), 0o755)
	b.start(quick(), enabled("good"), func(o *Options) { o.Dirs = []string{b.dir, other} })
	if s := b.await("good", Running); s.Path != filepath.Join(b.dir, filePrefix+"good") {
		t.Errorf("runs %s", s.Path)
	}
	write(t, filepath.Join(b.dir, filePrefix+"one"), 0o755)
	b.await("one", Found)
	for _, path := range []string{b.dir, other} {
		b.awaitLog(filepath.Join(path, filePrefix+"good"))
	}
	if n := strings.Count(b.log.String(), "two programs for one plugin"); n != 1 {
		t.Errorf("warned %d times", n)
	}
	// When the first is gone, the second counts.
	must(t, os.Remove(filepath.Join(b.dir, filePrefix+"good")))
	b.awaitStatus("good", "the second is looked at", func(s Status) bool { return s.Path == filepath.Join(other, filePrefix+"good") })
}
