//go:build unix

package faults

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// row is one fault with what must come of it.
type row struct {
	number int
	fault  string
	expect string
	check  func(*yard)
}

// rows is the specification of what a plugin may do to the gateway: nothing.
//
// Beside what is said here, after every row nothing may be left: no process, no
// socket, no descriptor, no goroutine. And all the time a second, healthy plugin
// must answer as ever, and the list of capabilities without waiting.
var rows = []row{
	{1, "exits before the handshake (code 0, 1, a signal)", "failed within 100 ms, with code or signal and its last log lines; backoff", exitsBeforeHandshake},
	{2, "never completes the handshake", "killed at the start deadline; cancelling the start returns within 50 ms", neverReady},
	{3, "prints text before the handshake", "runs; one warning quoting the text", textBeforeHandshake},
	{4, "endless output without a newline, a gigabyte of garbage", "capped, killed, memory flat", endlessOutput},
	{5, "truncated handshake, wrong core or app protocol, old net/rpc", "distinct errors; the version error names both versions and which side to upgrade; no retry until the file changes", wrongHandshake},
	{6, "announces a foreign address or a path outside its folder", "refused, nothing dialled", foreignAddress},
	{7, "dead socket, silent listener, no certificate", "failed within 4 s", deadSocket},
	{8, "a log line that is JSON with wrong types", "logged verbatim, gateway alive", wrongLogTypes},
	{9, "a 10 MB log line, binary, escape codes, 100,000 lines a second", "truncated, escaped, rate-limited with a \"suppressed N\" line", hostileLog},
	{10, "a 70 kB line on standard output while serving", "drained, plugin not blocked", outputWhileServing},
	{11, "handler panics", "500 for that request, plugin lives; an aborted body is never a complete 200", handlerPanics},
	{12, "goroutine panics, os.Exit, out of memory, kill -9", "requests in flight get 502, state changes within 10 ms, restart with backoff", processDies},
	{13, "stopped (SIGSTOP) while idle", "three missed checks, whole group killed, restarted; gateway shutdown stays within its grace", stoppedIdle},
	{14, "stopped during a request", "504 at the header deadline", stoppedInRequest},
	{15, "dies leaving a child that holds its pipes", "exit noticed, child killed", childHoldsPipes},
	{16, "crashes in a loop; crashes right after each first success", "growing delays, quarantine; others keep their budget; the counter resets only after 60 s healthy", crashLoop},
	{17, "gateway killed with -9", "plugins gone within 2 s; next start sweeps stale sockets", gatewayKilled},
	{18, "gateway stopped politely with requests in flight", "they finish within the grace, then everything is gone, exit 0", gatewayStopped},
	{19, "ignores shutdown, blocks in drain, never returns", "TERM, KILL to the group, total time bounded", ignoresShutdown},
	{20, "digest differs from the pinned one; changed on disk while running, then crashes; swapped between check and start", "refused, said plainly; what runs is the verified copy", wrongDigest},
	{21, "binary replaced: copied over, renamed, half written", "no \"text file busy\"; half files wait; blue/green swap without a failed request", replaced},
	{22, "new version fails manifest, config or health", "the old one keeps serving; the error is reported", badVersion},
	{23, "not executable, wrong architecture, script without interpreter, folder, dangling link, link out of the folder, writable by others", "one clear reason each; the scan goes on", cannotRun},
	{24, "two binaries with one name, name unlike its manifest, two plugins claim one route", "a deterministic winner or a refusal that names both files", clashes},
	{25, "manifest empty, 10 MB, not UTF-8, routes with .. or on the core's own paths, 10,000 capabilities", "refused with the field's name", badManifest},
	{26, "config: unknown key, wrong type, missing, the plugin's own Validate fails", "file, line, snippet; a running plugin is untouched", badConfig},
	{27, "Configure hangs or fails on a change", "old config stays in force", configureFails},
	{28, "health slow, failing, flapping", "cached answer, degraded; capabilities within 50 ms", badHealth},
	{29, "answers with huge headers, an endless body, a wrong length, forged Salita-* headers, an impossible status", "502, bounded memory, headers stripped", impossibleAnswers},
	{30, "client reads slowly or vanishes during a 4 GB body; 10 GB upload of which the plugin reads nothing", "flat memory, the plugin's request ends, back-pressure, an early 413 passes through", largeBodies},
	{31, "upgrade, server-sent events, Range, HEAD, 304, trailers", "as with plain net/http", kindsOfHTTP},
	{32, "more requests at once than the cap", "503 with Retry-After, others unaffected", tooManyRequests},
	{33, "its socket folder is deleted under it; socket path too long; disk full; no descriptors; fork fails", "noticed, clear error, retry with backoff", shortages},
	{34, "floods events, or never reads its input", "bounded buffers, the gap visible", floods},
	{35, "built with a newer or an older SDK", "works with what both know", otherAges},
}

// TestFaults does every fault. With -v it ends in a table of what was measured.
func TestFaults(t *testing.T) {
	var report strings.Builder
	for _, r := range rows {
		t.Run(fmt.Sprintf("%02d", r.number), func(t *testing.T) {
			t.Logf("%s: %s", r.fault, r.expect)
			began := time.Now()
			y := newYard(t)
			defer func() {
				y.end()
				fmt.Fprintf(&report, "%2d  %-68s %s\n", r.number, r.fault[:min(len(r.fault), 68)], time.Since(began).Round(time.Millisecond))
				for _, f := range y.figures {
					fmt.Fprintf(&report, "      %-66s %8s of %s\n", f.what, f.measured.Round(10*time.Microsecond), f.bound)
				}
			}()
			r.check(y)
			if y.host == nil {
				t.Fatal("the row started nothing")
			}
		})
	}
	t.Logf("what was measured:\n%s", &report)
}
