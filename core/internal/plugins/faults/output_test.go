//go:build unix

package faults

import (
	"strconv"
	"strings"
	"time"

	"github.com/salita-mesh/salita/core/internal/plugins"
)

// Row 3.
func textBeforeHandshake(y *yard) {
	y.start("chatty")
	y.wants("chatty", plugins.Running, "", `text="Welcome to \x1b[31mchatty\x1b[0m!"`)
	if n := strings.Count(y.log.String(), "which is not for text"); n != 1 {
		y.Errorf("%d warnings", n)
	}
	y.serves("chatty")
}

// Row 4.
func endlessOutput(y *yard) {
	volume := 32 << 20
	if long() {
		volume = 1 << 30
	}
	for _, mode := range []string{"noisy", "oneline"} {
		y.put(mode, "volume", strconv.Itoa(volume))
	}
	y.start()
	before := heap()
	for _, mode := range []string{"endless", "garbage", "noisy", "oneline"} {
		y.install(mode)
	}
	y.enable(specsFor("endless", "garbage", "noisy", "oneline")...)
	for _, mode := range []string{"endless", "garbage"} {
		y.wants(mode, plugins.Failed, "doesn't work with this version", "plugins."+mode+": plugin failed: error=\"plugin protocol: it wrote 262144 bytes to standard output and no handshake\"")
		y.measure(mode+" killed", time.Second, y.reached(mode, plugins.Failed).Sub(y.times(mode, "launched")[0]))
	}
	// Standard error is for text, however much: it is thrown away.
	y.wants("noisy", plugins.Running, "", "plugins.noisy: plugin log lines suppressed")
	y.wants("oneline", plugins.Running, "", "skipped_bytes=")
	y.flat(before, 64<<20)
	if n := len(y.log.String()); n > 16<<20 {
		y.Errorf("the log has %d bytes", n)
	}
	y.until("those without a handshake are killed", func() bool { return len(y.processes()) == 3 })
}

// Row 8.
func wrongLogTypes(y *yard) {
	y.start("badlog")
	y.wants("badlog", plugins.Running, "", `plugins.badlog: plugin wrote: text="{\"@message\": 1}"`)
	for _, text := range []string{`{\"@level\": [], \"@timestamp\": {}}`, `{\"salita_log\":1,\"level\":7}`, `{\"@level\":\"error\",\"@message\":{\"a\":[1]}}`, "[1,2", "null"} {
		y.awaitLog(text)
	}
	y.serves("badlog")
}

// Row 9.
func hostileLog(y *yard) {
	y.start("good")
	y.await("good", plugins.Running)
	before := heap()
	y.get("/good/longline")
	y.awaitLog("yyyy... (")
	y.awaitLog("skipped_bytes=10420")
	y.awaitLog(`text="\x00\xff\xfe\x1b[2J\x1b]0;title\x07 binary"`)
	began := time.Now()
	y.get("/good/flood")
	y.measure("plugin writes 100,000 lines", time.Second, time.Since(began))
	y.disable("good") // the count comes with the end, at the latest
	y.awaitLog("plugin log lines suppressed: count=")
	y.flat(before, 64<<20)
	text := y.log.String()
	if strings.ContainsAny(text, "\x1b\x00\x07") {
		y.Error("a control character reached the log")
	}
	if n, most := strings.Count(text, "flood: n="), 200*(2+int(time.Since(began)/time.Second)); n > most {
		y.Errorf("%d lines of a flood, at most %d are allowed", n, most)
	}
	if !strings.Contains(text, "flood: n=5\n") {
		y.Error("nothing of the flood was logged")
	}
}

// Row 10.
func outputWhileServing(y *yard) {
	y.timing.HealthInterval = 20 * time.Millisecond
	y.start("good", "overstdout")
	y.await("good", plugins.Running)
	if _, text := y.get("/good/stdout"); text != "done" {
		y.Errorf("blocked by its own output: %q", text)
	}
	y.awaitLog(`plugins.good: plugin wrote: text="oooo`)
	// This one does not have the SDK to take its standard output out of the way.
	y.await("overstdout", plugins.Running)
	y.until("it writes on and on", func() bool { return len(y.notes("overstdout", "stdout")) > 5 })
	y.serves("overstdout")
	y.awaitLog(`plugins.overstdout: plugin wrote to its standard output, which is not for text: text=oooo`)
	if y.journal.count("overstdout", plugins.Degraded) > 0 {
		y.Error("a health check was missed")
	}
}
