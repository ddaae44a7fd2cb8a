package plugins

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

type readLine struct {
	Text    string
	Skipped int
}

func readAll(r io.Reader, limit int) ([]readLine, error) {
	var out []readLine
	lines := newLineReader(r, limit)
	for {
		line, skipped, err := lines.next()
		if err != nil {
			return out, err
		}
		out = append(out, readLine{string(line), skipped})
	}
}

func TestLineReader(t *testing.T) {
	const limit = 16 // bufio's smallest buffer
	for _, c := range []struct {
		name, in string
		want     []readLine
	}{
		{"empty", "", nil},
		{"lines", "a\nbc\r\n\nd\n", []readLine{{"a", 0}, {"bc", 0}, {"", 0}, {"d", 0}}},
		{"no newline at the end", "a\nb", []readLine{{"a", 0}, {"b", 0}}},
		{"as long as the buffer", strings.Repeat("x", 15) + "\ny\n", []readLine{{strings.Repeat("x", 15), 0}, {"y", 0}}},
		{"one over", strings.Repeat("x", 16) + "\ny\n", []readLine{{strings.Repeat("x", 16), 1}, {"y", 0}}},
		{"long", strings.Repeat("x", 100) + "\ny\n", []readLine{{strings.Repeat("x", 16), 85}, {"y", 0}}},
		{"long without an end", strings.Repeat("x", 100), []readLine{{strings.Repeat("x", 16), 84}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, r := range map[string]io.Reader{"whole": strings.NewReader(c.in), "bytewise": iotest.OneByteReader(strings.NewReader(c.in))} {
				got, err := readAll(r, limit)
				if diff := cmp.Diff(c.want, got); diff != "" || err != io.EOF {
					t.Errorf("%s: %v %s", name, err, diff)
				}
			}
		})
	}
}

func TestLineReaderPassesErrorsOn(t *testing.T) {
	boom := errors.New("boom")
	got, err := readAll(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(boom)), 16)
	if diff := cmp.Diff([]readLine{{"a", 0}, {"b", 0}}, got); diff != "" || !errors.Is(err, boom) {
		t.Errorf("%v %s", err, diff)
	}
}

// FuzzLineReader checks that no byte is invented or lost.
func FuzzLineReader(f *testing.F) {
	f.Add([]byte("a\nb\r\n"))
	f.Add(bytes.Repeat([]byte("x"), 100))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := readAll(bytes.NewReader(in), 16)
		if err != io.EOF {
			t.Fatal(err)
		}
		total := 0
		for _, l := range got {
			if strings.Contains(l.Text, "\n") || len(l.Text) > 16 {
				t.Fatalf("line %q", l.Text)
			}
			total += len(l.Text) + l.Skipped
		}
		if total > len(in) || total < len(bytes.ReplaceAll(bytes.ReplaceAll(in, []byte("\n"), nil), []byte("\r"), nil)) {
			t.Fatalf("%d bytes out of %d", total, len(in))
		}
	})
}
