package plugins

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/salita-mesh/salita/sdk/control"
)

func at(line, column, endColumn int) *control.Range {
	return &control.Range{
		Filename: "/etc/config.hcl",
		Start:    control.Position{Line: line, Column: column},
		End:      control.Position{Line: line, Column: endColumn},
	}
}

func TestRenderDiagnostic(t *testing.T) {
	block := Block{Filename: "/etc/config.hcl", Line: 9, Column: 11, Source: []byte(" # begins\n\tlibary = \"ü\"\r\n    limit = \"x\"\n  ")}
	for _, c := range []struct {
		name string
		d    control.Diagnostic
		want string
	}{
		{
			"with place",
			control.Diagnostic{Summary: "Unsupported", Detail: "No such thing.", Subject: at(10, 2, 8)},
			"/etc/config.hcl:10,2: Unsupported: No such thing.\n  10 |  libary = \"ü\"\n     |  ^^^^^^",
		},
		{
			"first line",
			control.Diagnostic{Summary: "S", Subject: at(9, 13, 15)},
			"/etc/config.hcl:9,13: S\n  9 |            # begins\n    |             ^^",
		},
		{
			"wider than the line",
			control.Diagnostic{Summary: "S", Subject: at(11, 13, 900)},
			"/etc/config.hcl:11,13: S\n  11 |     limit = \"x\"\n     |             ^^^",
		},
		{
			"past the end of the line",
			control.Diagnostic{Summary: "S", Subject: at(11, 500, 501)},
			"/etc/config.hcl:11,500: S\n  11 |     limit = \"x\"\n     |                ^",
		},
		{"no such line", control.Diagnostic{Summary: "S", Subject: at(99, 1, 2)}, "/etc/config.hcl:99,1: S"},
		{"before the block", control.Diagnostic{Summary: "S", Subject: at(1, 1, 2)}, "/etc/config.hcl:1,1: S"},
		{"blank line", control.Diagnostic{Summary: "S", Subject: at(12, 1, 2)}, "/etc/config.hcl:12,1: S"},
		{"no place", control.Diagnostic{Summary: "S", Detail: "D"}, "S: D"},
		{"hostile", control.Diagnostic{Summary: "\x1b[2J", Detail: "a\nb"}, `\x1b[2J: a\nb`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, renderDiagnostic(block, c.d)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestConfigSentence(t *testing.T) {
	warning := control.Diagnostic{Severity: control.Warning, Summary: "old"}
	for _, c := range []struct {
		diagnostics []control.Diagnostic
		want        string
	}{
		{[]control.Diagnostic{warning, {Summary: "S", Detail: "D.", Subject: at(3, 1, 2)}}, "config.hcl, line 3: D."},
		{[]control.Diagnostic{{Summary: "S"}}, "S"},
		{[]control.Diagnostic{warning}, "The configuration was not accepted."},
	} {
		if got := configSentence(&control.ConfigError{Diagnostics: c.diagnostics}); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// FuzzRenderDiagnostic gives a plugin's word for the place, which may be anything.
func FuzzRenderDiagnostic(f *testing.F) {
	f.Add("a = 1\n", 1, 1, 1, 3, 5, "text")
	f.Add("", 0, -1, 1<<40, -7, 0, "\x00")
	f.Fuzz(func(t *testing.T, source string, line, column, startLine, startColumn, endColumn int, text string) {
		block := Block{Source: []byte(source), Line: line, Column: column}
		d := control.Diagnostic{Summary: text, Subject: at(startLine, startColumn, endColumn)}
		got := renderDiagnostic(block, d)
		if len(got) > 20*maxFriendly || strings.Count(got, "\n") > 2 {
			t.Fatalf("%d bytes: %.200q", len(got), got)
		}
	})
}
