package plugins

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// script starts a shell script as a process and collects what it prints.
func script(t *testing.T, text string) (*process, *logBuffer) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script")
	must(t, os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755))
	out := &logBuffer{}
	read := func(r io.Reader) { _, _ = io.Copy(out, r) }
	p, err := startProcess(command{path: path, name: "called", env: []string{"A=B"}, dir: filepath.Dir(path)}, read, read)
	must(t, err)
	t.Cleanup(func() {
		p.kill()
		<-p.released
	})
	return p, out
}

func TestProcessGetsOnlyWhatItIsGiven(t *testing.T) {
	p, out := script(t, `echo "$0 $A $HOME."; pwd; cat; echo bye >&2; exit 4`)
	p.hangUp()
	<-p.released
	if got := out.String(); !strings.Contains(got, "B .") || !strings.Contains(got, "bye") {
		t.Errorf("got %q", got)
	}
	if p.state != "exit status 4" || p.killedByUs() {
		t.Errorf("state %q", p.state)
	}
}

func TestProcessLeadsAGroupThatDiesWithIt(t *testing.T) {
	p, out := script(t, "sleep 60 & echo $!; kill -9 $$")
	<-p.exited
	if p.state != "signal: killed" || p.killedByUs() {
		t.Errorf("state %q, killed by us: %v", p.state, p.killedByUs())
	}
	<-p.released
	if out.String() == "" {
		t.Error("its last line was lost")
	}
}

// TestProcessEndIsNotHeldUpByPipes leaves a child behind that escaped from the
// group and keeps the pipes.
func TestProcessEndIsNotHeldUpByPipes(t *testing.T) {
	if _, err := os.Stat("/usr/bin/setsid"); err != nil {
		t.Skip("no setsid to escape from a group with")
	}
	p, out := script(t, "/usr/bin/setsid /bin/sleep 61 & echo $!; exit 0")
	<-p.exited
	<-p.released // would wait a minute, were the pipes waited for
	child, err := strconv.Atoi(strings.TrimSpace(out.String()))
	must(t, err)
	if runtime.GOOS != "linux" { // nobody else can tell whose child it was
		_ = syscall.Kill(child, syscall.SIGKILL)
		return
	}
	for syscall.Kill(child, 0) == nil {
		if state, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(child), "stat")); err != nil || strings.Contains(string(state), ") Z ") {
			return // dead, and nobody has asked how it ended
		}
		time.Sleep(time.Millisecond)
	}
}

func TestProcessKill(t *testing.T) {
	p, out := script(t, "trap '' TERM; echo ready; while :; do sleep 60; done")
	for out.String() == "" {
		time.Sleep(time.Millisecond)
	}
	p.terminate()
	p.kill()
	<-p.exited
	if !p.killedByUs() {
		t.Errorf("state %q", p.state)
	}
	p.kill() // of a process that is gone: must hit nobody
}

func TestProcessThatCannotStartLeavesNoPipes(t *testing.T) {
	before := openFiles(t)
	for range 20 {
		if _, err := startProcess(command{path: "/no/such/file", dir: "/"}, func(io.Reader) {}, func(io.Reader) {}); err == nil {
			t.Fatal("started")
		}
	}
	if after := openFiles(t); after > before+10 {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/dev/fd")
	must(t, err)
	return len(entries)
}

// TestBusyProgram starts a program while somebody still writes to it.
func TestBusyProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "busy")
	w, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	must(t, err)
	self, err := os.ReadFile("/bin/true")
	must(t, err)
	_, err = io.Copy(w, bytes.NewReader(self))
	must(t, err)
	var closing sync.WaitGroup
	closing.Go(func() {
		time.Sleep(30 * time.Millisecond)
		_ = w.Close()
	})
	p, err := startProcess(command{path: path, name: "true", dir: "/"}, func(io.Reader) {}, func(io.Reader) {})
	closing.Wait()
	must(t, err)
	<-p.released
	if p.state != "exit status 0" {
		t.Errorf("state %q", p.state)
	}
}

func TestCheckSocket(t *testing.T) {
	dir := shortTempDir(t)
	must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	must(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	must(t, err)
	defer syscall.Close(fd)
	must(t, syscall.Bind(fd, &syscall.SockaddrUnix{Name: filepath.Join(dir, "s")}))
	must(t, os.Symlink(filepath.Join(dir, "s"), filepath.Join(dir, "link")))
	for _, c := range []struct {
		network, address string
		fine             bool
	}{
		{"unix", filepath.Join(dir, "s"), true},
		{"tcp", filepath.Join(dir, "s"), false},
		{"tcp", "127.0.0.1:80", false},
		{"unix", filepath.Join(dir, "missing"), false},
		{"unix", filepath.Join(dir, "file"), false},
		{"unix", filepath.Join(dir, "sub"), false},
		{"unix", filepath.Join(dir, "link"), false},
		{"unix", dir + "/sub/../s", false},
		{"unix", filepath.Join(dir, "sub", "s"), false},
		{"unix", "s", false},
		{"unix", "", false},
		{"unix", "@abstract", false},
		{"unix", "/var/run/docker.sock", false},
	} {
		err := checkSocket(dir, c.network, c.address)
		if (err == nil) != c.fine || (err != nil && !isPermanent(err)) {
			t.Errorf("%s %s: %v", c.network, c.address, err)
		}
	}
}
