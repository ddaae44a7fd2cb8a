package mesh

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxNameRunes is the longest device name kept; longer ones are cut.
const MaxNameRunes = 64

// maxSentenceRunes is the longest foreign sentence repeated to a person.
const maxSentenceRunes = 300

// CleanName makes a device name safe to show anywhere: valid UTF-8, one line,
// no control or direction-changing characters, single spaces, at most
// MaxNameRunes characters. It returns "" when nothing is left that can be seen.
func CleanName(name string) string { return cleanLine(name, MaxNameRunes) }

// CleanSentence makes a sentence that another device sent safe to repeat, by
// the rules of CleanName but for its length.
func CleanSentence(sentence string) string { return cleanLine(sentence, maxSentenceRunes) }

func cleanLine(s string, maxRunes int) string {
	// A hostile text may be huge; nothing past this many bytes can survive.
	if limit := maxRunes * utf8.UTFMax * 4; len(s) > limit {
		s = s[:limit]
	}
	s = strings.ToValidUTF8(s, "")
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), blank(r):
			return ' '
		case r == zeroWidthJoiner: // holds emoji families together
			return r
		case !unicode.IsPrint(r) && !unicode.Is(unicode.M, r):
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > maxRunes {
		s = strings.TrimSpace(string([]rune(s)[:maxRunes]))
	}
	if strings.IndexFunc(s, visible) < 0 {
		return ""
	}
	return s
}

// blank reports whether a character counts as a letter or symbol and shows
// nothing: the fillers of Hangul and the empty Braille pattern.
func blank(r rune) bool {
	switch r {
	case '\u115f', '\u1160', '\u3164', '\uffa0', '\u2800':
		return true
	}
	return false
}

// visible reports whether a character shows something by itself, as a joiner or
// an accent does not.
func visible(r rune) bool { return r != ' ' && r != zeroWidthJoiner && !unicode.Is(unicode.M, r) }

const zeroWidthJoiner = '\u200d'
