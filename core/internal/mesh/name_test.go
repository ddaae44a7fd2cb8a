package mesh

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestCleanName(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "Study Desktop", "Study Desktop"},
		{"spaces", "  a \t b\n", "a b"},
		{"control characters", "a\x00b\x1b[31mc", "ab[31mc"},
		{"direction marks", "abc\u202egpj.exe", "abcgpj.exe"},
		{"html stays text", "<b>NAS</b>", "<b>NAS</b>"},
		{"family emoji", "👩‍👩‍👧 phone", "👩‍👩‍👧 phone"},
		{"combining accents", "Zoe\u0308", "Zoe\u0308"},
		{"invalid UTF-8", "a\xff\xfeb", "ab"},
		{"nothing left", "\u202e\x00 ", ""},
		{"Hangul filler alone", "\u3164", ""},
		{"fillers and an empty Braille pattern", "\u115f\u1160\u2800\uffa0", ""},
		{"a name that ends in a filler", "NAS\u3164", "NAS"},
		{"joiners alone", "\u200d\u200d", ""},
		{"marks alone", "\u034f\ufe0f\u0301", ""},
		{"marks and, too late, a letter", strings.Repeat("\u0301", MaxNameRunes) + "a", ""},
		{"10,000 letters", strings.Repeat("ä", 10_000), strings.Repeat("ä", MaxNameRunes)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := CleanName(tt.in); got != tt.want {
				t.Errorf("CleanName = %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzCleanName(f *testing.F) {
	f.Add("Laptop")
	f.Add("\u2067\u202e\x00\x7f\u0085 ")
	f.Fuzz(func(t *testing.T, in string) {
		got := CleanName(in)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > MaxNameRunes || got != strings.TrimSpace(got) {
			t.Errorf("%q became %q", in, got)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
			t.Errorf("%q became %q, with control characters", in, got)
		}
		if got != "" && strings.IndexFunc(got, visible) < 0 {
			t.Errorf("%q became %q, which cannot be seen", in, got)
		}
		if CleanName(got) != got {
			t.Errorf("%q is not stable: %q", got, CleanName(got))
		}
	})
}
