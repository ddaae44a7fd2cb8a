package config

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// long bounds every wait; it only decides how late a failure is reported.
const long = 20 * time.Second

// watched is a running watch and what it told.
type watched struct {
	t    *testing.T
	news chan Reading
}

// watch starts a watch that is quicker than the real one but never polls.
func (w *world) watch(t *testing.T, change ...func(*watchTiming)) *watched {
	t.Helper()
	timing := watchTiming{patience: patience{calm: 60 * time.Millisecond, doubt: 300 * time.Millisecond}, first: time.Millisecond, poll: time.Hour}
	for _, f := range change {
		f(&timing)
	}
	s, got := w.source(t), &watched{t: t, news: make(chan Reading, 100)}
	last := s.Read()
	watcher := newWatcher(s, last, timing, hclog.NewNullLogger(), func(r Reading) { got.news <- r })
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := watcher.run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return got
}

// next waits for the next reading and checks which device it names; "error"
// stands for a wrong one.
func (w *watched) next(name string) Reading {
	w.t.Helper()
	select {
	case r := <-w.news:
		got := r.Config.Device.Name
		if r.Err != nil {
			got = "error"
		}
		if got != name {
			w.t.Fatalf("reading of %q names %q (%v), want %q", r.File, got, r.Err, name)
		}
		return r
	case <-time.After(long):
		w.t.Fatalf("no news, want %q", name)
		return Reading{}
	}
}

func named(name string) string { return "device {\n  name = \"" + name + "\"\n}\n" }

// TestWatchNoticesEveryWayToEdit does to the file what editors and tools do.
func TestWatchNoticesEveryWayToEdit(t *testing.T) {
	put := func(t *testing.T, path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, edit := range map[string]func(t *testing.T, file string){
		"written in place": func(t *testing.T, file string) { put(t, file, named("new")) },
		"renamed over": func(t *testing.T, file string) {
			put(t, file+".tmp", named("new"))
			must(t, os.Rename(file+".tmp", file))
		},
		"moved aside first": func(t *testing.T, file string) {
			must(t, os.Rename(file, file+"~"))
			put(t, file, named("new"))
			must(t, os.Remove(file+"~"))
		},
		"removed first": func(t *testing.T, file string) {
			must(t, os.Remove(file))
			put(t, file, named("new"))
		},
		"in parts": func(t *testing.T, file string) {
			f, err := os.OpenFile(file, os.O_WRONLY|os.O_TRUNC, 0)
			must(t, err)
			for part := range strings.SplitAfterSeq(named("new"), "\n") {
				_, err := f.WriteString(part)
				must(t, err)
			}
			must(t, f.Close())
		},
		"replaced by a link": func(t *testing.T, file string) {
			elsewhere := filepath.Join(t.TempDir(), "elsewhere.hcl")
			put(t, elsewhere, named("new"))
			must(t, os.Remove(file))
			must(t, os.Symlink(elsewhere, file))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			file := filepath.Join(w.work, fileName)
			w.write(t, file, named("old"))
			got := w.watch(t)
			edit(t, file)
			if r := got.next("new"); r.File != file {
				t.Errorf("file is %s", r.File)
			}
			// The watch goes on.
			put(t, file, named("newer"))
			got.next("newer")
		})
	}
}

func TestWatchFollowsLinks(t *testing.T) {
	w := newWorld(t)
	root := t.TempDir()
	for dir, name := range map[string]string{"v1": "one", "v2": "two"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
		w.write(t, filepath.Join(root, dir, "salita.hcl"), named(name))
	}
	link := func(target, path string) {
		t.Helper()
		if err := os.Symlink(target, path+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	// config.hcl leads to a file in a folder that is itself a link, which is how
	// several versions are exchanged at once.
	link("v1", filepath.Join(root, "current"))
	link(filepath.Join(root, "current", "salita.hcl"), filepath.Join(w.work, fileName))
	got := w.watch(t)
	w.write(t, filepath.Join(root, "v1", "salita.hcl"), named("one again"))
	got.next("one again")
	link("v2", filepath.Join(root, "current"))
	got.next("two")
	w.write(t, filepath.Join(root, "v2", "salita.hcl"), named("two again"))
	got.next("two again")
	link(filepath.Join(root, "v1", "salita.hcl"), filepath.Join(w.work, fileName))
	got.next("one again")
}

func TestWatchNoticesFilesThatAppear(t *testing.T) {
	w := newWorld(t)
	got := w.watch(t)
	inData, inWork := filepath.Join(w.home, ".salita", fileName), filepath.Join(w.work, fileName)
	w.write(t, inData, named("data"))
	if r := got.next("data"); r.File != inData {
		t.Errorf("file is %s", r.File)
	}
	w.write(t, inWork, named("work")) // comes first
	if r := got.next("work"); r.File != inWork {
		t.Errorf("file is %s", r.File)
	}
	w.write(t, inData, named("hidden behind the other"))
	if err := os.Remove(inWork); err != nil {
		t.Fatal(err)
	}
	got.next("hidden behind the other")
	if err := os.Remove(inData); err != nil {
		t.Fatal(err)
	}
	if r := got.next(""); r.File != "" || r.Err != nil {
		t.Errorf("without a file: %+v", r)
	}
}

func TestWatchTellsOfMistakesOnce(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(w.work, fileName)
	w.write(t, file, named("old"))
	got := w.watch(t)
	w.write(t, file, "device {")
	if r := got.next("error"); !strings.Contains(r.Err.Error(), fileName+":1:8") || r.File != file {
		t.Errorf("%s: %v", r.File, r.Err)
	}
	for range 3 { // touched, but not changed
		if err := os.Chtimes(file, time.Time{}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	w.write(t, file, named("new"))
	got.next("new")
}

func TestWatchBeginsWithWhatItMissed(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(w.work, fileName)
	w.write(t, file, named("old"))
	s := w.source(t)
	last := s.Read()
	w.write(t, file, named("new"))
	news := make(chan Reading, 1)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.Watch(ctx, last, hclog.NewNullLogger(), func(r Reading) { news <- r }) })
	(&watched{t, news}).next("new")
	cancel()
	running.Wait()
}

// TestWatchPolls is about folders that tell of nothing: this one was made after
// its parent, which nobody watches, and the file in it with it.
func TestWatchPolls(t *testing.T) {
	w := newWorld(t)
	w.env[envFile] = filepath.Join(w.home, "later", "c.hcl")
	got := w.watch(t, func(timing *watchTiming) { timing.poll = 20 * time.Millisecond })
	if err := os.Mkdir(filepath.Join(w.home, "later"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.write(t, w.env[envFile], named("new"))
	got.next("new")
}
