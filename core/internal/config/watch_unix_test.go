//go:build unix

package config

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestWatchLeavesPipesAlone(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(w.work, fileName)
	w.write(t, file, named("old"))
	got := w.watch(t, func(timing *watchTiming) { timing.poll = 5 * time.Millisecond })
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
	// A watch that opened the pipe as usual would wait for a writer for ever.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	w.write(t, file, named("new"))
	got.next("new")
}

// TestWatchTrustsNoStrangersFile is about a working folder that others can write
// to: what they put there must not choose the plugins of a running gateway.
func TestWatchTrustsNoStrangersFile(t *testing.T) {
	w := newWorld(t)
	got := w.watch(t)
	file := filepath.Join(w.work, fileName)
	w.write(t, file+".tmp", named("stranger"))
	if err := os.Chmod(file+".tmp", 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".tmp", file); err != nil {
		t.Fatal(err)
	}
	if r := got.next("error"); !strings.Contains(r.Err.Error(), "has appeared") {
		t.Errorf("error is %v", r.Err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	got.next("stranger") // a file like any other now
}
