package plugins

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// once is a policy under which a failed plugin is not started again within a
// test.
func once() Timing {
	t := quick()
	t.BackoffMin, t.BackoffMax = time.Hour, time.Hour
	return t
}

// TestLaunchFailures starts plugins that cannot be started, all beside a good
// one. Each must fail alone, with its own reason.
func TestLaunchFailures(t *testing.T) {
	t.Parallel()
	cases := []struct {
		mode     string
		state    State
		log      string // is in the gateway's log
		friendly string // is in the sentence for the owner
	}{
		{"exits", Backoff, "exit status 3; its last lines: no disk in the drive", "stopped unexpectedly"},
		{"killed", Backoff, "signal: killed", "stopped unexpectedly"},
		{"closes", Failed, "closed its standard output without a handshake", "doesn't work with this version"},
		{"garbage", Failed, "bytes to standard output and no handshake", "doesn't work with this version"},
		{"short", Failed, `the handshake \"1|1|unix\" is cut short`, "cut short"},
		{"oldcore", Failed, "its go-plugin protocol is version 9", "rebuild the plugin"},
		{"newer", Failed, "its plugin protocol is version 7, this gateway's is 1: upgrade the gateway", "upgrade the gateway"},
		{"netrpc", Failed, `it speaks \"netrpc\"`, "netrpc"},
		{"nocert", Failed, "offers no certificate", "no certificate"},
		{"misnamed", Failed, `manifest: name \"other\"`, "salita-plugin-misnamed"},
		{"empty", Failed, `manifest: name \"\"`, "manifest: name"},
		{"escaping", Failed, "routes[2].pattern", "the path must be /escaping"},
		{"manyroutes", Failed, "routes: 302 of them", "at most 256"},
		{"huge", Failed, "larger than max", "doesn't work with this version"},
		{"refuses", Backoff, "disk is full", "There isn't enough space."},
		{"panics", Backoff, "New panicked: no idea", "could not start"},
		{"devices", Failed, "belongs to the gateway itself", "belongs to the gateway itself"},
	}
	names := []string{"good"}
	for _, c := range cases {
		names = append(names, c.mode)
	}
	b := newBench(t, names...)
	b.start(once(), enabled(names...))
	for _, c := range cases {
		status := b.status(c.mode)
		if status.State != c.state {
			t.Errorf("%s: state %s, want %s", c.mode, status.State, c.state)
		}
		if !strings.Contains(status.LastError, c.friendly) {
			t.Errorf("%s: last error %q, want %q in it", c.mode, status.LastError, c.friendly)
		}
		b.awaitLog(c.log)
	}
	if got := b.status("good").State; got != Running {
		t.Errorf("the good plugin is %s", got)
	}
	if n := len(b.processes()); n != 1 {
		t.Errorf("%d processes run, want the good one alone", n)
	}
}

// TestForeignAddresses announces places outside of the plugin's folder. Nothing
// may connect to them.
func TestForeignAddresses(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer tcp.Close()
	unix, err := net.Listen("unix", filepath.Join(shortTempDir(t), "s"))
	must(t, err)
	defer unix.Close()
	for _, c := range []struct {
		mode string
		l    net.Listener
		log  string
	}{
		{"foreigntcp", tcp, "only a unix socket in its own folder is allowed"},
		{"foreignunix", unix, "outside its own folder"},
	} {
		t.Run(c.mode, func(t *testing.T) {
			t.Setenv("FOREIGN", c.l.Addr().String())
			b := newBench(t, c.mode)
			b.start(once(), []Spec{{Name: c.mode, Enabled: true, Env: []string{"FOREIGN", "GORACE"}}})
			if got := b.status(c.mode).State; got != Failed {
				t.Errorf("state %s", got)
			}
			b.awaitLog(c.log)
			assertNobodyCame(t, c.l)
		})
	}
}

// assertNobodyCame connects by itself: if that is the first connection the
// listener sees, nobody came before.
func assertNobodyCame(t *testing.T, l net.Listener) {
	t.Helper()
	mine, err := net.Dial(l.Addr().Network(), l.Addr().String())
	must(t, err)
	_, err = mine.Write([]byte("mine"))
	must(t, err)
	must(t, mine.Close())
	first, err := l.Accept()
	must(t, err)
	defer first.Close()
	buf := make([]byte, 4)
	if _, err := first.Read(buf); err != nil || string(buf) != "mine" {
		t.Errorf("somebody else connected first: %q, %v", buf, err)
	}
}

