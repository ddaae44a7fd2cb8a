package plugins

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"Grüße, 世界 👍", "Grüße, 世界 👍"},
		{"a\nb\tc\r", `a\nb\tc\x0d`},
		{"\x1b[31mred\x00\x7f", `\x1b[31mred\x00\x7f`},
		{"a\xffb", `a\xffb`},
		{"safe\u202egnp.exe", `safe\u{202e}gnp.exe`},
		{"\u200bzero", `\u{200b}zero`},
		{"\u2028line", `\u{2028}line`},
		{"\u0085next", `\u{85}next`},
		{strings.Repeat("x", 100), strings.Repeat("x", 60) + "... (40 more bytes)"},
		{strings.Repeat("ü", 31) + "x", strings.Repeat("ü", 30) + "... (3 more bytes)"},
	} {
		if got := printable(c.in, 60); got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("a\x1b\xff\u202e", 3)
	f.Fuzz(func(t *testing.T, in string, limit int) {
		if limit < 0 || limit > 1<<16 {
			return
		}
		got := printable(in, limit)
		if !utf8.ValidString(got) || strings.IndexFunc(got, suspicious) >= 0 {
			t.Fatalf("%q", got)
		}
		if printable(got, len(got)) != got {
			t.Fatalf("not stable: %q", got)
		}
	})
}
