//go:build unix

package faults

import (
	"time"

	"github.com/salita-mesh/salita/core/internal/plugins"
)

// badConfigs are settings that the plugin does not take: what the owner reads,
// and the place in the log.
var badConfigs = []struct{ name, source, friendly, logged string }{
	{"unknown", "\n  libary = \"x\"\n", `config.hcl, line 8: An argument named "libary" is not expected here. Did you mean "library"?`, "config.hcl:8,3: "},
	{"wrongtype", "\n  limit = \"many\"\n", "config.hcl, line 8: ", "  8 |   limit = \"many\"\n"},
	{"syntax", "\n  library = \n", "config.hcl, line 8: ", "config.hcl:8,"},
	{"number", "\n  library = [1]\n", "config.hcl, line 8: ", "  8 |   library = [1]\n"},
	{"invalid", "\n  limit = -1\n", "limit must not be negative", "limit must not be negative"},
}

// Row 26.
func badConfig(y *yard) {
	y.start()
	for _, c := range badConfigs {
		y.install(c.name)
		y.install(c.name + "-running")
		y.enable(configured(c.name, c.source), configured(c.name+"-running", `library = "one"`))
	}
	for _, c := range badConfigs {
		y.wants(c.name, plugins.Failed, c.friendly, "plugins."+c.name+": remark on the configuration")
		y.awaitLog(c.logged)
		running := c.name + "-running"
		y.await(running, plugins.Running)
		pid := y.pid(running)
		y.enable(configured(running, c.source))
		y.wants(running, plugins.Running, c.friendly, "plugins."+running+": remark on the configuration")
		if _, library := y.get("/" + running + "/library"); library != "one" || y.pid(running) != pid {
			y.Errorf("%s: library %q, the same process: %v", running, library, y.pid(running) == pid)
		}
		if n := len(y.notes(running, "configured")); n != 1 {
			y.Errorf("%s was configured %d times", running, n)
		}
	}
}

// Row 27.
func configureFails(y *yard) {
	y.timing.Configure = 2 * time.Second
	y.timing.Grace, y.timing.ExitWait = time.Second, time.Second
	y.install("hangs-on")
	y.install("full")
	y.start()
	y.enable(configured("hangs-on", `library = "one"`), configured("full", `library = "one"`))
	for name, c := range map[string][3]string{
		"hangs-on": {"limit = 1000", "took too long to take over its new settings.", "were not applied in time"},
		"full":     {"limit = 1001", "There isn't enough space.", "plugin not configured, its earlier settings stay in force"},
	} {
		y.await(name, plugins.Running)
		pid := y.pid(name)
		began := time.Now()
		y.enable(configured(name, c[0]))
		y.wants(name, plugins.Running, c[1]+" Until that is mended, the earlier settings stay in force.", c[2])
		y.measure(name+": refusal told", y.timing.Configure+100*time.Millisecond, time.Since(began))
		if _, library := y.get("/" + name + "/library"); library != "one" || y.pid(name) != pid {
			y.Errorf("%s: library %q", name, library)
		}
	}
	y.enable(configured("full", `library = "two"`))
	y.awaitStatus("full", "nothing to tell", func(s plugins.Status) bool { return s.LastError == "" })
	if _, library := y.get("/full/library"); library != "two" {
		y.Errorf("library %q", library)
	}
}

// Row 28.
func badHealth(y *yard) {
	y.timing.HealthInterval, y.timing.HealthTimeout = 20*time.Millisecond, 2*time.Second
	y.start("failing", "flapping", "slow")
	for _, name := range []string{"failing", "flapping", "slow"} {
		y.await(name, plugins.Running)
	}
	began := time.Now()
	y.put("failing", "sick", "")
	y.wants("failing", plugins.Degraded, "There isn't enough space.", "plugins.failing: plugin failed: error=\"plugin is not serving: ")
	y.measure("failure told", y.timing.HealthInterval+50*time.Millisecond, time.Since(began))
	y.serves("failing") // it may know better for the request at hand
	y.put("flapping", "flapping", "")
	y.until("it went to and fro", func() bool { return y.journal.count("flapping", plugins.Degraded) > 5 })
	y.remove("flapping", "flapping")

	began = time.Now()
	y.put("slow", "slow", "")
	y.wants("slow", plugins.Degraded, "Photos takes too long to answer.", "plugins.slow: plugin failed")
	y.measure("slow check told", y.timing.HealthTimeout+y.timing.HealthInterval+50*time.Millisecond, time.Since(began))
	if n := y.journal.count("slow", plugins.Backoff); n > 0 {
		y.Error("killed after one missed check")
	}
	y.remove("slow", "slow")
	for _, name := range []string{"slow", "flapping"} {
		y.wants(name, plugins.Running, "", "")
	}
	if n := len(y.host.Capabilities()); n != 3 {
		y.Errorf("%d capabilities, want those of the three that are healthy", n)
	}
	y.remove("failing", "sick")
	y.wants("failing", plugins.Running, "", "")
	for _, name := range []string{"failing", "flapping", "slow"} {
		if n := len(y.notes(name, "launched")); n != 1 {
			y.Errorf("%s was launched %d times", name, n)
		}
	}
}