func TestDeadAndSilentSockets(t *testing.T) {
	for _, mode := range []string{"deadsocket", "silent"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, mode)
			timing := once()
			timing.Connect = 100 * time.Millisecond
			b.start(timing, enabled(mode))
			if got := b.status(mode).State; got != Backoff {
				t.Errorf("state %s", got)
			}
			b.awaitLog("code = Unavailable")
		})
	}
}

func TestLaunchDeadline(t *testing.T) {
	for _, mode := range []string{"hangs", "slowstart"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, mode)
			timing := once()
			timing.Start = 700 * time.Millisecond
			b.start(timing, enabled(mode))
			status := b.status(mode)
			if status.State != Backoff || !strings.Contains(status.LastError, "took too long to start") {
				t.Errorf("got %+v", status)
			}
			b.awaitLog("not ready in time (700ms)")
		})
	}
}

func TestLaunchCanBeCancelled(t *testing.T) {
	t.Parallel()
	b := newBench(t, "hangs")
	b.host = New(Options{Dirs: []string{b.dir}, DataDir: b.data, RunDir: b.root, Log: discard(), Timing: quick()})
	ctx, cancel := context.WithCancel(context.Background())
	started := make(chan error, 1)
	go func() { started <- b.host.Start(ctx, enabled("hangs")) }()
	b.eventually("the process runs", func() bool { return len(b.processes()) == 1 })
	cancel()
	if err := <-started; !errors.Is(err, context.Canceled) {
		t.Errorf("start: %v", err)
	}
	b.checkNothingLeft()
}

func TestTextBeforeHandshakeIsQuotedOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, "chatty")
	b.start(quick(), enabled("chatty"))
	if got := b.status("chatty").State; got != Running {
		t.Fatalf("state %s", got)
	}
	b.awaitLog(`text="Welcome to \x1b[31mchatty\x1b[0m!"`)
	if n := strings.Count(b.log.String(), "not for text"); n != 1 {
		t.Errorf("%d warnings\n%s", n, b.log)
	}
}

func TestConfigurationErrorsShowTheLine(t *testing.T) {
	for _, c := range []struct{ name, source, friendly, log string }{
		{"unknown", "\n    libary = \"x\"\n  ", `config.hcl, line 13: An argument named "libary" is not expected here. Did you mean "library"?`, "config.hcl:13,5"},
		{"type", "\n    limit = \"many\"\n  ", `config.hcl, line 13: `, "^^^"},
		{"syntax", "\n    library = \n  ", `config.hcl, line 13: `, "config.hcl:13,"},
		{"validate", "\n    limit = -1\n  ", `config.hcl, line 12: limit must not be negative`, "limit must not be negative"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, "good")
			block := Block{Filename: "/etc/salita/config.hcl", Source: []byte(c.source), Line: 12, Column: 11, Byte: 200}
			b.start(quick(), []Spec{{Name: "good", Enabled: true, Config: block}})
			status := b.status("good")
			if status.State != Failed || !strings.HasPrefix(status.LastError, c.friendly) {
				t.Errorf("got %+v, want %q", status, c.friendly)
			}
			b.awaitLog(c.log)
		})
	}
}

func TestPinnedDigest(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good", "other")
	sum := digest(t, filepath.Join(b.dir, filePrefix+"good"))
	b.start(quick(), []Spec{
		{Name: "good", Enabled: true, SHA256: strings.ToUpper(sum)},
		{Name: "other", Enabled: true, SHA256: strings.Repeat("0", 64)},
	})
	if s := b.status("good"); s.State != Running {
		t.Errorf("got %+v", s)
	}
	if s := b.status("other"); s.State != Failed || !strings.Contains(s.LastError, "is not the program that the configuration allows") {
		t.Errorf("got %+v", s)
	}
	// What runs is the copy, not the file that anybody may have exchanged since.
	exe, err := os.Readlink("/proc/" + itoa(b.pid("good")) + "/exe")
	if err == nil && !strings.HasPrefix(exe, filepath.Join(b.data, "cache", "plugins")) {
		t.Errorf("runs %s", exe)
	}
	// The digest is checked again at each start. What was verified goes on until
	// it ends by itself.
	must(t, os.WriteFile(filepath.Join(b.dir, filePrefix+"new"), []byte("#!/bin/sh\n"), 0o755))
	must(t, os.Rename(filepath.Join(b.dir, filePrefix+"new"), filepath.Join(b.dir, filePrefix+"good")))
	must(t, b.host.Restart("good"))
	b.awaitStatus("good", "what is refused is told", func(s Status) bool {
		return s.State == Running && strings.Contains(s.LastError, "is not the program that the configuration allows")
	})
	must(t, syscall.Kill(b.pid("good"), syscall.SIGKILL))
	b.await("good", Failed)
}
