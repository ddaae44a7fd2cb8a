// Package logline is the form in which a plugin's log records travel over its
// standard error: one JSON object per line, marked so that no other output is
// taken for one. Handler writes them in the plugin, Parse reads them in the
// gateway. Whatever Parse does not know is simply not a record; it trusts
// nothing in the line, and its caller must still escape the texts.
package logline

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
)

// MaxBytes bounds a written line, newline included; a longer record loses its
// attributes. It is below what the gateway reads as one line.
const MaxBytes = 48 << 10

// mark begins every record. The number is the version of the form.
const mark = `{"salita_log":1,`

// Record is one parsed log record.
type Record struct {
	Level   slog.Level // one of slog's four
	Message string
	Attrs   []Attr
}

// Attr is one key and its value as text.
type Attr struct {
	Key   string
	Value string
}

// levels maps the words on the wire.
var levels = map[string]slog.Level{
	"debug": slog.LevelDebug,
	"info":  slog.LevelInfo,
	"warn":  slog.LevelWarn,
	"error": slog.LevelError,
}

// levelWord is the word for a level; levels between two of slog's count as the
// lower one.
func levelWord(l slog.Level) string {
	switch {
	case l < slog.LevelInfo:
		return "debug"
	case l < slog.LevelWarn:
		return "info"
	case l < slog.LevelError:
		return "warn"
	}
	return "error"
}

var errNotRecord = errors.New("logline: not a record")

// Parse reads one line, without its newline. It reports false for anything that
// is not exactly a record.
func Parse(line []byte) (Record, bool) {
	if !bytes.HasPrefix(line, []byte(mark)) {
		return Record{}, false
	}
	var raw struct {
		Level   string            `json:"level"`
		Message string            `json:"msg"`
		Attrs   []json.RawMessage `json:"attrs"`
	}
	if err := json.Unmarshal(line, &raw); err != nil {
		return Record{}, false
	}
	level, ok := levels[raw.Level]
	if !ok {
		return Record{}, false
	}
	record := Record{Level: level, Message: raw.Message}
	for _, pair := range raw.Attrs {
		attr, err := parseAttr(pair)
		if err != nil {
			return Record{}, false
		}
		record.Attrs = append(record.Attrs, attr)
	}
	return record, true
}

func parseAttr(pair json.RawMessage) (Attr, error) {
	var parts []json.RawMessage
	if err := json.Unmarshal(pair, &parts); err != nil {
		return Attr{}, err
	}
	if len(parts) != 2 {
		return Attr{}, errNotRecord
	}
	var attr Attr
	if err := json.Unmarshal(parts[0], &attr.Key); err != nil {
		return Attr{}, err
	}
	if len(parts[1]) > 0 && parts[1][0] == '"' {
		err := json.Unmarshal(parts[1], &attr.Value)
		return attr, err
	}
	attr.Value = string(parts[1]) // a number, a boolean or null reads as it is written
	return attr, nil
}
