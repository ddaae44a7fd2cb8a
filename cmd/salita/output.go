package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// printJSON prints one value on one line.
func (a *app) printJSON(v any) error {
	return json.NewEncoder(a.out).Encode(v)
}

// statusWords are the words and shapes that people see.
var statusWords = map[string]string{
	"available":    "● Available",
	"offline":      "○ Offline",
	"needs_repair": "▲ Needs re-pairing",
}

// ago says a moment as a person would.
func ago(t *time.Time, now time.Time) string {
	if t == nil {
		return "never"
	}
	switch d := now.Sub(*t); {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return count(int(d.Minutes()), "minute") + " ago"
	case d < 24*time.Hour:
		return count(int(d.Hours()), "hour") + " ago"
	default:
		return count(int(d.Hours()/24), "day") + " ago"
	}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// printable is a name as it can be shown on a terminal: what would move the
// cursor, change its colours or turn the direction of writing is written out.
func printable(name string) string {
	if strings.IndexFunc(name, hidden) < 0 && utf8.ValidString(name) {
		return name
	}
	var b strings.Builder
	for len(name) > 0 {
		r, size := utf8.DecodeRuneInString(name)
		if r == utf8.RuneError && size == 1 || hidden(r) {
			quoted := strconv.QuoteToASCII(name[:size])
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteString(name[:size])
		}
		name = name[size:]
	}
	return b.String()
}

// printableLines is printable for a text of several lines.
func printableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n")
}

// hidden reports whether a character acts on the text around it instead of being
// seen. What joins an emoji or an accent is harmless.
func hidden(r rune) bool {
	const zeroWidthJoiner = '\u200d'
	return r != ' ' && r != zeroWidthJoiner && !unicode.IsPrint(r) && !unicode.Is(unicode.M, r)
}
