package plugins

import (
	"bytes"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/sdk/control"
)

// Bounds on what a plugin may put into the gateway's log.
const (
	maxLogLine      = 64 << 10 // bytes read of one line
	maxLogText      = 8 << 10  // bytes shown of one message or value
	maxLogAttrs     = 32
	logLinesPerTick = 200
	logTick         = time.Second
	tailLines       = 8
	tailLineBytes   = 500     // shown of each
	maxTailRecord   = 4 << 10 // bytes kept of each, to be read as a record
)

// logReader turns a plugin's standard error into lines of the gateway's log:
// records of the SDK at their own level, anything else word for word as data.
type logReader struct {
	log hclog.Logger // named after the plugin

	mu      sync.Mutex
	limiter limiter
	report  *time.Timer // of what was suppressed; nil until something was
	tail    [][]byte
	cause   []byte // the line with which a Go program begins to say why it dies
}

func newLogReader(log hclog.Logger) *logReader {
	return &logReader{log: log, limiter: limiter{most: logLinesPerTick, period: logTick}}
}

// run reads to the end. It never stops reading before, so that a plugin is
// never blocked by its own log.
func (l *logReader) run(r io.Reader) {
	lines := newLineReader(r, maxLogLine)
	for {
		line, skipped, err := lines.next()
		if err != nil {
			break
		}
		if len(line) > 0 {
			l.line(line, skipped, time.Now())
		}
	}
	l.reportRest()
}

func (l *logReader) line(line []byte, skipped int, now time.Time) {
	l.remember(line)
	if !l.allow(now) {
		return
	}
	if record, isRecord := control.ParseLogLine(line); isRecord && skipped == 0 {
		l.record(record)
		return
	}
	args := []any{"text", printable(string(line), maxLogText)}
	if skipped > 0 {
		args = append(args, "skipped_bytes", skipped)
	}
	l.log.Info("plugin wrote", args...)
}

// allow reports whether there is room for one more line. How many there was none
// for is told soon after, also when the plugin then falls silent.
func (l *logReader) allow(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	ok, suppressed := l.limiter.allow(now)
	l.reportSuppressed(suppressed)
	switch {
	case ok:
	case l.report == nil:
		l.report = time.AfterFunc(logTick, l.reportRest)
	case l.limiter.suppressed == 1:
		l.report.Reset(logTick)
	}
	return ok
}

// reportRest tells what was suppressed and not told yet.
func (l *logReader) reportRest() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.report != nil {
		l.report.Stop()
	}
	l.reportSuppressed(l.limiter.rest())
}

func (l *logReader) record(r control.LogRecord) {
	args := make([]any, 0, 2*min(len(r.Attrs), maxLogAttrs))
	for _, a := range r.Attrs[:min(len(r.Attrs), maxLogAttrs)] {
		args = append(args, printable(a.Key, tailLineBytes), printable(a.Value, maxLogText))
	}
	l.log.Log(hclogLevel(r.Level), printable(r.Message, maxLogText), args...)
}

func (l *logReader) reportSuppressed(n int) {
	if n > 0 {
		l.log.Warn("plugin log lines suppressed", "count", n)
	}
}

// remember keeps the last lines, also those that are not shown, for the report
// of a crash.
func (l *logReader) remember(line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := []byte(nil)
	if len(l.tail) == tailLines {
		kept = l.tail[0][:0]
		copy(l.tail, l.tail[1:])
		l.tail = l.tail[:tailLines-1]
	}
	kept = append(kept, line[:min(len(line), maxTailRecord)]...)
	l.tail = append(l.tail, kept)
	if bytes.HasPrefix(line, []byte("panic: ")) || bytes.HasPrefix(line, []byte("fatal error: ")) {
		l.cause = slices.Clone(kept)
	}
}

// last returns the last lines; of a record of the SDK its message.
func (l *logReader) last() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.tail
	if l.cause != nil && !slices.ContainsFunc(lines, func(line []byte) bool { return bytes.Equal(line, l.cause) }) {
		lines = append([][]byte{l.cause}, lines[1:]...) // the stack that follows it can be long
	}
	var last []string
	for _, line := range lines {
		text := string(line)
		if record, isRecord := control.ParseLogLine(line); isRecord {
			text = record.Message
		}
		last = append(last, printable(text, tailLineBytes))
	}
	return last
}

func hclogLevel(l slog.Level) hclog.Level {
	switch l {
	case slog.LevelDebug:
		return hclog.Debug
	case slog.LevelWarn:
		return hclog.Warn
	case slog.LevelError:
		return hclog.Error
	}
	return hclog.Info
}

// levelWord is the level that the plugin is told to log from.
func levelWord(l hclog.Level) string {
	switch l {
	case hclog.Trace, hclog.Debug:
		return "debug"
	case hclog.Warn:
		return "warn"
	case hclog.Error, hclog.Off:
		return "error"
	}
	return "info"
}
