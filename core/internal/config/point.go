package config

import (
	"bytes"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Point is a remark on a place in the file that was read, in the form of the
// gateway's own remarks. The place and the texts may come from a plugin, so they
// may be anything: one that is not in the file is shown as near as can be.
func (r Reading) Point(start, end Position, summary, message string) Diagnostic {
	at := hcl.Range{Filename: r.File, Start: r.find(start), End: r.find(end)}
	return Diagnostic{
		File: r.File, Line: at.Start.Line, Column: at.Start.Column,
		Snippet: snippet(r.source, at),
		Summary: printable(summary), Message: printable(message),
	}
}

// PointAtPlugin is a remark on a plugin's block as a whole: it points at the
// name. Without such a block it is about no place.
func (r Reading) PointAtPlugin(name, summary, message string) Diagnostic {
	for _, p := range r.Config.Plugins {
		if p.Name == name {
			end := p.At
			end.Byte += r.tokenAt(p.At.Byte)
			return r.Point(p.At, end, summary, message)
		}
	}
	return Diagnostic{Message: printable(message)}
}

// tokenAt is the length of the name that begins there, with its quotes.
func (r Reading) tokenAt(start int) int {
	tokens, _ := hclsyntax.LexConfig(r.source[start:], r.File, hcl.InitialPos)
	for i, t := range tokens {
		if i == 0 && t.Type == hclsyntax.TokenIdent || t.Type == hclsyntax.TokenCQuote {
			return t.Range.End.Byte
		}
	}
	return 0
}

// find makes line and byte of a place agree. Not every plugin counts bytes: then
// the line and the column tell.
func (r Reading) find(p Position) hcl.Pos {
	if 0 <= p.Byte && p.Byte <= len(r.source) && bytes.Count(r.source[:p.Byte], []byte("\n"))+1 == p.Line {
		return hcl.Pos{Line: p.Line, Column: max(p.Column, 1), Byte: p.Byte}
	}
	pos := hcl.InitialPos
	for pos.Line < p.Line {
		i := bytes.IndexByte(r.source[pos.Byte:], '\n')
		if i < 0 {
			break
		}
		pos.Line++
		pos.Byte += i + 1
	}
	line, _, _ := bytes.Cut(r.source[pos.Byte:], []byte("\n"))
	for pos.Column < p.Column && len(line) > 0 {
		_, size := utf8.DecodeRune(line) // characters are near enough
		line = line[size:]
		pos.Column++
		pos.Byte += size
	}
	return pos
}
