// Package text makes what people typed fit to be kept. Text is never markup
// here: "<b>" is three characters, and whoever shows it must show three.
//
// It is kept as it was given, marks for the direction of writing included,
// without what is only there to confuse: control characters other than line
// breaks and tabs. It is not normalised: two spellings of an é stay two.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean returns the text without space around it and without control
// characters, with "\n" for every line break. The text must be valid UTF-8.
func Clean(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}

// Line returns the text on one line of at most limit characters, for names.
func Line(s string, limit int) string {
	words := strings.Fields(Clean(strings.ToValidUTF8(s, "")))
	runes := []rune(strings.Join(words, " "))
	return strings.TrimSpace(string(runes[:min(len(runes), limit)]))
}

// Length is the number of characters, which are Unicode code points: what
// JavaScript's [...s].length says. An emoji that is joined from several counts as
// several. Counting what looks like one character instead would depend on the
// version of Unicode, and two devices would disagree on what fits.
func Length(s string) int { return utf8.RuneCountInString(s) }

// Blank reports whether there is nothing to see: only space and marks without a
// shape of their own.
func Blank(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsSpace(r) && !unicode.IsControl(r) && !unicode.Is(unicode.Cf, r)
	})
}
