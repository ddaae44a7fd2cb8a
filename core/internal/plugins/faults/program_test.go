//go:build unix

package faults

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/salita-mesh/salita/core/internal/plugins"
)

const notAllowed = "is not the program that the configuration allows. If you changed it on purpose, set sha256 = "

// Row 20.
func wrongDigest(y *yard) {
	pin := func(name, sum string) plugins.Spec {
		s := specsFor(name)[0]
		s.SHA256 = sum
		return s
	}
	sum := digest(y, faultProgram)
	y.timing.BackoffMin, y.timing.BackoffMax = 10*time.Millisecond, 20*time.Millisecond
	y.install("pinned")
	y.install("other")
	y.start()
	y.enable(pin("pinned", strings.ToUpper(sum)), pin("other", strings.Repeat("0", 64)))
	y.await("pinned", plugins.Running)
	y.wants("other", plugins.Failed, notAllowed, "plugins.other: plugin failed")
	// Changed while it runs: what was verified serves until it ends.
	pid := y.pid("pinned")
	y.installVersion("pinned", 2)
	y.wants("pinned", plugins.Running, notAllowed, "plugins.pinned: plugin not replaced, the earlier process serves on")
	if exe, err := os.Readlink("/proc/" + itoa(pid) + "/exe"); err == nil && !strings.HasPrefix(exe, filepath.Join(y.data, "cache", "plugins")) {
		y.Errorf("runs %s", exe)
	}
	must(y, syscall.Kill(pid, syscall.SIGKILL))
	y.wants("pinned", plugins.Failed, notAllowed, "plugins.pinned: plugin failed")
	y.awaitLog("sha256 of " + y.program("pinned") + " is ")
	y.swapped("swapped", sum)
}

// swapped exchanges the program all the time while a pinned one is started again
// and again: only the pinned one may ever run.
func (y *yard) swapped(name, sum string) {
	y.put(name, "version", "1.0.0")
	good, evil := filepath.Join(y.root, "good"), filepath.Join(y.root, "evil")
	must(y, os.WriteFile(good, read(y, faultProgram), 0o755))
	must(y, os.WriteFile(evil, []byte("#!/bin/sh\necho evil >evil\nsleep 60\n"), 0o755))
	y.install(name)
	spec := specsFor(name)[0]
	spec.SHA256 = sum
	y.enable(spec)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for i := 0; ctx.Err() == nil; i++ {
		from := []string{good, evil}[i%2]
		fresh := filepath.Join(y.root, "fresh")
		must(y, os.Link(from, fresh))
		must(y, os.Rename(fresh, y.program(name)))
		if i%10 == 0 {
			must(y, y.host.Restart(name))
		}
	}
	if y.notes(name, "evil") != nil {
		y.Error("a program ran that is not the pinned one")
	}
	if len(y.notes(name, "launched")) == 0 {
		y.Error("the pinned program never ran")
	}
}

func digest(y *yard, path string) string {
	sum := sha256.Sum256(read(y, path))
	return hex.EncodeToString(sum[:])
}

// Row 21.
func replaced(y *yard) {
	y.installVersion("good", 1)
	y.start()
	y.enable(specsFor("good")...)
	y.await("good", plugins.Running)
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	var served atomic.Int64
	for _, method := range []string{"GET", "POST"} {
		work.Go(func() {
			for ctx.Err() == nil {
				if err := y.ask(method, "/good/echo"); err != nil {
					y.Errorf("a request failed: %v", err)
					return
				}
				served.Add(1)
			}
		})
	}
	for i, put := range []func(path string, program []byte) error{renamed, copiedOver, removedFirst, y.halfFirst} {
		pid := y.pid("good")
		y.put("good", "version", itoa(i+2)+".0.0")
		must(y, put(y.program("good"), versionOf(y, i+2)))
		began := time.Now()
		y.until("another process serves", func() bool { return y.pid("good") != pid })
		y.measure("taken over "+itoa(i), y.timing.Settle+y.timing.Rescan+time.Second, time.Since(began))
		y.until("the earlier process is gone", func() bool { return gone(pid) })
		if s := y.await("good", plugins.Running); s.Version != itoa(i+2)+".0.0" || s.LastError != "" {
			y.Errorf("got %+v", s)
		}
	}
	cancel()
	work.Wait()
	y.Logf("%d requests meanwhile", served.Load())
}

