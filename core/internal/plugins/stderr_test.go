package plugins

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
)

func readLog(lines ...string) (string, *logReader) {
	buf := &logBuffer{}
	r := newLogReader(hclog.New(&hclog.LoggerOptions{Output: buf, Level: hclog.Trace, DisableTime: true, Name: "p"}))
	r.run(strings.NewReader(strings.Join(lines, "\n")))
	return buf.String(), r
}

func TestLogReader(t *testing.T) {
	for _, c := range []struct{ name, line, want string }{
		{"record", `{"salita_log":1,"level":"warn","msg":"disk low","attrs":[["left","2 GB"],["n",3],["ok",true]]}`, `[WARN]  p: disk low: left="2 GB" n=3 ok=true`},
		{"debug", `{"salita_log":1,"level":"debug","msg":"m"}`, "[DEBUG] p: m"},
		{"error", `{"salita_log":1,"level":"error","msg":"m"}`, "[ERROR] p: m"},
		{"forged line in a message", `{"salita_log":1,"level":"info","msg":"m\n[ERROR] core: hacked"}`, `[INFO]  p: m\n[ERROR] core: hacked`},
		{"forged line in a value", `{"salita_log":1,"level":"info","msg":"m","attrs":[["k","v\n[ERROR] x"]]}`, `[INFO]  p: m: k="v\n[ERROR] x"`},
		{"wrong level", `{"salita_log":1,"level":"fatal","msg":"m"}`, `[INFO]  p: plugin wrote: text="{\"salita_log\"`},
		{"go-plugin's trap", `{"@message": 1}`, `[INFO]  p: plugin wrote: text="{\"@message\": 1}"`},
		{"plain", "panic: oh no", `[INFO]  p: plugin wrote: text="panic: oh no"`},
		{"escape codes", "\x1b[2J\x07", `\x1b[2J\x07`},
		{"long", strings.Repeat("z", 100<<10), "skipped_bytes=36864"},
		{"blank", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := readLog(c.line)
			if !strings.Contains(got, c.want) || strings.Count(got, "\n") > 1 {
				t.Errorf("got %.300q", got)
			}
			if len(got) > 2*maxLogText {
				t.Errorf("%d bytes for one line", len(got))
			}
		})
	}
}

func TestLogReaderLimitsFloodsAndAttributes(t *testing.T) {
	var lines []string
	for i := range 5 * logLinesPerTick {
		lines = append(lines, fmt.Sprint("line ", i))
	}
	log, _ := readLog(lines...)
	shown := strings.Count(log, "plugin wrote")
	// A second may end in between on a slow machine; more than a few cannot.
	if shown < logLinesPerTick || shown > 4*logLinesPerTick || !strings.Contains(log, "plugin log lines suppressed: count=") {
		t.Errorf("%d lines shown", shown)
	}
	many := `{"salita_log":1,"level":"info","msg":"m","attrs":[` + strings.TrimSuffix(strings.Repeat(`["k",1],`, 1000), ",") + `]}`
	if log, _ := readLog(many); strings.Count(log, "k=1") != maxLogAttrs {
		t.Errorf("got %q", log)
	}
}

// flood is more lines than are shown.
func flood(n int) []string { return slices.Repeat([]string{"x"}, n) }

// TestLogReaderTellsWhatItSuppressed has a plugin that falls silent after a
// flood: nothing comes that could bring the count along.
func TestLogReaderTellsWhatItSuppressed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		buf := &logBuffer{}
		l := newLogReader(hclog.New(&hclog.LoggerOptions{Output: buf, DisableTime: true}))
		r, w := io.Pipe()
		go l.run(r)
		for range 3 {
			_, _ = io.WriteString(w, strings.Join(flood(logLinesPerTick+5), "\n")+"\n")
			time.Sleep(logTick + time.Millisecond)
			synctest.Wait()
		}
		if n := strings.Count(buf.String(), "plugin log lines suppressed: count=5"); n != 3 {
			t.Errorf("told %d times, want 3", n)
		}
		_ = w.Close()
		synctest.Wait()
		if n := strings.Count(buf.String(), "suppressed"); n != 3 {
			t.Errorf("told %d times, want 3", n)
		}
	})
}

func TestLogReaderRemembersTheLastLines(t *testing.T) {
	var lines []string
	for i := range 20 {
		lines = append(lines, fmt.Sprint("line ", i))
	}
	lines = append(lines, `{"salita_log":1,"level":"error","msg":"goodbye"}`)
	_, r := readLog(slices.Concat(flood(2*logLinesPerTick), lines)...)
	want := []string{"line 13", "line 14", "line 15", "line 16", "line 17", "line 18", "line 19", "goodbye"}
	if diff := cmp.Diff(want, r.last()); diff != "" {
		t.Error(diff)
	}
	_, r = readLog(append([]string{"panic: no disk"}, lines...)...)
	if diff := cmp.Diff("panic: no disk", r.last()[0]); diff != "" || len(r.last()) != tailLines {
		t.Errorf("got %q", r.last())
	}
}

func TestLevels(t *testing.T) {
	for level, want := range map[slog.Level]hclog.Level{slog.LevelDebug: hclog.Debug, slog.LevelInfo: hclog.Info, slog.LevelWarn: hclog.Warn, slog.LevelError: hclog.Error} {
		if got := hclogLevel(level); got != want {
			t.Errorf("%v: %v", level, got)
		}
	}
	for level, want := range map[hclog.Level]string{hclog.Trace: "debug", hclog.Debug: "debug", hclog.Info: "info", hclog.NoLevel: "info", hclog.Warn: "warn", hclog.Error: "error", hclog.Off: "error"} {
		if got := levelWord(level); got != want {
			t.Errorf("%v: %s", level, got)
		}
	}
}

// FuzzLogReader feeds one hostile line; nothing may panic and nothing but
// printable text may reach the log.
func FuzzLogReader(f *testing.F) {
	f.Add([]byte(`{"salita_log":1,"level":"info","msg":"m","attrs":[["k",{}],["k"]]}`))
	f.Add([]byte("\x1b]0;x\x07"))
	f.Fuzz(func(t *testing.T, line []byte) {
		buf := &logBuffer{}
		r := newLogReader(hclog.New(&hclog.LoggerOptions{Output: buf, DisableTime: true}))
		r.line(line, 0, time.Now())
		if strings.IndexFunc(strings.TrimSuffix(buf.String(), "\n"), suspicious) >= 0 {
			t.Fatalf("%q", buf.String())
		}
	})
}
