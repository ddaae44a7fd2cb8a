package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestRun makes a whole run in small, with what needs no download; with
// SALITA_LONG set it builds and measures every plane.
func TestRun(t *testing.T) {
	planes := "alone"
	if os.Getenv("SALITA_LONG") != "" {
		planes = "alone,caddy,tusd"
	}
	dir := t.TempDir()
	build(t, filepath.Join(dir, "bin", "salita"), "../cmd/salita")
	build(t, filepath.Join(dir, "bin", "plugins", "salita-plugin-media"), "../plugins/media")
	out := filepath.Join(dir, "BENCHMARKS.md")
	var printed bytes.Buffer
	err := run(t.Context(), []string{
		"-root", "..", "-bin", filepath.Join(dir, "bin"), "-dir", dir, "-out", out,
		"-size", "3MiB", "-reps", "1", "-calls", "32", "-tokens=false", "-planes", planes,
	}, &printed, testWriter{t})
	if err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != printed.String() {
		t.Error("what was printed is not what was written")
	}
	for _, want := range []string{"## Upload of 3 MiB", "## Download of 3 MiB", "## Small calls, 16 connections", "| alone | server ", "0 failed", "| tls/16 | "} {
		if !strings.Contains(string(written), want) {
			t.Errorf("no %q in\n%s", want, written)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "salita-bench-*"))
	if len(left) > 0 || err != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// build makes a program of the repository, which only its owner can change.
func build(t *testing.T, program, pkg string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-o", program, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	for _, path := range []string{program, filepath.Dir(program)} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

func TestWrongUsage(t *testing.T) {
	for _, args := range [][]string{
		{"-size", "1"},
		{"-size", "many MiB"},
		{"-size", "-1MiB"},
		{"-size", "0B"},
		{"-reps", "0"},
		{"-calls", "0"},
		{"-planes", "nginx"},
		{"-planes", ""},
		{"-unknown"},
	} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%v was accepted", args)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"1GiB": 1 << 30, "64 MiB": 64 << 20, "3KiB": 3 << 10, "17B": 17} {
		if got, err := parseSize(text); got != want || err != nil {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for n, want := range map[int64]string{1 << 30: "1 GiB", 1536 << 10: "1536 KiB", 17: "17 B"} {
		if got := formatSize(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

func TestStat(t *testing.T) {
	// A process may call itself anything.
	line := "4711 (a) b) (c) S 42 4711 4711 0 -1 4194560 1 2 3 4 150 75 9 9 20 0 1 0 100 1 1"
	got, err := parseStat([]byte(line))
	if want := (procStat{parent: 42, cpu: 2250 * time.Millisecond}); got != want || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, line := range []string{"", "4711", "4711 (x) S", "4711 (x) S a b c d e f g h i j k l m n"} {
		if s, err := parseStat([]byte(line)); err == nil {
			t.Errorf("%q is %+v", line, s)
		}
	}
	if s, err := readStat(os.Getpid()); err != nil || s.parent != os.Getppid() {
		t.Errorf("this process: %+v, %v", s, err)
	}
}

func TestPeak(t *testing.T) {
	got, err := parsePeak("Name:\tx\nVmPeak:\t 99 kB\nVmHWM:\t   26220 kB\nVmRSS:\t 1 kB\n")
	if got != 26220<<10 || err != nil {
		t.Errorf("got %d, %v", got, err)
	}
	if _, err := parsePeak("Name:\tx\n"); err == nil {
		t.Error("a peak from nowhere")
	}
}

func TestParseBench(t *testing.T) {
	got := parseBench("goos: linux\nBenchmarkVerify-2   \t 5833 \t  190.5 ns/op\t 0 dbwrites/op\t 0 B/op\t 0 allocs/op\nPASS\nBenchmarkBroken\n")
	want := []figure{{name: "Verify", values: map[string]string{"ns/op": "190.5", "dbwrites/op": "0", "B/op": "0", "allocs/op": "0"}}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(figure{})); diff != "" {
		t.Error(diff)
	}
	if got := want[0].value("furlongs"); got != "–" {
		t.Errorf("got %q", got)
	}
}

func TestMiddleAndQuantile(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 9, 2}, 3}} {
		if got := middle(test.values); got != test.want {
			t.Errorf("%v: %v", test.values, got)
		}
	}
	sorted := []time.Duration{1, 2, 3, 4}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 3, 0.99: 4, 1: 4} {
		if got := quantile(sorted, q); got != want {
			t.Errorf("%v: %v", q, got)
		}
	}
}

// TestAgainst compares turn by turn: a plane that is always twice as fast stays
// so however much the machine's own speed changes.
func TestAgainst(t *testing.T) {
	task := tasks[0]
	plane := func(walls ...time.Duration) *contest {
		c := &contest{target: &target{}, turns: map[string][]turn{}}
		for _, w := range walls {
			c.turns[task.name] = append(c.turns[task.name], turn{wall: w})
		}
		return c
	}
	base, twice := plane(2, 20, 200, 8), plane(1, 10, 100, 4)
	r := report{planes: []*contest{base, twice}}
	if a, b := r.against(base, task), r.against(twice, task); a != 1 || b != 2 {
		t.Errorf("got %v and %v", a, b)
	}
}

func TestReport(t *testing.T) {
	calls := []time.Duration{1 * time.Millisecond, 2 * time.Millisecond}
	c := &contest{
		target: &target{name: "salita", about: "the real thing", processes: map[string]*os.Process{"gateway": nil, "plugin": nil}},
		turns: map[string][]turn{
			tasks[0].name: {{wall: time.Second, calls: calls, cpu: map[string]time.Duration{"gateway": 100 * time.Microsecond, "plugin": 300 * time.Microsecond}}},
			tasks[2].name: {{wall: 2 * time.Second, cpu: map[string]time.Duration{"gateway": time.Second / 2, "plugin": time.Second / 4}}},
		},
		peak: map[string]int64{"plugin": 21 << 20, "gateway": 30 << 20},
	}
	r := report{
		at: time.Date(2026, 11, 24, 7, 0, 0, 0, time.UTC), machine: machine{"go1.26", "linux/amd64", "Abacus", 2},
		options: options{size: 1 << 30, reps: 1}, planes: []*contest{c},
		tokens: []figure{{"Verify", map[string]string{"ns/op": "190"}}},
	}
	text := r.markdown()
	for _, want := range []string{
		"on 2026-11-24 07:00 UTC with go1.26 (linux/amd64) on Abacus, 2 CPUs",
		"| Verify | 190 | – | – |",
		"- **salita**: the real thing",
		"| salita | 2 | 1.00 | 2000 | 2000 | 200 (gateway 50, plugin 150) |",
		"## Upload of 1 GiB\n\n| | MB/s | against salita | CPU s per GiB |\n|---|---|---|---|\n| salita | 537 | 1.00 | 0.75 (gateway 0.50, plugin 0.25) |",
		"| salita | gateway 30, plugin 21 |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestPayload checks that no two payloads, and no two blocks, are the same, and
// that the hash is that of what is sent.
func TestPayload(t *testing.T) {
	var sent bytes.Buffer
	p := newPayload(2*blockSize+100, 7)
	if n, err := p.WriteTo(&sent); n != p.size || err != nil || sent.Len() != int(p.size) {
		t.Fatalf("%d, %v, %d bytes", n, err, sent.Len())
	}
	first, second := sent.Bytes()[:blockSize], sent.Bytes()[blockSize:2*blockSize]
	if bytes.Equal(first, second) {
		t.Error("two blocks are the same")
	}
	again, other := newPayload(p.size, 7), newPayload(p.size, 8)
	if p.sum() != again.sum() || p.sum() == other.sum() {
		t.Error("a payload is not its number's")
	}
}

// TestDialects reads the answers of the servers.
func TestDialects(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	tests := []struct {
		name    string
		dialect dialect
		answer  answer
		want    []string
	}{
		{"media", mediaDialect{}, answer{status: 201, body: []byte(`{"url":"/media/x","items":[{"id":"x","sha256":"` + hash + `"}]}`)}, []string{"/media/x", hash}},
		{"media, refused", mediaDialect{}, answer{status: 200, body: []byte(`{}`)}, nil},
		{"media, not json", mediaDialect{}, answer{status: 201, body: []byte(`<`)}, nil},
		{"tus", tusDialect{}, answer{status: 201, header: map[string][]string{"Location": {"https://a:1/files/x"}, "Upload-Offset": {"5"}}}, []string{"/files/x", ""}},
		{"tus, without the body", tusDialect{}, answer{status: 201, header: map[string][]string{"Location": {"https://a:1/files/x"}}}, nil},
	}
	for _, test := range tests {
		path, sum, err := test.dialect.stored(test.answer)
		if err != nil {
			path, sum = "", ""
		}
		var got []string
		if err == nil {
			got = []string{path, sum}
		}
		if diff := cmp.Diff(test.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %v\n%s", test.name, err, diff)
		}
	}
}
