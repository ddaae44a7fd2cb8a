//go:build unix

package faults

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/salita-mesh/salita/core/internal/dataplane"
	"github.com/salita-mesh/salita/core/internal/plugins"
	"github.com/salita-mesh/salita/sdk"
)

// Row 11.
func handlerPanics(y *yard) {
	y.start("good")
	y.await("good", plugins.Running)
	pid := y.pid("good")
	r, err := http.NewRequest("GET", "http://x/good/panic", nil)
	must(y, err)
	r.Header.Set(sdk.HeaderReference, "7K3QF")
	resp, err := y.send(r)
	must(y, err)
	defer resp.Body.Close()
	var body sdk.ErrorBody
	must(y, json.NewDecoder(resp.Body).Decode(&body))
	if resp.StatusCode != 500 || body != (sdk.ErrorBody{Error: "Something went wrong", Code: sdk.Internal, Reference: "7K3QF"}) {
		y.Errorf("got %d %+v", resp.StatusCode, body)
	}
	y.awaitLog(`handler panicked: reference=7K3QF panic="lost my mind"`)
	y.refused("GET", "/good/abort", 502)
	y.cut("/good/cut", "half")
	if y.pid("good") != pid {
		y.Error("the plugin did not survive")
	}
}

// refused makes a request that must fail with the status.
func (y *yard) refused(method, path string, status int) *sdk.Error {
	y.Helper()
	resp, err := y.try(context.Background(), method, path, nil)
	if err == nil {
		_ = resp.Body.Close()
		y.Errorf("%s %s is answered with %d", method, path, resp.StatusCode)
		return &sdk.Error{}
	}
	e := sdk.AsError(err)
	if e.HTTPStatus() != status || e.Kind != sdk.PluginUnavailable {
		y.Errorf("%s %s: %v, status %d, want %d", method, path, err, e.HTTPStatus(), status)
	}
	return e
}

// cut makes a request whose answer begins well and must not end so.
func (y *yard) cut(path, want string) {
	y.Helper()
	resp, err := y.try(context.Background(), "GET", path, nil)
	must(y, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil || string(text) != want {
		y.Errorf("%s: got %q, %v; want %q and an error", path, text, err, want)
	}
}

// Row 12.
func processDies(y *yard) {
	y.timing.BackoffMin = 500 * time.Millisecond // as it is by default
	y.timing.CrashWindow = time.Nanosecond
	y.start("boom", "exit", "kill", "memory")
	for _, c := range []struct{ fault, said string }{
		{"boom", "exit status 2; its last lines: panic: crashed on purpose"},
		{"exit", "exit status 7"},
		{"kill", "signal: killed"},
		{"memory", "exit status 2; its last lines: fatal error: "},
	} {
		y.await(c.fault, plugins.Running)
		began, err := y.try(context.Background(), "GET", "/"+c.fault+"/never", nil)
		must(y, err)
		if e := y.refused("POST", "/"+c.fault+"/"+c.fault, 502); e.Friendly() != "Photos is restarting" || e.RetryAfter < time.Second {
			y.Errorf("%s: got %+v", c.fault, e)
		}
		if _, err := io.ReadAll(began.Body); err == nil {
			y.Errorf("%s: half an answer looked whole", c.fault)
		}
		_ = began.Body.Close()
		if c.fault != "memory" && c.fault != "boom" { // those take their time to print
			y.measure(c.fault+" noticed", 10*time.Millisecond, y.reached(c.fault, plugins.Backoff).Sub(y.times(c.fault, "ended")[0]))
		}
		y.awaitLog("plugins." + c.fault + ": plugin failed: error=\"process ended: " + c.said)
	}
	for _, name := range []string{"exit", "kill"} {
		y.until(name+" runs again", func() bool { return y.journal.count(name, plugins.Running) > 1 })
		y.measure(name+" answers again", time.Second, y.journal.times(name, plugins.Running)[1].Sub(y.times(name, "ended")[0]))
		y.serves(name)
	}
	pid := y.pid("exit")
	began := time.Now()
	must(y, syscall.Kill(pid, syscall.SIGKILL))
	y.until("it is noticed", func() bool { return y.journal.count("exit", plugins.Backoff) > 1 })
	y.measure("kill -9 from outside noticed", 10*time.Millisecond, y.journal.times("exit", plugins.Backoff)[1].Sub(began))
}

// Row 13.
func stoppedIdle(y *yard) {
	y.timing.HealthInterval, y.timing.HealthTimeout = 50*time.Millisecond, time.Second
	y.timing.BackoffMin = 50 * time.Millisecond
	y.timing.Grace, y.timing.KillWait = time.Second, 2*time.Second
	y.timing.ExitWait = time.Second
	y.start("parent") // with a child in its group
	y.await("parent", plugins.Running)
	y.until("the child is there", func() bool { return len(y.processes()) == 3 })
	first := y.processes()
	pid := y.pid("parent")
	began := time.Now()
	must(y, syscall.Kill(pid, syscall.SIGSTOP))
	y.until("it is restarted", func() bool { return y.journal.count("parent", plugins.Running) > 1 })
	y.measure("killed after three missed checks", 3*(y.timing.HealthTimeout+y.timing.HealthInterval)+100*time.Millisecond, y.reached("parent", plugins.Backoff).Sub(began))
	y.awaitLog("plugins.parent: plugin does not answer, killing it")
	y.wants("parent", plugins.Running, "", "signal: killed")
	y.until("the old group is gone", func() bool { return disjoint(first[1:], y.processes(), y.pid("bystander")) })

	must(y, syscall.Kill(y.pid("parent"), syscall.SIGSTOP))
	began = time.Now()
	y.close()
	y.measure("gateway closed meanwhile", y.timing.Grace+y.timing.TermWait+y.timing.KillWait, time.Since(began))
}

// disjoint reports whether the lists have nothing in common but one number.
func disjoint(a, b []int, but int) bool {
	for _, x := range a {
		for _, z := range b {
			if x == z && x != but {
				return false
			}
		}
	}
	return true
}

// Row 14.
func stoppedInRequest(y *yard) {
	const deadline = 2 * time.Second // 30 s by default
	y.options.Transport = func(dial plugins.Dial) http.RoundTripper {
		return dataplane.New(dial, dataplane.Options{HeaderTimeout: deadline})
	}
	y.start("good")
	y.await("good", plugins.Running)
	pid := y.pid("good")
	began := time.Now()
	if e := y.refused("GET", "/good/stop", 504); e.Friendly() != "Photos takes too long to answer." {
		y.Errorf("got %v", e)
	}
	y.measure("504 after the header deadline", 100*time.Millisecond, time.Since(began)-deadline)
	must(y, syscall.Kill(pid, syscall.SIGCONT))
	y.serves("good")
	if y.pid("good") != pid {
		y.Error("another process")
	}
}

// Row 15.
func childHoldsPipes(y *yard) {
	y.timing.BackoffMin = 300 * time.Millisecond
	y.start("parent", "orphan") // the orphan's child leaves the group
	for _, mode := range []string{"parent", "orphan"} {
		y.await(mode, plugins.Running)
		y.until("the child is there", func() bool { return len(y.notes(mode, "child")) == 1 })
		child, err := strconv.Atoi(y.notes(mode, "child")[0])
		must(y, err)
		y.Cleanup(func() { _ = syscall.Kill(child, syscall.SIGKILL) })
		began := time.Now()
		must(y, syscall.Kill(y.pid(mode), syscall.SIGKILL))
		y.measure(mode+"'s exit noticed", 10*time.Millisecond, y.reached(mode, plugins.Backoff).Sub(began))
		y.awaitLog("plugins." + mode + ": plugin failed: error=\"process ended: signal: killed")
		if mode == "orphan" && runtime.GOOS != "linux" {
			continue // nobody else can tell whose child it is
		}
		y.until(mode+"'s child is gone", func() bool { return gone(child) })
		y.measure(mode+"'s child killed", 200*time.Millisecond, time.Since(began))
		y.until(mode+" runs again", func() bool { return y.journal.count(mode, plugins.Running) > 1 })
		y.serves(mode)
	}
}

// gone reports whether the process has ended; its parent may not have asked yet.
func gone(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	state, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(state), ") Z ")
}

