package plugins

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/salita-mesh/salita/sdk"
)

func TestStopDrainsRequestsInFlight(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	b.start(quick(), enabled("good"))
	resp, err := b.try(context.Background(), "GET", "/good/slow", nil)
	must(t, err)
	defer resp.Body.Close()
	body := bufio.NewReader(resp.Body)
	line, err := body.ReadString('\n')
	must(t, err)

	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- b.host.Run(ctx) }()
	cancel()
	b.await("good", Stopping)
	if _, err := b.try(context.Background(), "GET", "/good/hello", nil); sdk.AsError(err).HTTPStatus() != 503 {
		t.Errorf("new request while stopping: %v", err)
	}
	b.touch("good", "go")
	rest, err := io.ReadAll(body)
	if line+string(rest) != "began\nended\n" || err != nil {
		t.Errorf("got %q, %v", line+string(rest), err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("run: %v", err)
	}
	if got := b.status("good").State; got != Stopped {
		t.Errorf("state %s", got)
	}
	if _, err := os.Stat(filepath.Join(dataFolder(b.data, "good"), "shut-down")); err != nil {
		t.Errorf("the plugin's Shutdown was not called: %v", err)
	}
}

func TestStopIsBounded(t *testing.T) {
	for _, c := range []struct {
		name string
		trap func(b *bench)
	}{
		{"stubborn", func(*bench) {}},
		{"good", func(b *bench) { must(b.t, syscall.Kill(b.pid("good"), syscall.SIGSTOP)) }},
		{"good-slow", func(b *bench) { // a request that never ends
			resp, err := b.try(context.Background(), "GET", "/good-slow/slow", nil)
			must(b.t, err)
			b.t.Cleanup(func() { _ = resp.Body.Close() })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, c.name)
			timing := quick()
			timing.Grace, timing.ExitWait = 300*time.Millisecond, 300*time.Millisecond
			b.start(timing, enabled(c.name))
			c.trap(b)
			began := time.Now()
			must(t, b.host.Close())
			// The test's own patience, not the host's: a loaded machine is no failure.
			if took := time.Since(began); took > patience/2 {
				t.Errorf("took %s", took)
			}
			if left := b.processes(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestHungPluginIsKilledAndRestarted(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	timing := quick()
	timing.HealthInterval, timing.HealthTimeout = 20*time.Millisecond, 20*time.Millisecond
	timing.BackoffMin, timing.BackoffMax = time.Hour, time.Hour
	b.start(timing, enabled("good"))
	pid := b.pid("good")
	must(t, syscall.Kill(pid, syscall.SIGSTOP))
	b.await("good", Backoff)
	b.awaitLog("plugin does not answer, killing it")
	b.eventually("the stopped process is gone", func() bool { return len(b.processes()) == 0 })
	must(t, b.host.Restart("good"))
	b.await("good", Running)
}

func TestSickPluginIsDegraded(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	timing := quick()
	timing.HealthInterval = 10 * time.Millisecond
	b.start(timing, enabled("good"))
	b.touch("good", "sick")
	status := b.await("good", Degraded)
	if status.LastError != "There isn't enough space." {
		t.Errorf("last error %q", status.LastError)
	}
	if n := len(b.host.Capabilities()); n != 0 {
		t.Errorf("%d capabilities of a sick plugin", n)
	}
	if _, text := b.call("GET", "/good/hello", nil); !strings.HasPrefix(text, "hello") {
		t.Errorf("a degraded plugin still gets requests, got %q", text)
	}
	must(t, os.Remove(filepath.Join(dataFolder(b.data, "good"), "sick")))
	if status := b.await("good", Running); status.LastError != "" {
		t.Errorf("last error %q", status.LastError)
	}
}

func TestSickFromTheStartIsDegraded(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	b.touch("good", "sick")
	b.start(quick(), enabled("good"))
	b.await("good", Degraded)
}

func TestCrashLoopIsQuarantined(t *testing.T) {
	t.Parallel()
	b := newBench(t, "crashes", "good")
	b.start(quick(), enabled("crashes", "good"))
	status := b.await("crashes", Quarantined)
	if status.LastError == "" {
		t.Error("no reason given")
	}
	b.awaitLog("panic: crashed on purpose")
	if got := b.status("good").State; got != Running {
		t.Errorf("the good plugin is %s", got)
	}
	_, err := b.try(context.Background(), "GET", "/crashes/x", nil)
	if e := sdk.AsError(err); e.HTTPStatus() != 503 || e.Friendly() != "Photos isn't working right now" {
		t.Errorf("got %v", err)
	}
}

// TestCrashIsNoticedAtOnce measures how long a dead process is taken for a live
// one. The limit is a hundred times what it takes on an idle machine.
func TestCrashIsNoticedAtOnce(t *testing.T) {
	b := newBench(t, "good")
	b.start(quick(), enabled("good"))
	var took []time.Duration
	for range crashLimit - 1 {
		pid := b.pid("good")
		changed := b.host.Changed()
		began := time.Now()
		must(t, syscall.Kill(pid, syscall.SIGKILL))
		<-changed
		took = append(took, time.Since(began))
		if s := b.status("good").State; s == Running {
			t.Errorf("state %s", s)
		}
		b.await("good", Running)
	}
	slices.Sort(took)
	t.Logf("noticed within %v", took)
	if took[0] > time.Second {
		t.Errorf("the fastest of %d crashes was noticed after %s", len(took), took[0])
	}
}

func TestRestartGivesANewProcess(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	b.start(quick(), enabled("good"))
	since := b.status("good").Since
	if since.IsZero() {
		t.Error("nobody knows since when it runs")
	}
	b.restart("good")
	if later := b.status("good").Since; !later.After(since) {
		t.Errorf("since %s, before it was %s", later, since)
	}
	if err := b.host.Restart("nobody"); sdk.KindOf(err) != sdk.NotFound {
		t.Errorf("got %v", err)
	}
}

// TestEverythingAtOnce restarts, kills, calls and closes concurrently. Nothing
// may be left and nothing may hang.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good", "good-two")
	timing := quick()
	timing.HealthInterval, timing.Grace = 5*time.Millisecond, time.Second
	timing.CrashWindow = time.Nanosecond
	b.start(timing, enabled("good", "good-two"))
	var work sync.WaitGroup
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, name := range []string{"good", "good-two"} {
		work.Go(func() {
			for ctx.Err() == nil {
				_ = b.host.Restart(name)
			}
		})
		work.Go(func() {
			for ctx.Err() == nil {
				for _, pid := range b.processes() {
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
				time.Sleep(30 * time.Millisecond)
			}
		})
		work.Go(func() {
			for ctx.Err() == nil {
				if match, ok := b.host.Route("GET", "/"+name+"/hello"); ok {
					callAndForget(ctx, match)
				}
				_, _ = b.host.Plugins(), b.host.Capabilities()
			}
		})
	}
	<-ctx.Done()
	must(t, b.host.Close())
	work.Wait()
}

// TestPluginsDieWithTheirGateway kills a whole gateway without warning.
func TestPluginsDieWithTheirGateway(t *testing.T) {
	t.Parallel()
	b := newBench(t, "good")
	runDir := filepath.Join(b.dir, "run")
	must(t, os.Mkdir(runDir, 0o700))
	self, err := os.Executable()
	must(t, err)
	gateway := exec.Command(self)
	gateway.Env = append(os.Environ(), hostEnv+"="+b.dir)
	out, err := gateway.StdoutPipe()
	must(t, err)
	must(t, gateway.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "running\n" {
		t.Fatalf("the gateway said %q, %v", line, err)
	}
	if n := len(b.processes()); n != 1 {
		t.Fatalf("%d plugin processes", n)
	}
	must(t, gateway.Process.Kill())
	_ = gateway.Wait()
	b.eventually("the plugin is gone", func() bool { return len(b.processes()) == 0 })
	if _, err := os.Stat(filepath.Join(b.dir, "data", "data", "good", "shut-down")); err != nil {
		t.Errorf("the plugin could not close what it held: %v", err)
	}

	// The next gateway finds the sockets of the dead one and sweeps them.
	stale, _ := filepath.Glob(filepath.Join(runDir, runPrefix+"*"))
	if len(stale) != 1 {
		t.Fatalf("stale folders: %v", stale)
	}
	next, err := openRunDir([]string{runDir}, discard())
	must(t, err)
	defer next.close()
	if _, err := os.Stat(stale[0]); !os.IsNotExist(err) {
		t.Errorf("%s was not swept: %v", stale[0], err)
	}
}
