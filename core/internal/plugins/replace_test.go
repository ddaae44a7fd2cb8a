package plugins

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestReplacedProgramTakesOver puts a new program in the place of one that runs,
// in all the ways in which people do that.
func TestReplacedProgramTakesOver(t *testing.T) {
	for name, put := range map[string]func(t *testing.T, path string, program []byte){
		"renamed": func(t *testing.T, path string, program []byte) {
			must(t, os.WriteFile(path+".new", program, 0o755))
			must(t, os.Rename(path+".new", path))
		},
		"copied over": func(t *testing.T, path string, program []byte) {
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0) // as cp does
			must(t, err)
			_, err = f.Write(program)
			must(t, errors.Join(err, f.Close()))
		},
		"removed first": func(t *testing.T, path string, program []byte) {
			must(t, os.Remove(path))
			must(t, os.WriteFile(path, program, 0o755))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			path := b.replace("good", versionOf(t, 1))
			b.start(quick(), enabled("good"))
			pid := b.pid("good")
			b.put("good", "version", "2.0.0")
			put(t, path, versionOf(t, 2))
			b.awaitOther("good", pid)
			if s := b.status("good"); s.State != Running || s.Version != "2.0.0" || s.LastError != "" {
				t.Errorf("got %+v", s)
			}
		})
	}
}

// TestHalfCopiedProgramWaits copies slowly: the old version serves until the new
// one is whole.
func TestHalfCopiedProgramWaits(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	path := b.installVersion("good", 1)
	b.start(quick(), enabled("good"))
	pid := b.pid("good")
	program := versionOf(t, 2)
	half := len(program) / 2
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	must(t, err)
	_, err = f.Write(program[:half])
	must(t, err)
	must(t, f.Sync())
	// Whatever the host does in the time it needs to believe a file, it must not
	// be a launch.
	time.Sleep(5 * quick().Settle)
	if b.pid("good") != pid || len(b.processes()) != 1 || b.status("good").LastError != "" {
		t.Errorf("half a program was used: %+v", b.status("good"))
	}
	_, err = f.Write(program[half:])
	must(t, errors.Join(err, f.Close()))
	b.awaitOther("good", pid)
}

// TestCutCopyIsRefused leaves half a program behind, as when a drive is full.
func TestCutCopyIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	path := b.installVersion("good", 1)
	b.start(quick(), enabled("good"))
	pid := b.pid("good")
	program := versionOf(t, 2)
	must(t, os.WriteFile(path, program[:len(program)/2], 0o755))
	b.awaitStatus("good", "it is said to be incomplete", func(s Status) bool {
		return s.State == Running && s.LastError == path+" is not complete. Copy it again. Until that is mended, Photos runs on as before."
	})
	if b.pid("good") != pid {
		t.Error("another process")
	}
	must(t, os.WriteFile(path, program, 0o755))
	b.awaitOther("good", pid)
	if s := b.status("good"); s.LastError != "" {
		t.Errorf("got %+v", s)
	}
}

// TestBadVersionNeverServes replaces a program by one that does not work. The
// old one serves on, the owner reads why, and a good one ends that.
func TestBadVersionNeverServes(t *testing.T) {
	for _, c := range []struct{ mode, friendly string }{
		{"exits", "stopped unexpectedly"},
		{"hangs", "took too long to start"},
		{"misnamed", "doesn't work with this version"},
		{"refuses", "There isn't enough space."},
		{"sick", "There isn't enough space."},
	} {
		t.Run(c.mode, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.installVersion("good", 1)
			timing := once()
			if c.mode == "hangs" {
				timing.Start = 4 * time.Second
			}
			b.start(timing, enabled("good"))
			pid := b.pid("good")
			b.put("good", "mode", c.mode)
			b.installVersion("good", 2)
			status := b.awaitStatus("good", "the failure is told", func(s Status) bool { return s.LastError != "" })
			if status.State != Running || !strings.Contains(status.LastError, c.friendly) || !strings.HasSuffix(status.LastError, "Until that is mended, Photos runs on as before.") {
				t.Errorf("got %+v", status)
			}
			b.eventually("the bad process is gone", func() bool { return len(b.processes()) == 1 })
			if b.pid("good") != pid || len(b.host.Capabilities()) != 1 {
				t.Errorf("the old process does not serve any more")
			}
			b.put("good", "mode", "good")
			b.installVersion("good", 3)
			b.awaitOther("good", pid)
			if s := b.status("good"); s.LastError != "" {
				t.Errorf("got %+v", s)
			}
		})
	}
}

