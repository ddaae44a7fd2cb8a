//go:build unix

package faults

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/salita-mesh/salita/core/internal/plugins"
)

// Row 1.
func exitsBeforeHandshake(y *yard) {
	y.start("exit0", "exit1", "killed")
	for mode, how := range map[string]string{"exit0": "exit status 0", "exit1": "exit status 1", "killed": "signal: killed"} {
		y.wants(mode, plugins.Backoff, "stopped unexpectedly", "plugins."+mode+": plugin failed: error=\"process ended: "+how+"; its last lines: no disk in the drive\"")
		y.measure(mode+" failed after its end", 100*time.Millisecond, y.reached(mode, plugins.Backoff).Sub(y.times(mode, "ended")[0]))
	}
}

// Row 2.
func neverReady(y *yard) {
	y.timing.Start = 4 * time.Second
	y.install("later")
	y.put("later", "mode", "hangs")
	y.start("hangs", "slowstart")
	y.enable(specsFor("later")...)
	y.until("it was launched", func() bool { return len(y.notes("later", "launched")) == 1 })
	y.until("its process is there", func() bool { return len(y.processes()) == 4 })
	began := time.Now()
	y.disable("later")
	y.await("later", plugins.Found)
	y.measure("start cancelled", 50*time.Millisecond, time.Since(began))

	for _, mode := range []string{"hangs", "slowstart"} {
		y.wants(mode, plugins.Backoff, "took too long to start", "not ready in time (4s)")
		late := y.reached(mode, plugins.Backoff).Sub(y.reached(mode, plugins.Starting)) - y.timing.Start
		y.measure(mode+" failed after the deadline", 100*time.Millisecond, late)
	}
	y.awaitLog("its last lines: still thinking")
	y.until("they are killed", func() bool { return len(y.processes()) == 1 })
}

// Row 5.
func wrongHandshake(y *yard) {
	said := map[string][2]string{ // to the owner, in the log
		"short":   {"doesn't work with this version", `the handshake \"1|1|unix\" is cut short`},
		"oldcore": {"rebuild the plugin", "its go-plugin protocol is version 9, this gateway's is 1"},
		"newer":   {"upgrade the gateway", "its plugin protocol is version 7, this gateway's is 1"},
		"older":   {"upgrade the plugin", "its plugin protocol is version 0, this gateway's is 1"},
		"netrpc":  {"doesn't work with this version", `it speaks \"netrpc\", want \"grpc\"`},
		"closes":  {"doesn't work with this version", "closed its standard output without a handshake"},
	}
	y.timing.BackoffMin, y.timing.BackoffMax = time.Millisecond, time.Millisecond
	y.start("short", "oldcore", "newer", "older", "netrpc", "closes")
	for mode, words := range said {
		y.wants(mode, plugins.Failed, words[0], words[1])
	}
	for mode := range said {
		if n := len(y.notes(mode, "launched")); n != 1 {
			y.Errorf("%s was launched %d times", mode, n)
		}
	}
	y.put("newer", "mode", "good")
	y.installVersion("newer", 2)
	y.wants("newer", plugins.Running, "", "plugins.newer: plugin running: version=2.0.0")
	y.serves("newer")
}

// Row 6.
func foreignAddress(y *yard) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	must(y, err)
	defer tcp.Close()
	unix, err := net.Listen("unix", filepath.Join(y.root, "foreign.sock"))
	must(y, err)
	defer unix.Close()
	cases := []struct {
		name, mode string
		foreign    net.Listener
		logged     string
	}{
		{"far", "foreign", tcp, "only a unix socket in its own folder is allowed"},
		{"near", "foreign", unix, "outside its own folder"},
		{"climbing", "", unix, "outside its own folder"},
		{"linked", "", unix, "which is not a socket"},
		{"elsewhere", "", unix, "outside its own folder"}, // where it serves HTTP
		{"nowhere", "", unix, "announces a socket that is not there"},
	}
	var names []string
	for _, c := range cases {
		names = append(names, c.name)
		y.put(c.name, "foreign", c.foreign.Addr().Network()+"|"+c.foreign.Addr().String())
		if c.mode != "" {
			y.put(c.name, "mode", c.mode)
		}
	}
	y.start(names...)
	for _, c := range cases {
		y.wants(c.name, plugins.Failed, "doesn't work with this version", "plugins."+c.name+": plugin failed")
		y.awaitLog(c.logged)
	}
	nobodyCame(y, tcp)
	nobodyCame(y, unix)
}

