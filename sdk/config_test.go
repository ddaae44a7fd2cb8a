package sdk

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	pluginv1 "github.com/salita-mesh/salita/sdk/internal/wire/salita/plugin/v1"
)

type photoConfig struct {
	Library string       `hcl:"library"`
	Limit   int          `hcl:"limit,optional"`
	Tags    []string     `hcl:"tags,optional"`
	Shared  *sharedBlock `hcl:"shared,block"`
}

type sharedBlock struct {
	With string `hcl:"with,label"`
	Read bool   `hcl:"read,optional"`
}

func (c photoConfig) Validate() error {
	switch {
	case c.Limit < 0:
		return errors.New("limit must not be negative")
	case c.Limit == 13:
		return Errorf(Invalid, "Thirteen brings bad luck.").Because(errors.New("superstition"))
	case c.Limit == 99:
		panic("ninety-nine")
	}
	return nil
}

// userFile is a whole config.hcl; the plugin sees only what is between the
// braces of config.
const userFile = `device {
  name = "Study"
}
plugin "photos" {
  config { # here
%s
  }
}
`

// slice cuts the config block out of the file as the gateway does.
func slice(inner string) configText {
	source := []byte(strings.Replace(userFile, "%s", inner, 1))
	begin := strings.Index(string(source), "config {") + len("config {")
	end := strings.LastIndex(string(source), "  }\n}")
	line := 1 + strings.Count(string(source[:begin]), "\n")
	column := begin - strings.LastIndex(string(source[:begin]), "\n")
	return configText{filename: "config.hcl", source: source[begin:end], start: hcl.Pos{Line: line, Column: column, Byte: begin}}
}

func TestDecodeConfig(t *testing.T) {
	got, diags := decodeConfig[photoConfig](slice(`    library = "~/Pictures"
    tags = ["a", "b"]
    shared "family" {
      read = true
    }`))
	if len(diags) > 0 {
		t.Fatal(hcl.Diagnostics(diags))
	}
	want := photoConfig{Library: "~/Pictures", Tags: []string{"a", "b"}, Shared: &sharedBlock{With: "family", Read: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeConfigPointsIntoTheUsersFile(t *testing.T) {
	for _, c := range []struct {
		name, inner, text string
		line, column      int
	}{
		{"unknown key", "    library = \"x\"\n    limt = 3", `Did you mean "limit"?`, 7, 5},
		{"missing key", "    limit = 3", `"library" is required`, 5, 12},
		{"wrong type", "    library = \"x\"\n    limit = \"many\"", "a number is required", 7, 14},
		{"syntax", "    library = ", "Invalid expression", 6, 15},
		{"unknown block", "    library = \"x\"\n    share \"a\" {}", `Did you mean "shared"?`, 7, 5},
		{"variable", "    library = env.HOME", "Variables", 6, 15},
		{"same line as the brace", "", `"library" is required`, 5, 12},
		{"refused", "    library = \"x\"\n    limit = -1", "limit must not be negative", 5, 11},
		{"refused with a sentence", "    library = \"x\"\n    limit = 13", "Thirteen brings bad luck.", 5, 11},
		{"check panics", "    library = \"x\"\n    limit = 99", "Validate panicked: ninety-nine", 5, 11},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, diags := decodeConfig[photoConfig](slice(c.inner))
			if !diags.failed() {
				t.Fatal("accepted")
			}
			d := diags[0]
			text := d.Summary + " " + d.Detail
			if !strings.Contains(text, c.text) || strings.Contains(text, "superstition") {
				t.Errorf("got %q", text)
			}
			if d.Subject == nil || d.Subject.Filename != "config.hcl" || d.Subject.Start.Line != c.line || d.Subject.Start.Column != c.column {
				t.Errorf("at %v, want %d,%d", d.Subject, c.line, c.column)
			}
		})
	}
}

func TestDecodeConfigSurvivesTheAuthorsMistakes(t *testing.T) {
	type badTag struct {
		A string `hcl:"a,nonsense"`
	}
	type badType struct {
		A chan int `hcl:"a"`
	}
	text := configText{filename: "f", source: []byte("a = 1"), start: hcl.InitialPos}
	for name, diags := range map[string]diagnostics{
		"tag":     second(decodeConfig[badTag](text)),
		"type":    second(decodeConfig[badType](text)),
		"number":  second(decodeConfig[int](text)),
		"pointer": second(decodeConfig[*photoConfig](text)),
		"any":     second(decodeConfig[any](text)),
	} {
		if !diags.failed() || !strings.Contains(diags[0].Detail, "mistake in the plugin itself") {
			t.Errorf("%s: %v", name, hcl.Diagnostics(diags))
		}
	}
}

func second[A, B any](_ A, b B) B { return b }

func TestNoConfigAtAll(t *testing.T) {
	if _, diags := decodeConfig[struct{}](configFromWire(nil)); diags.failed() {
		t.Error(hcl.Diagnostics(diags))
	}
	if _, diags := decodeConfig[struct{}](configFromWire(&pluginv1.Config{Source: []byte("a = 1"), Filename: "f"})); !diags.failed() || diags[0].Subject.Start.Line != 1 {
		t.Error("an unknown setting was accepted")
	}
}

func TestDiagnosticsOnTheWire(t *testing.T) {
	got := diagnostics{
		{Severity: hcl.DiagWarning, Summary: "S", Detail: "D"},
		{Severity: hcl.DiagError, Summary: "E", Subject: &hcl.Range{Filename: "f", Start: hcl.Pos{Line: 1, Column: 2, Byte: 3}, End: hcl.Pos{Line: 4, Column: 5, Byte: 6}}},
	}.wire()
	if got[0].GetSeverity() != pluginv1.Severity_SEVERITY_WARNING || got[0].GetSubject() != nil || got[0].GetDetail() != "D" {
		t.Errorf("got %v", got[0])
	}
	r := got[1].GetSubject()
	if got[1].GetSeverity() != pluginv1.Severity_SEVERITY_ERROR || r.GetFilename() != "f" || r.GetStart().GetByte() != 3 || r.GetEnd().GetLine() != 4 {
		t.Errorf("got %v", got[1])
	}
}

// FuzzDecodeConfig feeds user text; nothing may panic.
func FuzzDecodeConfig(f *testing.F) {
	f.Add([]byte(`library = "x"`), 1, 1, 0)
	f.Add([]byte("shared \"${"), -1, 1<<40, -5)
	f.Fuzz(func(t *testing.T, source []byte, line, column, offset int) {
		_, diags := decodeConfig[photoConfig](configText{filename: "f", source: source, start: hcl.Pos{Line: line, Column: column, Byte: offset}})
		diags.wire()
	})
}
