package plugins

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/salita-mesh/salita/sdk/control"
)

// configSentence is the first mistake of a refused configuration for the owner.
func configSentence(e *control.ConfigError) string {
	for _, d := range e.Diagnostics {
		if d.Severity != control.Error {
			continue
		}
		text := printable(d.Summary, maxFriendly)
		if d.Detail != "" {
			text = printable(d.Detail, maxFriendly)
		}
		if d.Subject == nil {
			return text
		}
		return fmt.Sprintf("%s, line %d: %s", filepath.Base(d.Subject.Filename), d.Subject.Start.Line, text)
	}
	return "The configuration was not accepted."
}

// renderDiagnostic shows a remark with the line it stands on and a mark under
// the place, as compilers do:
//
//	config.hcl:12,5: Unsupported argument: ... Did you mean "library"?
//	  12 |     libary = "x"
//	     |     ^^^^^^
//
// The line is looked up in the block itself; a place outside of it is only named.
func renderDiagnostic(block Block, d control.Diagnostic) string {
	text := printable(d.Summary, maxFriendly)
	if d.Detail != "" {
		text += ": " + printable(d.Detail, 4*maxFriendly)
	}
	if d.Subject == nil {
		return text
	}
	start := d.Subject.Start
	head := fmt.Sprintf("%s:%d,%d: %s", printable(d.Subject.Filename, maxFriendly), start.Line, start.Column, text)
	line, ok := block.line(start.Line)
	if !ok {
		return head
	}
	line = strings.ReplaceAll(line, "\t", " ") // one column each, as HCL counts them
	number := fmt.Sprint(start.Line)
	gutter := strings.Repeat(" ", len(number))
	return fmt.Sprintf("%s\n  %s | %s\n  %s | %s", head, number, printable(line, 200), gutter, underline(line, start.Column, width(*d.Subject)))
}

// line returns a line of the file as far as the block holds it. Of the block's
// first line only what follows the brace is known; blanks stand for the rest.
func (b Block) line(number int) (string, bool) {
	lines := bytes.Split(b.Source, []byte("\n"))
	i := number - b.Line
	if i < 0 || i >= len(lines) {
		return "", false
	}
	line := strings.TrimRight(string(lines[i]), "\r")
	if i == 0 && b.Column > 1 {
		line = strings.Repeat(" ", min(b.Column-1, 200)) + line
	}
	return line, strings.TrimSpace(line) != ""
}

func width(r control.Range) int {
	if r.End.Line != r.Start.Line {
		return 1
	}
	return max(r.End.Column-r.Start.Column, 1)
}

// underline is the row of carets below a place.
func underline(line string, column, width int) string {
	length := utf8.RuneCountInString(line)
	before := max(min(column-1, length), 0)
	return strings.Repeat(" ", before) + strings.Repeat("^", max(min(width, length-before), 1))
}
