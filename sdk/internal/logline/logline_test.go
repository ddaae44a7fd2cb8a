package logline

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// roundTrip logs with the given function and parses what was written.
func roundTrip(t *testing.T, log func(l *slog.Logger)) []Record {
	t.Helper()
	var buf bytes.Buffer
	log(slog.New(NewHandler(&buf, slog.LevelDebug)))
	var records []Record
	for line := range strings.Lines(buf.String()) {
		record, ok := Parse([]byte(strings.TrimSuffix(line, "\n")))
		if !ok {
			t.Fatalf("not a record: %q", line)
		}
		records = append(records, record)
	}
	return records
}

type panicker struct{}

func (panicker) MarshalText() ([]byte, error) { panic("no") }

func TestRoundTrip(t *testing.T) {
	when := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		name string
		log  func(l *slog.Logger)
		want Record
	}{
		{"plain", func(l *slog.Logger) { l.Info("hello") }, Record{Level: slog.LevelInfo, Message: "hello"}},
		{"levels between", func(l *slog.Logger) { l.Log(context.Background(), slog.LevelWarn+2, "w") }, Record{Level: slog.LevelWarn, Message: "w"}},
		{"below debug", func(l *slog.Logger) { l.Log(context.Background(), slog.LevelDebug, "d") }, Record{Level: slog.LevelDebug, Message: "d"}},
		{"line breaks and quotes", func(l *slog.Logger) { l.Error("a\nb\"c\x00", "k\n", "v\n\u2028") }, Record{Level: slog.LevelError, Message: "a\nb\"c\x00", Attrs: []Attr{{"k\n", "v\n\u2028"}}}},
		{"values", func(l *slog.Logger) {
			l.Info("m", "i", 1, "u", uint64(math.MaxUint64), "f", 1.5, "nan", math.NaN(), "b", true, "d", time.Second, "t", when,
				"err", errors.New("boom"), "addr", netip.MustParseAddr("::1"), "nil", nil, "struct", struct{ A int }{7}, "bad", panicker{})
		}, Record{Level: slog.LevelInfo, Message: "m", Attrs: []Attr{
			{"i", "1"},
			{"u", "18446744073709551615"},
			{"f", "1.5"},
			{"nan", "NaN"},
			{"b", "true"},
			{"d", "1s"},
			{"t", "2026-01-02T03:04:05Z"},
			{"err", "boom"},
			{"addr", "::1"},
			{"nil", "<nil>"},
			{"struct", "{A:7}"},
			{"bad", "{}"},
		}}},
		{"groups", func(l *slog.Logger) {
			l.With("a", 1).WithGroup("g").With("b", 2).WithGroup("").Info("m", slog.Group("h", "c", 3), slog.Group("", "d", 4), slog.Group("empty"))
		}, Record{Level: slog.LevelInfo, Message: "m", Attrs: []Attr{{"a", "1"}, {"g.b", "2"}, {"g.h.c", "3"}, {"g.d", "4"}}}},
		{"empty attribute", func(l *slog.Logger) { l.Info("m", slog.Attr{}) }, Record{Level: slog.LevelInfo, Message: "m"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff([]Record{c.want}, roundTrip(t, c.log)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDerivedHandlersDoNotShareAttributes(t *testing.T) {
	got := roundTrip(t, func(l *slog.Logger) {
		base := l.With("base", 1)
		a, b := base.With("a", 1), base.With("b", 2)
		a.Info("m")
		b.Info("m")
	})
	want := []Record{
		{Message: "m", Attrs: []Attr{{"base", "1"}, {"a", "1"}}},
		{Message: "m", Attrs: []Attr{{"base", "1"}, {"b", "2"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLevelCanChange(t *testing.T) {
	level := new(slog.LevelVar)
	var buf bytes.Buffer
	log := slog.New(NewHandler(&buf, level))
	log.Debug("hidden")
	level.Set(slog.LevelDebug)
	log.Debug("shown")
	if got := buf.String(); strings.Contains(got, "hidden") || !strings.Contains(got, "shown") {
		t.Errorf("got %q", got)
	}
}

func TestLongRecordsStayWithinBounds(t *testing.T) {
	for _, text := range []string{strings.Repeat("x", 1<<20), strings.Repeat("\x01", 100<<10)} {
		got := roundTrip(t, func(l *slog.Logger) { l.Info(text, "k", text) })
		if len(got) != 1 || len(got[0].Message) != 4<<10 || got[0].Attrs[0].Key != "truncated_bytes" {
			t.Errorf("got %d records", len(got))
		}
	}
	var buf bytes.Buffer
	slog.New(NewHandler(&buf, slog.LevelInfo)).Info(strings.Repeat("\x01", 1<<20))
	if buf.Len() > MaxBytes {
		t.Errorf("%d bytes", buf.Len())
	}
}

func TestConcurrentWritesKeepLinesWhole(t *testing.T) {
	var mu sync.Mutex
	var chunks []string
	log := slog.New(NewHandler(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		chunks = append(chunks, string(p))
		return len(p), nil
	}), slog.LevelInfo))
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for range 50 {
				log.With("a", 1).Info("m")
			}
		})
	}
	work.Wait()
	for _, c := range chunks {
		if _, ok := Parse([]byte(strings.TrimSuffix(c, "\n"))); !ok {
			t.Fatalf("%q", c)
		}
	}
	if len(chunks) != 400 {
		t.Errorf("%d writes for 400 records", len(chunks))
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestParseRefuses(t *testing.T) {
	for _, line := range []string{
		``, `{}`, `null`, `text`, `{"@message": 1}`, `{"level":"info","msg":"m"}`,
		` {"salita_log":1,"level":"info","msg":"m"}`,
		`{"salita_log":2,"level":"info","msg":"m"}`,
		`{"salita_log":1,"level":"info","msg":"m"`,
		`{"salita_log":1,"level":"info","msg":"m"} x`,
		`{"salita_log":1,"level":"fatal","msg":"m"}`,
		`{"salita_log":1,"level":3,"msg":"m"}`,
		`{"salita_log":1,"level":"info","msg":1}`,
		`{"salita_log":1,"level":"info","msg":"m","attrs":{}}`,
		`{"salita_log":1,"level":"info","msg":"m","attrs":[1]}`,
		`{"salita_log":1,"level":"info","msg":"m","attrs":[["k"]]}`,
		`{"salita_log":1,"level":"info","msg":"m","attrs":[["k",1,2]]}`,
		`{"salita_log":1,"level":"info","msg":"m","attrs":[[1,"v"]]}`,
	} {
		if record, ok := Parse([]byte(line)); ok {
			t.Errorf("%s: %+v", line, record)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"salita_log":1,"level":"info","msg":"m","attrs":[["k",{"a":[]}]]}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		record, ok := Parse(line)
		if ok && !bytes.HasPrefix(line, []byte(mark)) {
			t.Fatalf("%q: %+v", line, record)
		}
	})
}
