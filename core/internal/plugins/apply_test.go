package plugins

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// settings is a spec of a plugin with a configuration on line 7 of a file.
func settings(name, source string) Spec {
	spec := enabled(name)[0]
	spec.Config = Block{Filename: "/etc/config.hcl", Source: []byte(source), Line: 7, Column: 1}
	return spec
}

// apply gives the host another configuration.
func (b *bench) apply(specs ...Spec) { b.host.Apply(specs, []string{b.dir}) }

// library is the setting that is in force.
func (b *bench) library(name string) string {
	b.t.Helper()
	_, text := b.call("GET", "/"+name+"/library", nil)
	return text
}

func TestApplyEnablesAndDisables(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good", "good-two")
	b.start(quick(), enabled("good"))
	kept := b.pid("good")

	b.apply(enabled("good", "good-two")...)
	b.await("good-two", Running)
	b.apply(append(enabled("good"), Spec{Name: "good-two"})...)
	status := b.await("good-two", Found)
	want := Status{Name: "good-two", Title: "good-two", State: Found, Path: filepath.Join(b.dir, filePrefix+"good-two")}
	if diff := cmp.Diff(want, status); diff != "" {
		t.Error(diff)
	}
	if _, ok := b.host.Route("GET", "/good-two/hello"); ok {
		t.Error("a plugin that is not enabled still has routes")
	}
	if err := b.host.Restart("good-two"); err == nil {
		t.Error("a plugin that is not enabled can be restarted")
	}
	b.eventually("its process is gone", func() bool { return len(b.processes()) == 1 })
	if _, err := os.Stat(filepath.Join(dataFolder(b.data, "good-two"), "shut-down")); err != nil {
		t.Errorf("it was not stopped politely: %v", err)
	}

	must(t, os.Remove(filepath.Join(b.dir, filePrefix+"good-two")))
	b.awaitGone("good-two")
	b.apply(enabled("good", "good-two")...)
	b.await("good-two", Failed)
	b.apply(enabled("good")...)
	b.awaitGone("good-two")
	if b.pid("good") != kept {
		t.Error("a plugin that was never changed was started anew")
	}
}

func TestApplyTheLastOneWins(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	b.start(quick(), nil)
	for range 20 {
		b.apply(enabled("good")...)
		b.apply()
	}
	b.await("good", Found)
	b.eventually("no process is left", func() bool { return len(b.processes()) == 0 })
	b.apply()
	b.apply(settings("good", `library = "a"`))
	b.apply(settings("good", `library = "b"`))
	b.await("good", Running)
	b.eventually("the last settings are in force", func() bool { return b.library("good") == "b" })
	if n := len(b.processes()); n != 1 {
		t.Errorf("%d processes", n)
	}
}

func TestApplySettings(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	b.start(quick(), []Spec{settings("good", `library = "one"`)})
	pid := b.pid("good")
	b.apply(settings("good", `library = "two"`))
	b.eventually("the new settings are in force", func() bool { return b.library("good") == "two" })

	// The same text elsewhere in the file is no change.
	moved := settings("good", `library = "two"`)
	moved.Config.Line, moved.Config.Byte = 20, 300
	b.apply(moved)
	b.apply(moved)
	b.apply(settings("good", `library = "three"`))
	b.eventually("the new settings are in force", func() bool { return b.library("good") == "three" })
	if diff := cmp.Diff([]string{"one", "two", "three"}, b.configured("good")); diff != "" {
		t.Errorf("configured too often: %s", diff)
	}
	if b.pid("good") != pid {
		t.Error("another process")
	}
}

// TestApplyRefusedSettings changes the settings to such as the plugin does not
// take: the earlier ones stay in force, and the owner reads why.
func TestApplyRefusedSettings(t *testing.T) {
	for _, c := range []struct {
		name, source string
		friendly     string
		log          string
	}{
		{"unknown", "libary = \"x\"", `config.hcl, line 7: An argument named "libary" is not expected here. Did you mean "library"? Until that is mended, the earlier settings stay in force.`, "  7 | libary = \"x\"\n"},
		{"invalid", "\nlimit = -1", "limit must not be negative", "limit must not be negative"},
		{"syntax", "library = [", "config.hcl, line 7", "config.hcl:7,"},
		{"full", "limit = 1001", "There isn't enough space. Until that is mended, the earlier settings stay in force.", "plugin not configured"},
		{"hangs", "limit = 1000", "Photos took too long to take over its new settings. Until that is mended, the earlier settings stay in force.", "were not applied in time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, "good")
			timing := quick()
			if c.name == "hangs" {
				timing.Configure, timing.Grace = 200*time.Millisecond, 200*time.Millisecond
			}
			good := settings("good", `library = "one"`)
			b.start(timing, []Spec{good})
			pid := b.pid("good")
			b.apply(settings("good", c.source))
			status := b.awaitStatus("good", "the mistake is told", func(s Status) bool { return s.LastError != "" })
			if status.State != Running || !strings.Contains(status.LastError, c.friendly) {
				t.Errorf("got %+v, want %q", status, c.friendly)
			}
			b.awaitLog(c.log)
			if got := b.library("good"); got != "one" || b.pid("good") != pid {
				t.Errorf("library %q, another process: %v", got, b.pid("good") != pid)
			}
			if c.name == "hangs" {
				return // it will never take anything again
			}
			b.apply(good)
			b.awaitStatus("good", "nothing to tell", func(s Status) bool { return s.LastError == "" })
			if got := b.configured("good"); c.name != "full" && len(got) != 1 {
				t.Errorf("configured with %v", got)
			}
			b.apply(settings("good", `library = "two"`))
			b.eventually("right settings are taken", func() bool { return b.library("good") == "two" })
			if b.pid("good") != pid {
				t.Error("another process")
			}
		})
	}
}

