package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/salita-mesh/salita/sdk"
)

// SetEnabled makes the file say that the plugin is enabled, or not: it sets
// enabled in the plugin's block, or adds a block, and leaves every other byte as
// it is. Without any file it makes config.hcl in the data folder. It returns the
// file, and whether it had to be changed: it is left alone when it says so
// already, and when there is nothing in it to disable.
//
// A file with a mistake is not touched; the error is then the *Error that Read
// gives. An edit by somebody else at the same moment is sdk.Conflict.
func (s *Source) SetEnabled(plugin string, enabled bool) (file string, changed bool, err error) {
	if rule := pluginNameRule(); !rule.accepts(plugin) {
		return "", false, sdk.Errorf(sdk.Invalid, "%q can't be the name of a plugin. Expected %s.", plugin, rule.expected)
	}
	r := s.Read()
	if r.Err != nil {
		return r.File, false, r.Err
	}
	if r.Config.enables(plugin) == enabled {
		return r.File, false, nil
	}
	if file = r.File; file == "" {
		file = filepath.Join(r.Config.DataDir, fileName)
		if err := os.MkdirAll(r.Config.DataDir, 0o700); err != nil {
			return file, false, sdk.Errorf(sdk.Internal, "The data folder %s can't be made.", r.Config.DataDir).Because(err)
		}
	}
	edited, err := setEnabled(r.source, plugin, enabled)
	if err != nil {
		return file, false, err
	}
	if len(edited) > maxFile {
		return file, false, problem("The configuration file %s would be larger than %d KiB.", file, maxFile>>10)
	}
	after, err := s.interpret(file, edited)
	if err == nil && after.enables(plugin) != enabled {
		err = fmt.Errorf("edit %s: plugin %q did not become what was asked for", file, plugin)
	}
	if err != nil {
		return file, false, err
	}
	return file, true, replace(file, r.source, edited)
}

// enables reports whether the plugin has a block that does not disable it.
func (c Config) enables(plugin string) bool {
	return slices.ContainsFunc(c.Plugins, func(p Plugin) bool { return p.Name == plugin && p.Enabled })
}

// setEnabled is the edit itself, of a file without mistakes.
func setEnabled(source []byte, plugin string, enabled bool) ([]byte, error) {
	file, diags := hclsyntax.ParseConfig(source, fileName, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	e := edit{source: source, newline: "\n"}
	if bytes.Contains(source, []byte("\r\n")) {
		e.newline = "\r\n"
	}
	for _, block := range file.Body.(*hclsyntax.Body).Blocks {
		if block.Type == "plugin" && slices.Equal(block.Labels, []string{plugin}) {
			return e.inBlock(block, enabled), nil
		}
	}
	if !enabled {
		return source, nil // without a block it is not enabled
	}
	return e.newBlock(plugin), nil
}

// edit changes a file's bytes in one place.
type edit struct {
	source  []byte
	newline string
}

func (e edit) put(start, end int, text string) []byte {
	return slices.Concat(e.source[:start], []byte(text), e.source[end:])
}

// newBlock adds a block at the end, after an empty line.
func (e edit) newBlock(plugin string) []byte {
	return e.put(len(e.source), len(e.source), e.missing(2)+fmt.Sprintf("plugin %q {}%s", plugin, e.newline))
}

// missing are the newlines that the file's end lacks to have n of them.
func (e edit) missing(n int) string {
	if len(e.source) == 0 {
		return ""
	}
	rest := e.source
	for ; n > 0; n-- {
		var found bool
		if rest, found = bytes.CutSuffix(rest, []byte(e.newline)); !found {
			break
		}
	}
	return strings.Repeat(e.newline, n)
}

func (e edit) inBlock(block *hclsyntax.Block, enabled bool) []byte {
	setting := fmt.Sprintf("enabled = %v", enabled)
	if attr, there := block.Body.Attributes["enabled"]; there {
		at := attr.Expr.Range()
		return e.put(at.Start.Byte, at.End.Byte, fmt.Sprint(enabled))
	}
	open, close := block.OpenBraceRange.End.Byte, block.CloseBraceRange.Start.Byte
	indent := e.indent(block.TypeRange.Start.Byte)
	if block.OpenBraceRange.Start.Line == block.CloseBraceRange.Start.Line {
		// A block on one line has room for one setting only.
		lines := e.newline + indent + "  " + setting
		if inner := strings.TrimSpace(string(e.source[open:close])); inner != "" {
			lines += e.newline + indent + "  " + inner
		}
		return e.put(open, close, lines+e.newline+indent)
	}
	next := e.lineAfter(open)
	return e.put(next, next, e.innerIndent(block, indent+"  ")+setting+e.newline)
}

// lineAfter is where the line begins that follows a place, behind any remark.
func (e edit) lineAfter(at int) int {
	// What the lexer objects to, the parser did, too.
	tokens, _ := hclsyntax.LexConfig(e.source, fileName, hcl.InitialPos)
	for _, t := range tokens {
		if t.Range.Start.Byte >= at && bytes.HasSuffix(t.Bytes, []byte("\n")) {
			return t.Range.End.Byte
		}
	}
	return len(e.source)
}

// indent is the white space that the line of a place begins with.
func (e edit) indent(at int) string {
	line := e.source[bytes.LastIndexByte(e.source[:at], '\n')+1 : at]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}

// innerIndent is the indentation of what is in the block already.
func (e edit) innerIndent(block *hclsyntax.Block, otherwise string) string {
	first := len(e.source)
	for _, attr := range block.Body.Attributes {
		first = min(first, attr.NameRange.Start.Byte)
	}
	for _, inner := range block.Body.Blocks {
		first = min(first, inner.TypeRange.Start.Byte)
	}
	if first == len(e.source) {
		return otherwise
	}
	return e.indent(first)
}
