package text

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "Good morning", "Good morning"},
		{"nothing", "", ""},
		{"only space", " \t\r\n\u00a0\u3000 ", ""},
		{"space around", "\n  hello \t\n", "hello"},
		{"space inside stays", "a  b\t c\n\n\nd", "a  b\t c\n\n\nd"},
		{"line breaks of other systems", "a\r\nb\rc\n\rd", "a\nb\nc\n\nd"},
		{"control characters go", "a\x00b\x1b[31mc\x7fd\u0085e\u009b", "ab[31mcde"},
		{"control characters at the edge", "\x00 a \x00", "a"},
		{"markup is text", `<script>alert("x")</script> & more`, `<script>alert("x")</script> & more`},
		{"direction marks stay", "\u202eabc\u202c \u2067שלום\u2069", "\u202eabc\u202c \u2067שלום\u2069"},
		{"emoji stay whole", "👨‍👩‍👧‍👦 👍🏽 🇨🇭", "👨‍👩‍👧‍👦 👍🏽 🇨🇭"},
		{"accents stay as spelled", "e\u0301 é", "e\u0301 é"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Clean(tt.in); got != tt.want {
				t.Errorf("Clean(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestLine(t *testing.T) {
	tests := []struct {
		in    string
		limit int
		want  string
	}{
		{"Anna's Phone", 64, "Anna's Phone"},
		{"  Anna's\r\n\t Phone\x00 ", 64, "Anna's Phone"},
		{"abcdef", 3, "abc"},
		{"äöü 🎉🎉", 5, "äöü 🎉"},
		{"ab cd", 3, "ab"},
		{"bad \xff bytes", 64, "bad bytes"},
		{"", 64, ""},
		{"\x00\x01", 64, ""},
	}
	for _, tt := range tests {
		if got := Line(tt.in, tt.limit); got != tt.want {
			t.Errorf("Line(%q, %d) = %q, want %q", tt.in, tt.limit, got, tt.want)
		}
	}
}

func TestLength(t *testing.T) {
	for s, want := range map[string]int{"": 0, "abc": 3, "äöü": 3, "🎉": 1, "e\u0301": 2, "👨‍👩‍👧‍👦": 7} {
		if got := Length(s); got != want {
			t.Errorf("Length(%q) = %d, want %d", s, got, want)
		}
	}
}

func TestBlank(t *testing.T) {
	for s, want := range map[string]bool{
		"": true, " \n": true, "\u200b\u200d\ufeff": true, "\u202e \u2069": true, "\x00": true,
		"a": false, "\u202ea": false, ".": false, "🎉": false, "\u200b<": false,
	} {
		if got := Blank(s); got != want {
			t.Errorf("Blank(%q) = %v", s, got)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\r\nb")
	f.Add("\x00\u0085\u202e")
	f.Add("<b> 👨‍👩‍👧‍👦")
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		got := Clean(s)
		if Clean(got) != got {
			t.Errorf("cleaned twice, %q becomes %q and then %q", s, got, Clean(got))
		}
		if !utf8.ValidString(got) || Length(got) > Length(s) {
			t.Errorf("Clean(%q) = %q", s, got)
		}
		for _, r := range got {
			if unicode.IsControl(r) && r != '\n' && r != '\t' {
				t.Errorf("Clean(%q) = %q, which holds %q", s, got, r)
			}
		}
		kept := func(r rune) rune {
			if unicode.IsControl(r) || unicode.IsSpace(r) {
				return -1
			}
			return r
		}
		if strings.Map(kept, s) != strings.Map(kept, got) {
			t.Errorf("Clean(%q) = %q lost something that can be seen", s, got)
		}
		if line := Line(s, 20); Length(line) > 20 || strings.ContainsAny(line, "\n\t") {
			t.Errorf("Line(%q) = %q", s, line)
		}
	})
}