func TestApplyWhileNotRunning(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good", "crashes")
	b.start(once(), []Spec{settings("good", "limit = -1")})
	b.await("good", Failed)
	b.apply(settings("good", "limit = 1"))
	b.await("good", Running)

	// In Backoff, and in Quarantined, a change is a new beginning.
	must(t, syscall.Kill(b.pid("good"), syscall.SIGKILL))
	b.await("good", Backoff)
	b.apply(settings("good", "limit = 2"))
	b.await("good", Running)
}

func TestApplyEndsQuarantine(t *testing.T) {
	t.Parallel()
	b := newBench(t, "crashes")
	b.start(quick(), []Spec{settings("crashes", "")})
	b.await("crashes", Quarantined)
	b.apply(settings("crashes", ""))
	b.put("crashes", "mode", "good")
	if got := b.status("crashes").State; got != Quarantined {
		t.Errorf("state %s after nothing changed", got)
	}
	b.apply(settings("crashes", "limit = 2"))
	b.await("crashes", Running)
}

func TestApplyEnvironment(t *testing.T) {
	t.Setenv("SALITA_TEST_COLOUR", "blue")
	b := newBench(t, "good")
	b.start(quick(), enabled("good"))
	pid := b.pid("good")
	spec := enabled("good")[0]
	spec.Env = append(spec.Env, "SALITA_TEST_COLOUR")
	b.apply(spec)
	b.awaitOther("good", pid)
	_, text := b.call("GET", "/good/env", nil)
	got, err := parseEnvironment(text)
	must(t, err)
	if !slices.Contains(got.Environ, "SALITA_TEST_COLOUR=blue") {
		t.Errorf("environment %v", got.Environ)
	}
}

func TestApplyDigest(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	path := b.installVersion("good", 1)
	b.start(quick(), enabled("good"))
	pid := b.pid("good")
	spec := enabled("good")[0]
	spec.SHA256 = digest(t, path)
	b.apply(spec)
	b.awaitOther("good", pid)
	pid = b.pid("good")

	// A file that is not the pinned one never takes over.
	b.installVersion("good", 2)
	b.awaitStatus("good", "the file is refused", func(s Status) bool {
		return s.State == Running && strings.Contains(s.LastError, "is not the program that the configuration allows")
	})
	if b.pid("good") != pid {
		t.Error("another process")
	}
	// With the new digest it does.
	spec.SHA256 = digest(t, path)
	b.apply(spec)
	b.awaitOther("good", pid)
	if s := b.status("good"); s.LastError != "" {
		t.Errorf("got %+v", s)
	}
	// What runs is not what is allowed any more, and neither is the file.
	spec.SHA256 = strings.Repeat("0", 64)
	b.apply(spec)
	b.await("good", Failed)
	b.eventually("its process is gone", func() bool { return len(b.processes()) == 0 })
}

func TestRenamedDeviceReachesPlugins(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	name := make(chan string, 1)
	name <- "Study"
	current := func() string { n := <-name; name <- n; return n }
	b.start(quick(), enabled("good"), func(o *Options) { o.DeviceName = current })
	pid := b.pid("good")
	<-name
	name <- "Attic"
	b.host.Refresh()
	b.eventually("the plugin knows", func() bool {
		_, text := b.call("GET", "/good/env", nil)
		got, err := parseEnvironment(text)
		must(t, err)
		return got.Env.DeviceName == "Attic"
	})
	if b.pid("good") != pid {
		t.Error("another process")
	}
	b.host.Refresh()
	if got := b.configured("good"); len(got) != 2 {
		t.Errorf("configured %d times", len(got))
	}
}

func TestApplyFolders(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	other := filepath.Join(b.root, "more")
	b.start(quick(), enabled("good", "extra"))
	b.await("extra", Failed)
	must(t, os.Mkdir(other, 0o755))
	self, err := os.Executable()
	must(t, err)
	copyFile(t, self, filepath.Join(other, filePrefix+"extra"))
	b.host.Apply(enabled("good", "extra"), []string{b.dir, other, b.dir})
	b.await("extra", Running)
	b.host.Apply(enabled("extra"), []string{other})
	b.awaitGone("good")
	if got := b.status("extra").State; got != Running {
		t.Errorf("extra is %s", got)
	}
}

func TestApplyBeforeAndAfter(t *testing.T) {
	b := newBench(t, "good")
	h := New(Options{Dirs: []string{b.dir}, DataDir: b.data, RunDir: b.root, Log: discard(), Timing: quick()})
	h.Apply(enabled("good"), []string{b.dir})
	if n := len(h.Plugins()); n != 0 {
		t.Errorf("%d plugins before Start", n)
	}
	must(t, h.Start(t.Context(), nil))
	must(t, h.Close())
	h.Apply(enabled("good"), []string{b.dir})
	h.Refresh()
	b.checkNothingLeft()
}