// TestBadVersionIsTriedAgain has a new version that fails at first for a reason
// that passes.
func TestBadVersionIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.installVersion("good", 1)
	timing := quick()
	timing.BackoffMin = 200 * time.Millisecond
	b.start(timing, enabled("good"))
	pid := b.pid("good")
	b.put("good", "mode", "refuses")
	b.installVersion("good", 2)
	b.awaitStatus("good", "the failure is told", func(s Status) bool { return s.LastError != "" })
	b.put("good", "mode", "good")
	b.awaitOther("good", pid)
}

// TestTouchedProgramIsNotReplaced changes everything about a file but what is
// in it.
func TestTouchedProgramIsNotReplaced(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	path := b.installVersion("good", 1)
	b.start(quick(), enabled("good"))
	pid := b.pid("good")
	must(t, os.Chtimes(path, time.Time{}, time.Now().Add(time.Second)))
	b.installVersion("good", 1)
	must(t, os.Chmod(path, 0o700))
	b.installVersion("good", 2)
	b.awaitOther("good", pid)
	if n := strings.Count(b.log.String(), "plugin running"); n != 2 {
		t.Errorf("%d processes in all, want 2", n)
	}
}

// TestMendedProgramStarts enables a plugin before its program is there, or may
// be run.
func TestMendedProgramStarts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.start(quick(), enabled("good"))
	b.await("good", Failed)
	path := b.installVersion("good", 1)
	b.await("good", Running)

	// A program that must not be run any more does not end what runs.
	pid := b.pid("good")
	must(t, os.Chmod(path, 0o777))
	b.awaitStatus("good", "the mode is said to be wrong", func(s Status) bool {
		return s.State == Running && strings.Contains(s.LastError, "Run: chmod go-w")
	})
	must(t, syscall.Kill(pid, syscall.SIGKILL))
	b.await("good", Failed)
	must(t, os.Chmod(path, 0o755))
	b.await("good", Running)
	if os.Geteuid() == 0 { // only root can give a file away
		must(t, os.Chown(path, 12345, 12345))
		must(t, b.host.Restart("good"))
		b.awaitStatus("good", "the owner is said to be wrong", func(s Status) bool { return strings.Contains(s.LastError, "belongs to another user") })
		must(t, os.Chown(path, 0, 0))
		b.awaitStatus("good", "it is mended", func(s Status) bool { return s.State == Running && s.LastError == "" })
	}
	pid = b.pid("good")
	must(t, os.Remove(path))
	b.awaitStatus("good", "it is said to be missing", func(s Status) bool {
		return s.State == Running && strings.HasPrefix(s.LastError, "No program salita-plugin-good in ")
	})
	if b.pid("good") != pid {
		t.Error("the process did not survive the removal of its file")
	}
}

// TestReplacementsUnderLoad replaces a plugin again and again while requests of
// all kinds are under way. None may fail.
func TestReplacementsUnderLoad(t *testing.T) {
	swaps := 6
	if os.Getenv("SALITA_LONG") != "" {
		swaps = 100
	}
	b := newBench(t)
	b.installVersion("good", 0)
	b.start(quick(), enabled("good"))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var work sync.WaitGroup
	var served atomic.Int64
	for _, kind := range []func() error{b.smallGet, b.smallGet, b.smallPost, b.bigPost, b.bigGet} {
		work.Go(func() {
			for ctx.Err() == nil {
				if err := kind(); err != nil {
					t.Error(err)
					return
				}
				served.Add(1)
			}
		})
	}
	for i := range swaps {
		if i%3 == 2 {
			b.restart("good")
			continue
		}
		pid := b.pid("good")
		b.installVersion("good", i+1)
		b.awaitOther("good", pid)
	}
	cancel()
	work.Wait()
	t.Logf("%d requests during %d replacements", served.Load(), swaps)
}

