package logline

import (
	"context"
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// Handler is a slog.Handler that writes records for Parse, each with a single
// Write. It adds no time and no source: the gateway stamps the line.
type Handler struct {
	out   *output
	level slog.Leveler
	group string // "a.b." for keys inside groups a and b
	attrs []pair
}

// output serialises the writes of a handler and of all derived from it.
type output struct {
	mu sync.Mutex
	w  io.Writer
}

// pair is one attribute in its form on the wire: a key and a JSON value.
type pair [2]any

var _ slog.Handler = (*Handler)(nil)

// NewHandler returns a handler that writes records of the level and above to w.
func NewHandler(w io.Writer, level slog.Leveler) *Handler {
	return &Handler{out: &output{w: w}, level: level}
}

// Enabled reports whether records of the level are written.
func (h *Handler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.level.Level()
}

// Handle writes one line.
func (h *Handler) Handle(_ context.Context, r slog.Record) error {
	attrs := slices.Clip(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		attrs = appendAttr(attrs, h.group, a)
		return true
	})
	line := encode(r.Level, r.Message, attrs)
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	_, err := h.out.w.Write(line)
	return err
}

// WithAttrs returns a handler that adds the attributes to each record.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	derived := *h
	derived.attrs = slices.Clip(h.attrs)
	for _, a := range attrs {
		derived.attrs = appendAttr(derived.attrs, h.group, a)
	}
	return &derived
}

// WithGroup returns a handler that puts "name." before each later key.
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	derived := *h
	derived.group = h.group + name + "."
	return &derived
}

func encode(level slog.Level, message string, attrs []pair) []byte {
	line := encodeRecord(level, message, attrs)
	if len(line) > MaxBytes {
		const keep = 4 << 10
		note := []pair{{"truncated_bytes", len(line)}}
		line = encodeRecord(level, message[:min(len(message), keep)], note)
	}
	return line
}

func encodeRecord(level slog.Level, message string, attrs []pair) []byte {
	body, err := json.Marshal(struct {
		Level   string `json:"level"`
		Message string `json:"msg"`
		Attrs   []pair `json:"attrs,omitempty"`
	}{levelWord(level), message, attrs})
	if err != nil {
		// Values are strings, booleans and finite numbers: nothing can fail.
		panic(fmt.Errorf("logline: encode: %w", err))
	}
	line := append([]byte(mark), body[1:]...)
	return append(line, '\n')
}

func appendAttr(attrs []pair, group string, a slog.Attr) []pair {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, inner := range v.Group() {
			attrs = appendAttr(attrs, group, inner)
		}
		return attrs
	}
	if a.Equal(slog.Attr{}) {
		return attrs // slog's rule: an empty attribute is ignored
	}
	return append(attrs, pair{group + a.Key, value(v)})
}

// value is the attribute's value as a string, a boolean or a finite number.
func value(v slog.Value) any {
	switch v.Kind() {
	case slog.KindString:
		return v.String()
	case slog.KindBool:
		return v.Bool()
	case slog.KindInt64:
		return v.Int64()
	case slog.KindUint64:
		return v.Uint64()
	case slog.KindFloat64:
		if f := v.Float64(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f
		}
	case slog.KindTime:
		return v.Time().Format(time.RFC3339Nano)
	case slog.KindAny:
		return text(v.Any())
	}
	return v.String()
}

// text spells any other value. fmt survives methods that panic.
func text(v any) string {
	if m, ok := v.(encoding.TextMarshaler); ok {
		if b, err := marshalText(m); err == nil {
			return string(b)
		}
	}
	return strings.ToValidUTF8(fmt.Sprintf("%+v", v), "\uFFFD")
}

func marshalText(m encoding.TextMarshaler) (b []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return m.MarshalText()
}