// ask makes a request that must be answered well.
func (y *yard) ask(method, path string) error {
	r, err := http.NewRequest(method, "http://x"+path, strings.NewReader("x"))
	if err != nil {
		return err
	}
	match, ok := y.host.Route(method, path)
	if !ok {
		return errors.New("no route")
	}
	resp, err := match.RoundTrip(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

func renamed(path string, program []byte) error {
	return errors.Join(os.WriteFile(path+".new", program, 0o755), os.Rename(path+".new", path))
}

// copiedOver writes into the file that is there, as cp does.
func copiedOver(path string, program []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err // "text file busy" if the file itself were executed
	}
	_, err = f.Write(program)
	return errors.Join(err, f.Close())
}

func removedFirst(path string, program []byte) error {
	return errors.Join(os.Remove(path), os.WriteFile(path, program, 0o755))
}

// halfFirst pauses in the middle for longer than a program must stay the same to
// be believed.
func (y *yard) halfFirst(path string, program []byte) error {
	launches := len(y.notes("good", "launched"))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(program[:len(program)/2])
	time.Sleep(10 * y.timing.Settle)
	if n := len(y.notes("good", "launched")); n != launches || y.host.Plugins()[1].LastError != "" {
		y.Errorf("half a program was used: %+v", y.host.Plugins()[1])
	}
	_, again := f.Write(program[len(program)/2:])
	return errors.Join(err, again, f.Close())
}

// Row 22.
func badVersion(y *yard) {
	cases := map[string]string{
		"misnamed": "doesn't work with this version", "dots": "routes[0].pattern", "refuses": "There isn't enough space.",
		"panics": "could not start", "sick": "There isn't enough space.", "exit1": "stopped unexpectedly", "elsewhere": "outside its own folder",
	}
	y.start()
	for mode := range cases {
		y.install("v-" + mode)
		y.put("v-"+mode, "mode", "good")
		y.enable(specsFor("v-" + mode)...)
	}
	for mode, friendly := range cases {
		name := "v-" + mode
		y.await(name, plugins.Running)
		pid := y.pid(name)
		y.put(name, "mode", mode)
		y.installVersion(name, 2)
		y.wants(name, plugins.Running, friendly, "plugins."+name+": plugin not replaced, the earlier process serves on")
		if s, _ := y.find(name); !strings.HasSuffix(s.LastError, "Until that is mended, Photos runs on as before.") || s.Version != "1.0.0" {
			y.Errorf("got %+v", s)
		}
		if y.pid(name) != pid || y.journal.count(name, plugins.Running) != 1 {
			y.Errorf("%s did not serve all the time", name)
		}
	}
	y.until("the bad processes are gone", func() bool { return len(y.processes()) == 1+len(cases) })
	y.put("v-sick", "mode", "good")
	y.installVersion("v-sick", 3)
	y.awaitStatus("v-sick", "mended", func(s plugins.Status) bool { return s.Version == "3.0.0" && s.LastError == "" })
}

// Row 23.
func cannotRun(y *yard) {
	cases := []struct {
		name, friendly string
		make           func(path string) error
	}{
		{"plain", "is not executable. Run: chmod +x ", func(p string) error { return os.Chmod(p, 0o644) }},
		{"shared", "Run: chmod go-w ", func(p string) error { return os.Chmod(p, 0o777) }},
		{"folder", "is a folder, not a program.", func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o755)) }},
		{"dangling", "leads nowhere.", func(p string) error { return errors.Join(os.Remove(p), os.Symlink(p+"-not-there", p)) }},
		{"leaving", "is a link that leaves its folder.", func(p string) error { return errors.Join(os.Remove(p), os.Symlink(faultProgram, p)) }},
		{"circle", "leads nowhere.", func(p string) error { return errors.Join(os.Remove(p), os.Symlink(p, p)) }},
		{"pipe", "is not a regular file.", func(p string) error { return errors.Join(os.Remove(p), syscall.Mkfifo(p, 0o755)) }},
		{"arch", "is made for another kind of computer.", func(p string) error { return os.WriteFile(p, otherArchitecture(y), 0o755) }},
		{"text", "is made for another kind of computer.", func(p string) error { return os.WriteFile(p, []byte("just text\n"), 0o755) }},
		{"nothing", "is made for another kind of computer.", func(p string) error { return os.WriteFile(p, nil, 0o755) }},
		{"script", "needs another program to run, and that isn't installed.", func(p string) error { return os.WriteFile(p, []byte("#!/no/such/python\n"), 0o755) }},
		{"half", "is not complete. Copy it again.", func(p string) error { return os.Truncate(p, 1<<20) }},
		{"Shouting", "The name of ", func(string) error { return nil }},
	}
	var names []string
	for _, c := range cases {
		must(y, c.make(y.install(c.name)))
		names = append(names, c.name)
	}
	y.install("good")
	y.start()
	for _, c := range cases[:6] { // those that a look at the file tells are said before they are enabled
		y.wants(c.name, plugins.Found, c.friendly, "")
	}
	y.enable(specsFor(append(names, "good", "missing")...)...)
	for _, c := range cases {
		if c.name != "Shouting" { // cannot even be enabled
			y.wants(c.name, plugins.Failed, c.friendly, "plugins."+c.name+": plugin failed")
		}
	}
	y.wants("missing", plugins.Failed, "No program salita-plugin-missing in "+y.dir, "")
	y.wants("Shouting", plugins.Failed, "can't be the name of a plugin", "")
	y.wants("good", plugins.Running, "", "")
}