func (b *bench) smallGet() error  { return b.exchange("GET", "/good/hello", nil, 1) }
func (b *bench) smallPost() error { return b.exchange("POST", "/good/echo", strings.NewReader("x"), 1) }

func (b *bench) bigPost() error {
	return b.exchange("POST", "/good/echo", io.LimitReader(zeros{}, 3<<20), 3<<20)
}

func (b *bench) bigGet() error { return b.exchange("GET", "/good/zeros", nil, 4<<20) }

// exchange makes a request and reads the answer, which has at least so many
// bytes.
func (b *bench) exchange(method, path string, body io.Reader, least int64) error {
	r, err := http.NewRequest(method, "http://gateway"+path, body)
	if err != nil {
		return err
	}
	match, ok := b.host.Route(method, path)
	if !ok {
		return fmt.Errorf("%s %s: no route", method, path)
	}
	resp, err := match.RoundTrip(r)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil || n < least || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: status %d, %d bytes, %w", method, path, resp.StatusCode, n, err)
	}
	return nil
}

// TestSlowReaderSurvivesAReplacement reads an answer that began before the
// plugin was replaced, to its end.
func TestSlowReaderSurvivesAReplacement(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	b.start(quick(), enabled("good"))
	resp, err := b.try(context.Background(), "GET", "/good/zeros", nil)
	must(t, err)
	defer resp.Body.Close()
	must(t, b.host.Restart("good"))
	first := make([]byte, 1<<10)
	_, err = io.ReadFull(resp.Body, first)
	must(t, err)
	b.awaitStatus("good", "running", func(s Status) bool { return s.State == Running })
	n, err := io.Copy(io.Discard, resp.Body)
	if n != 4<<20-1<<10 || err != nil {
		t.Errorf("got %d bytes, %v", n, err)
	}
}

// TestAloneMeansOneAfterTheOther replaces a plugin of which two processes must
// not work side by side. Requests that can wait do.
func TestAloneMeansOneAfterTheOther(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.put("good", "mode", "alone")
	path := b.installVersion("good", 1)
	b.start(quick(), enabled("good"))
	pid := b.pid("good")
	b.installVersion("good", 2)
	b.awaitOther("good", pid)
	// Nothing stops for a program that could not be started anyway.
	pid = b.pid("good")
	must(t, os.WriteFile(path, []byte("\x7fELF and no more"), 0o755))
	must(t, os.Chmod(path, 0o777))
	b.awaitStatus("good", "the file is refused", func(s Status) bool { return s.LastError != "" })
	if b.pid("good") != pid {
		t.Error("another process")
	}
	// A plugin that wants to be alone only from its new version on.
	b.put("good", "mode", "good")
	b.installVersion("good", 3)
	b.awaitOther("good", pid)
	pid = b.pid("good")
	b.put("good", "mode", "alone")
	b.installVersion("good", 4)
	b.awaitOther("good", pid)
	if n := strings.Count(b.log.String(), "plugin stopped"); n != 3 {
		t.Errorf("stopped %d times before another start, want 3", n)
	}
}

func TestScriptsRunFromTheirCopy(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	self, err := os.Executable()
	must(t, err)
	must(t, os.Mkdir(filepath.Join(b.dir, "lib"), 0o755))
	copyFile(t, self, filepath.Join(b.dir, "lib", filePrefix+"good"))
	script := "#!/bin/sh\nexec \"$(dirname \"$0\")/lib/salita-plugin-good\"\n"
	path := filepath.Join(b.dir, filePrefix+"good")
	must(t, os.WriteFile(path, []byte(script), 0o755))
	b.start(quick(), enabled("good"))
	b.await("good", Running)
	pid := b.pid("good")
	must(t, os.WriteFile(path, []byte(script+"# another\n"), 0o755))
	b.awaitOther("good", pid)
}
