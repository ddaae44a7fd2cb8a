package config

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Position is a place in the file.
type Position struct {
	Line   int // from 1
	Column int // from 1, in grapheme clusters
	Byte   int // from 0
}

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

// PointAt is a remark on a setting, named by the words that lead to it:
// "plugin", "media", "sha256". As much of the path as there is in the file is
// pointed at; with nothing of it the remark is about no place.
func (r Reading) PointAt(summary, message string, path ...string) Diagnostic {
	file, diags := hclsyntax.ParseConfig(r.source, r.File, hcl.InitialPos)
	if r.File == "" || diags.HasErrors() {
		return Diagnostic{Message: printable(message)}
	}
	at := locate(file.Body.(*hclsyntax.Body), path)
	if at == nil {
		return Diagnostic{Message: printable(message)}
	}
	return r.Point(Position(at.Start), Position(at.End), summary, message)
}

// locate finds the last thing on the path that is there: an attribute's value, or
// a block's label or word.
func locate(body *hclsyntax.Body, path []string) *hcl.Range {
	if len(path) == 0 {
		return nil
	}
	if attr, ok := body.Attributes[path[0]]; ok {
		at := attr.Expr.Range()
		return &at
	}
	for _, block := range body.Blocks {
		if block.Type != path[0] || len(path) <= len(block.Labels) || !slices.Equal(block.Labels, path[1:len(block.Labels)+1]) {
			continue
		}
		if at := locate(block.Body, path[len(block.Labels)+1:]); at != nil {
			return at
		}
		if n := len(block.LabelRanges); n > 0 {
			return &block.LabelRanges[n-1]
		}
		return &block.TypeRange
	}
	return nil
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
