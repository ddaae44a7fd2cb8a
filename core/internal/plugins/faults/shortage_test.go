//go:build unix

package faults

import (
	"context"
	"encoding/json"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/salita-mesh/salita/core/internal/plugins"
)

// Row 33. The limits are those of the whole test process. That fork itself fails
// is the same error to the host as that no pipe can be made for the process: a
// limit on processes would hit the threads of the test first, and does not bind
// root.
func shortages(y *yard) {
	y.timing.BackoffMin = 200 * time.Millisecond
	y.start("good")
	y.await("good", plugins.Running)
	y.unplugged()
	y.tooLongPath()

	y.install("hungry")
	y.limited(syscall.RLIMIT_FSIZE, 1<<20, func() { // no file can be as large as the program
		y.enable(specsFor("hungry")...)
		y.wants("hungry", plugins.Backoff, "could not start", "copy program: ")
	})
	y.awaitRunning("hungry")
	y.fullDrive()

	y.install("thirsty")
	open := uint64(takeStock().descriptors)
	y.limited(syscall.RLIMIT_NOFILE, open+1, func() {
		y.enable(specsFor("thirsty")...)
		y.wants("thirsty", plugins.Backoff, "This computer is too busy to start", "too many open files")
		y.serves("good")
	})
	y.awaitRunning("thirsty")
}

// fullDrive takes the room away from the folder for private copies. What is not
// pinned runs without one; what is pinned waits.
func (y *yard) fullDrive() {
	cache := filepath.Join(y.data, "cache", "plugins")
	remove, err := mountSmall(cache)
	if err != nil {
		y.Logf("no drive can be full here, only root on Linux can make a small one: %v", err)
		return
	}
	unmount := sync.OnceFunc(func() { must(y, remove()) })
	defer unmount()
	y.install("loose")
	y.install("pinned")
	pinned := specsFor("pinned")[0]
	pinned.SHA256 = digest(y, faultProgram)
	y.enable(specsFor("loose")...)
	y.enable(pinned)
	y.wants("loose", plugins.Running, "", "program runs from its own file, without a private copy")
	y.wants("pinned", plugins.Backoff, "There isn't enough space to verify", "plugins.pinned: plugin failed")
	y.serves("loose")
	unmount()
	y.awaitRunning("pinned")
}

// awaitRunning waits until the retries have led to something.
func (y *yard) awaitRunning(name string) {
	y.Helper()
	y.wants(name, plugins.Running, "", "plugins."+name+": plugin running")
	y.serves(name)
}

// unplugged loses its sockets.
func (y *yard) unplugged() {
	pid := y.pid("good")
	_, dir := y.get("/good/place")
	must(y, os.RemoveAll(dir))
	began := time.Now()
	y.until("it is noticed", func() bool {
		// The kept connection still works: only a new one finds nobody.
		var work sync.WaitGroup
		for range 8 {
			work.Go(func() { _ = y.ask("GET", "/good/hello") })
		}
		work.Wait()
		return y.journal.count("good", plugins.Running) > 1
	})
	y.measure("a new process after the sockets went", time.Second, time.Since(began))
	y.awaitLog("the plugin's http socket is gone")
	y.until("the old process is gone", func() bool { return gone(pid) })
	y.serves("good")
}

// tooLongPath has no folder for sockets that would do.
func (y *yard) tooLongPath() {
	o := y.options
	o.RunDir = filepath.Join(y.root, strings.Repeat("long", 30))
	must(y, os.Mkdir(o.RunDir, 0o700))
	o.DataDir = filepath.Join(y.root, "elsewhere")
	h := plugins.New(o)
	err := h.Start(context.Background(), specsFor("good"))
	if err == nil || !strings.Contains(err.Error(), "a socket's path in it would be too long") {
		y.Errorf("got %v", err)
	}
	must(y, h.Close())
}

// limited does something under a limit of the system.
func (y *yard) limited(resource int, soft uint64, do func()) {
	y.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var before syscall.Rlimit
	must(y, syscall.Getrlimit(resource, &before))
	must(y, syscall.Setrlimit(resource, &syscall.Rlimit{Cur: soft, Max: before.Max}))
	defer func() { must(y, syscall.Setrlimit(resource, &before)) }()
	do()
}

// Row 34. The other half, a plugin that never reads, is a part of row 30.
func floods(y *yard) {
	const published = 20_000
	seen := &eventBook{}
	y.options.Publish = seen.publish
	y.timing.HealthTimeout = patience
	y.start("good")
	y.await("good", plugins.Running)
	before := heap()
	began := time.Now()
	y.get("/good/publish?n=" + strconv.Itoa(published))
	y.measure("plugin publishes 20,000 events", time.Second, time.Since(began))
	y.until("the last event arrives", func() bool { _, last := seen.so(); return last == published-1 })
	arrived, _ := seen.so()
	if lost := seen.lost(); arrived+lost != published || lost == 0 || arrived > 1000 {
		y.Errorf("%d arrived, %d are said to be lost, of %d", arrived, lost, published)
	}
	y.flat(before, 32<<20)
	if strings.Contains(seen.names(), "bystander") {
		y.Error("an event in another's name arrived")
	}
	y.awaitLog("event not published")
	y.serves("good")
}

// eventBook collects events.
type eventBook struct {
	mu      sync.Mutex
	arrived int
	last    int
	dropped int
	all     strings.Builder
}

func (b *eventBook) publish(_, name string, data json.RawMessage, dropped uint64) {
	var body struct{ N int }
	_ = json.Unmarshal(data, &body)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.arrived++
	b.last = body.N
	b.dropped += int(dropped)
	b.all.WriteString(name + "\n")
}

func (b *eventBook) so() (arrived, last int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.arrived, b.last
}

func (b *eventBook) lost() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}

func (b *eventBook) names() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}

// Row 35.
func otherAges(y *yard) {
	y.timing.HealthInterval = 50 * time.Millisecond
	y.options.Publish = func(string, string, json.RawMessage, uint64) {}
	y.start("old", "future", "anotherstyle")
	for _, name := range []string{"old", "future", "anotherstyle"} {
		y.wants(name, plugins.Running, "", "plugins."+name+": plugin running: version=0.1")
		y.serves(name)
		y.enable(configured(name, "library = \"x\"\n")) // told anew, without a new process
		y.awaitLog("plugins." + name + ": plugin configured anew")
		if s, _ := y.find(name); len(s.Capabilities) != 1 || s.Capabilities[0].ID != name+".storage" {
			y.Errorf("got %+v", s)
		}
		if n := len(y.notes(name, "launched")); n != 1 {
			y.Errorf("%s was launched %d times", name, n)
		}
	}
	if s, _ := y.find("anotherstyle"); s.Title != "Фотографии и видео" {
		y.Errorf("title %q", s.Title)
	}
}