// nobodyCame connects by itself: if that is the first connection the listener
// sees, nobody came before.
func nobodyCame(y *yard, l net.Listener) {
	y.Helper()
	mine, err := net.Dial(l.Addr().Network(), l.Addr().String())
	must(y, err)
	_, err = mine.Write([]byte("mine"))
	must(y, err)
	must(y, mine.Close())
	first, err := l.Accept()
	must(y, err)
	defer first.Close()
	buf := make([]byte, 4)
	if _, err := first.Read(buf); err != nil || string(buf) != "mine" {
		y.Errorf("somebody else connected first: %q, %v", buf, err)
	}
}

// Row 7.
func deadSocket(y *yard) {
	y.timing.Connect = 3 * time.Second // as it is by default
	want := map[string]plugins.State{"dead": plugins.Backoff, "silent": plugins.Backoff, "nocert": plugins.Failed, "badcert": plugins.Backoff}
	y.start("dead", "silent", "nocert", "badcert")
	for mode, state := range want {
		y.await(mode, state)
		y.measure(mode+" failed", 4*time.Second, y.reached(mode, state).Sub(y.times(mode, "launched")[0]))
	}
	y.awaitLog("plugins.dead: plugin failed")
	y.awaitLog("plugins.silent: plugin failed")
	y.awaitLog("offers no certificate")
}

// Row 17.
func gatewayKilled(y *yard) {
	y.start()
	g := y.gateway("good")
	g.expect("running")
	if n := len(y.processes()); n != 2 {
		y.Fatalf("%d plugin processes", n)
	}
	must(y, g.cmd.Process.Signal(syscall.SIGKILL))
	began := time.Now()
	y.until("the plugin is gone", func() bool { return len(y.processes()) == 1 })
	y.measure("plugins gone after kill -9", 2*time.Second, time.Since(began))
	_ = g.cmd.Wait()
	if y.notes("good", "shut-down") == nil {
		y.Error("the plugin could not close what it held")
	}
	stale := g.runFolders()
	next := y.gateway("good")
	next.expect("running")
	for _, dir := range next.runFolders() {
		if strings.Contains(strings.Join(stale, " "), dir) {
			y.Errorf("%s was not swept", dir)
		}
	}
	if len(stale) != 1 || len(next.runFolders()) != 1 {
		y.Errorf("folders: %v, then %v", stale, next.runFolders())
	}
	next.stop()
}

// Row 18.
func gatewayStopped(y *yard) {
	y.start()
	g := y.gateway("good")
	g.expect("running")
	g.expect("began")
	must(y, g.cmd.Process.Signal(syscall.SIGTERM))
	g.expect("stopping")
	y.put("good", "go", "")
	g.expect("ended")
	began := time.Now()
	if err := g.cmd.Wait(); err != nil {
		y.Errorf("the gateway ended with %v", err)
	}
	y.measure("gateway gone after the last request", time.Second, time.Since(began))
	if n := len(y.processes()); n != 1 || len(g.runFolders()) > 0 || y.notes("good", "shut-down") == nil {
		y.Errorf("left: %d processes, folders %v, shut down politely: %v", n-1, g.runFolders(), y.notes("good", "shut-down"))
	}
}

// Row 19.
func ignoresShutdown(y *yard) {
	y.timing.Grace, y.timing.ExitWait, y.timing.TermWait, y.timing.KillWait = time.Second, time.Second, 500*time.Millisecond, 2*time.Second
	y.start("stubborn", "busy", "frozen")
	for _, name := range []string{"stubborn", "busy", "frozen"} {
		y.await(name, plugins.Running)
	}
	resp, err := y.try(context.Background(), "GET", "/busy/never", nil)
	must(y, err)
	defer resp.Body.Close()
	must(y, syscall.Kill(y.pid("frozen"), syscall.SIGSTOP))
	y.until("the stubborn one has a child", func() bool { return len(y.processes()) == 5 })
	began := time.Now()
	y.close()
	bound := y.timing.Grace + y.timing.ExitWait + y.timing.TermWait + y.timing.KillWait
	y.measure("everything gone", bound, time.Since(began))
	if y.notes("stubborn", "shut-down") != nil || y.notes("busy", "shut-down") == nil {
		y.Error("who could close what it held, and who could not?")
	}
}
