package plugins

import (
	"io"
	"log/slog"
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
	tailLineBytes   = 500
)

// logReader turns a plugin's standard error into lines of the gateway's log:
// records of the SDK at their own level, anything else word for word as data.
type logReader struct {
	log     hclog.Logger // named after the plugin
	limiter limiter

	mu   sync.Mutex
	tail []string
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
	l.reportSuppressed(l.limiter.rest())
}

func (l *logReader) line(line []byte, skipped int, now time.Time) {
	ok, suppressed := l.limiter.allow(now)
	l.reportSuppressed(suppressed)
	if !ok {
		return
	}
	if record, isRecord := control.ParseLogLine(line); isRecord && skipped == 0 {
		l.remember(record.Message)
		l.record(record)
		return
	}
	text := printable(string(line), maxLogText)
	l.remember(text)
	args := []any{"text", text}
	if skipped > 0 {
		args = append(args, "skipped_bytes", skipped)
	}
	l.log.Info("plugin wrote", args...)
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

// remember keeps the last lines, for the report of a crash.
func (l *logReader) remember(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.tail) == tailLines {
		l.tail = append(l.tail[:0], l.tail[1:]...)
	}
	l.tail = append(l.tail, printable(text, tailLineBytes))
}

// last returns the last lines.
func (l *logReader) last() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.tail...)
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