// Row 16.
func crashLoop(y *yard) {
	const crashes = 5
	y.timing.BackoffMin, y.timing.BackoffMax = 50*time.Millisecond, time.Minute
	y.install("once")
	y.start("crashes", "once")
	y.wants("crashes", plugins.Quarantined, "stopped unexpectedly", "panic: crashed on purpose")
	launches, ends := y.times("crashes", "launched"), y.times("crashes", "ended")
	if len(launches) != crashes || y.journal.count("crashes", plugins.Running) == 0 {
		y.Fatalf("%d launches, %d times up", len(launches), y.journal.count("crashes", plugins.Running))
	}
	for i := 1; i < crashes; i++ {
		least := y.timing.BackoffMin << (i - 1) * 8 / 10 // jitter
		wait := launches[i].Sub(ends[i-1])
		y.measure("wait "+strconv.Itoa(i), least*15/10+100*time.Millisecond, wait)
		if wait < least {
			y.Errorf("launch %d came after %s, want %s", i+1, wait, least)
		}
	}
	if e := y.refused("GET", "/crashes/x", 503); e.Friendly() != "Photos isn't working right now" || e.RetryAfter != 0 {
		y.Errorf("got %v", e)
	}
	// Another plugin's first crash is its first.
	y.await("once", plugins.Running)
	must(y, syscall.Kill(y.pid("once"), syscall.SIGKILL))
	y.until("it runs again", func() bool { return y.journal.count("once", plugins.Running) > 1 })
	// Only a person or a change ends the quarantine.
	y.put("crashes", "mode", "good")
	if n := len(y.notes("crashes", "launched")); n != crashes {
		y.Errorf("%d launches", n)
	}
	must(y, y.host.Restart("crashes"))
	y.wants("crashes", plugins.Running, "", "because=restart")
	if !strings.Contains(y.log.String(), "to=quarantined") {
		y.Error("the quarantine is not in the log")
	}
}
