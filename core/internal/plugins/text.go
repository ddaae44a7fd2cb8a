package plugins

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// printable makes foreign text safe for a log, a terminal and a page: control
// and direction-changing characters and broken UTF-8 are spelled out, and at
// most limit bytes are kept.
func printable(s string, limit int) string {
	rest := 0
	if len(s) > limit {
		cut := limit
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s, rest = s[:cut], len(s)-cut
	}
	if strings.IndexFunc(s, suspicious) >= 0 {
		s = escape(s)
	}
	if rest > 0 {
		s += fmt.Sprintf("... (%d more bytes)", rest)
	}
	return s
}

// suspicious reports a character that could change what stands around it.
// utf8.RuneError is how broken UTF-8 reads.
func suspicious(r rune) bool {
	return r == utf8.RuneError || (r != ' ' && !unicode.IsGraphic(r)) || unicode.Is(unicode.Bidi_Control, r)
}

func escape(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case !suspicious(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == utf8.RuneError || r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
	}
	return b.String()
}
