package control

import "github.com/salita-mesh/salita/sdk/internal/logline"

// LogRecord is one log record of a plugin. Its texts are foreign and are to be
// escaped before they are shown.
type LogRecord = logline.Record

// ParseLogLine reads one line of a plugin's standard error, without its
// newline. It reports false for anything that is not a record of the SDK; it
// never fails on hostile input.
func ParseLogLine(line []byte) (LogRecord, bool) { return logline.Parse(line) }