// otherArchitecture is a program for a machine that this is not.
func otherArchitecture(y *yard) []byte {
	program := read(y, faultProgram)
	const machine = 18 // where an ELF header names it
	program[machine], program[machine+1] = 0xf7, 0x00
	return program
}

// Row 24.
func clashes(y *yard) {
	second := filepath.Join(y.root, "more")
	must(y, os.Mkdir(second, 0o755))
	must(y, os.Chmod(second, 0o755))
	y.options.Dirs = append(y.options.Dirs, second)
	first := y.install("double")
	copyTo(y, filepath.Join(second, "salita-plugin-double"))
	plain := y.install("same")
	copyTo(y, y.program("same")+".exe")
	y.start("misnamed", "thief", "catchall")
	y.enable(specsFor("double", "same")...)
	y.wants("double", plugins.Running, "", "")
	y.wants("same", plugins.Running, "", "")
	for name, used := range map[string]string{"double": first, "same": plain} {
		if s, _ := y.find(name); s.Path != used {
			y.Errorf("%s runs %s, want %s", name, s.Path, used)
		}
	}
	y.awaitLog("two programs for one plugin, the first is used: plugin=double used=" + first + " ignored=" + filepath.Join(second, "salita-plugin-double"))
	y.awaitLog("two programs for one plugin, the first is used: plugin=same used=" + plain + " ignored=" + plain + ".exe")
	y.wants("misnamed", plugins.Failed, `manifest: name "another": the program is named salita-plugin-misnamed`, "")
	y.wants("thief", plugins.Failed, "routes[0].pattern \"GET /bystander/hello\": the path must be /thief", "")
	y.wants("catchall", plugins.Failed, "routes[0].pattern \"GET /{anything...}\": the path must be /catchall", "")
	time.Sleep(10 * y.timing.Rescan) // it stays like that
	for _, name := range []string{"double", "same"} {
		if n := len(y.notes(name, "launched")); n != 1 {
			y.Errorf("%s was launched %d times", name, n)
		}
	}
}

func copyTo(y *yard, path string) {
	y.Helper()
	must(y, os.WriteFile(path, read(y, faultProgram), 0o755))
	must(y, os.Chmod(path, 0o755))
}

// Row 25.
func badManifest(y *yard) {
	cases := map[string]string{
		"empty":      `manifest: name ""`,
		"huge":       "larger than max",
		"utf8":       "UTF-8",
		"dots":       `manifest: routes[0].pattern "GET /dots/../api/devices"`,
		"ofcore":     `manifest: routes[0].pattern "GET /api/devices": the path must be /ofcore`,
		"twice":      `manifest: routes[2].pattern`,
		"manycaps":   "manifest: capabilities: 10001 of them, at most 64",
		"manyroutes": "manifest: routes: 10002 of them, at most 256",
		"forger":     `manifest: capabilities[0].id "bystander.storage"`,
		"painted":    "manifest: title",
		"borrower":   `manifest: routes[0].permission "devices:admin"`,
		"devices":    `manifest: name "devices": belongs to the gateway itself`,
	}
	var names []string
	for name := range cases {
		names = append(names, name)
	}
	y.timing.BackoffMin, y.timing.BackoffMax = time.Millisecond, time.Millisecond
	y.start(names...)
	for name, field := range cases {
		y.wants(name, plugins.Failed, "doesn't work with this version of Salita", "")
		s, _ := y.find(name)
		if !strings.Contains(s.LastError, field) {
			y.Errorf("%s: the owner reads %q, want %q", name, s.LastError, field)
		}
		if _, ok := y.host.Route("GET", "/"+name+"/hello"); ok {
			y.Errorf("%s has routes", name)
		}
		if n := len(y.notes(name, "launched")); n != 1 {
			y.Errorf("%s was launched %d times", name, n)
		}
	}
	if _, ok := y.host.Route("GET", "/api/devices"); ok {
		y.Error("the core's path leads to a plugin")
	}
	if n := len(y.host.Capabilities()); n != 1 {
		y.Errorf("%d capabilities", n)
	}
}
