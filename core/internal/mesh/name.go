package mesh

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxNameRunes is the longest device name kept; longer ones are cut.
const MaxNameRunes = 64

// CleanName makes a device name safe to show anywhere: valid UTF-8, one line,
// no control or direction-changing characters, single spaces, at most
// MaxNameRunes characters. It returns "" when nothing is left.
func CleanName(name string) string {
	// A hostile name may be huge; nothing past this many bytes can survive.
	if limit := MaxNameRunes * utf8.UTFMax * 4; len(name) > limit {
		name = name[:limit]
	}
	name = strings.ToValidUTF8(name, "")
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == zeroWidthJoiner: // holds emoji families together
			return r
		case !unicode.IsPrint(r) && !unicode.Is(unicode.M, r):
			return -1
		}
		return r
	}, name)
	name = strings.Join(strings.Fields(name), " ")
	if utf8.RuneCountInString(name) > MaxNameRunes {
		name = strings.TrimSpace(string([]rune(name)[:MaxNameRunes]))
	}
	return name
}

const zeroWidthJoiner = '\u200d'
