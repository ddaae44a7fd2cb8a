package config

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"

	"github.com/salita-mesh/salita/sdk"
)

// Error is a configuration that cannot be used. Commands print its text and end
// with exit code 2.
type Error struct {
	diagnostics []Diagnostic
}

// Diagnostic is one remark on the configuration.
type Diagnostic struct {
	File         string // "" if it is not about a place in the file
	Line, Column int    // from 1; the column in grapheme clusters
	Snippet      string // the source line and carets under the place
	Summary      string // "" if it is not about a place in the file
	Message      string // what was expected
}

// String is the remark as people read it, without a newline at its end.
func (d Diagnostic) String() string {
	if d.File == "" {
		return d.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s\n\n%s\n\n%s", d.File, d.Line, d.Column, d.Summary, d.Snippet, d.Message)
}

// maxRemarks is how many are printed; after a slip of the pen the first tells all.
const maxRemarks = 10

// Error is everything that is wrong, in the order of the file: for each mistake
// the file, line and column, the source line with carets under the place, and
// what was expected.
func (e *Error) Error() string {
	var b strings.Builder
	for i, d := range e.diagnostics {
		if i > 0 {
			b.WriteString("\n\n")
		}
		if i == maxRemarks {
			fmt.Fprintf(&b, "and %d more", len(e.diagnostics)-i)
			break
		}
		b.WriteString(d.String())
	}
	return b.String()
}

// Diagnostics are the single remarks, in the order of the file.
func (e *Error) Diagnostics() []Diagnostic { return e.diagnostics }

// Unwrap gives the failure its kind and a sentence for people.
func (e *Error) Unwrap() error {
	return &sdk.Error{
		Kind:    sdk.Invalid,
		Message: "The configuration can't be used.",
		Hint:    e.Error(),
	}
}

// fileError describes what is wrong in the file.
func fileError(diags hcl.Diagnostics, filename string, source []byte) *Error {
	e := &Error{}
	for _, d := range diags {
		if d.Severity != hcl.DiagError {
			continue
		}
		subject := hcl.Range{Filename: filename, Start: hcl.InitialPos, End: hcl.InitialPos}
		if d.Subject != nil {
			subject = *d.Subject
		}
		e.diagnostics = append(e.diagnostics, Diagnostic{
			File: filename, Line: subject.Start.Line, Column: subject.Start.Column,
			Snippet: snippet(source, subject),
			Summary: printable(d.Summary), Message: printable(d.Detail),
		})
	}
	return e
}

// snippet is the first line of the range with carets under it.
func snippet(source []byte, at hcl.Range) string {
	start := min(max(at.Start.Byte, 0), len(source))
	before, after := source[:start], source[start:]
	if i := bytes.LastIndexByte(before, '\n'); i >= 0 {
		before = before[i+1:]
	}
	if i := bytes.IndexAny(after, "\r\n"); i >= 0 {
		after = after[:i]
	}
	marked := min(max(at.End.Byte-start, 0), len(after))
	left := crop(shown(before), true)
	middle := crop(shown(after[:marked]), false)
	right := crop(shown(after[marked:]), false)

	margin := strconv.Itoa(at.Start.Line)
	// A tab keeps its width only when the line below has one, too.
	indent := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, left)
	carets := strings.Repeat("^", max(len([]rune(middle)), 1))
	return fmt.Sprintf("%s | %s\n%*s | %s%s", margin, left+middle+right, len(margin), "", indent, carets)
}

// maxShown is the most of a line shown left of, at and right of the place, each.
const maxShown = 60

// crop shortens text at its far end from the place.
func crop(s string, keepEnd bool) string {
	runes := []rune(s)
	switch {
	case len(runes) <= maxShown:
		return s
	case keepEnd:
		return "…" + string(runes[len(runes)-maxShown:])
	}
	return string(runes[:maxShown]) + "…"
}

// shown is a piece of the file that is safe on a terminal and takes one column
// per character, as far as that can be known.
func shown(b []byte) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return r
		case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r):
			return -1
		case !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, string(b))
}

// printable is text that may quote the file, safe on a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
