package sdk

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	pluginv1 "github.com/salita-mesh/salita/sdk/internal/wire/salita/plugin/v1"
)

// configText is the text between the braces of the user's config block, with
// the place where it begins, so that every remark points into the user's file.
type configText struct {
	filename string
	source   []byte
	start    hcl.Pos
}

// diagnostics are remarks on a configuration.
type diagnostics hcl.Diagnostics

func (d diagnostics) failed() bool { return hcl.Diagnostics(d).HasErrors() }

func configFromWire(c *pluginv1.Config) configText {
	start := hcl.Pos{Line: 1, Column: 1}
	if p := c.GetStart(); p != nil {
		start = hcl.Pos{Line: int(p.GetLine()), Column: int(p.GetColumn()), Byte: int(p.GetByte())}
	}
	return configText{filename: c.GetFilename(), source: c.GetSource(), start: start}
}

// decodeConfig reads the text into the author's struct and lets it check itself.
func decodeConfig[Config any](text configText) (config Config, diags diagnostics) {
	file, found := hclsyntax.ParseConfig(text.source, text.filename, text.start)
	if found.HasErrors() {
		return config, diagnostics(found)
	}
	found = append(found, decodeBody(file.Body, &config)...)
	if found.HasErrors() {
		return config, diagnostics(found)
	}
	if err := validateConfig(&config); err != nil {
		found = append(found, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Setting not accepted",
			Detail:   settingText(err),
			Subject:  &hcl.Range{Filename: text.filename, Start: text.start, End: text.start},
		})
	}
	return config, diagnostics(found)
}

// decodeBody reports a Config that gohcl cannot fill as a diagnostic: gohcl
// itself panics, because that is the author's mistake and not the user's.
func decodeBody(body hcl.Body, config any) (diags hcl.Diagnostics) {
	if reflect.TypeOf(config).Elem().Kind() != reflect.Struct {
		return authorMistake(fmt.Errorf("its Config is %v, not a struct", reflect.TypeOf(config).Elem()))
	}
	defer func() {
		if v := recover(); v != nil {
			diags = authorMistake(fmt.Errorf("%v", v))
		}
	}()
	return gohcl.DecodeBody(body, nil, config)
}

func authorMistake(err error) hcl.Diagnostics {
	return hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  "The plugin cannot read any configuration",
		Detail:   fmt.Sprintf("This is a mistake in the plugin itself: %v.", err),
	}}
}

func validateConfig(config any) (err error) {
	v, ok := config.(Validator)
	if !ok {
		return nil
	}
	defer recoverTo(&err, "Validate")
	return v.Validate()
}

// settingText is what the user reads about a refused configuration. Unlike other
// errors it is shown in full: it speaks of the user's own text.
func settingText(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Friendly()
	}
	return err.Error()
}

func (d diagnostics) wire() []*pluginv1.Diagnostic {
	out := make([]*pluginv1.Diagnostic, len(d))
	for i, diag := range d {
		severity := pluginv1.Severity_SEVERITY_ERROR
		if diag.Severity == hcl.DiagWarning {
			severity = pluginv1.Severity_SEVERITY_WARNING
		}
		out[i] = &pluginv1.Diagnostic{
			Severity: severity,
			Summary:  diag.Summary,
			Detail:   diag.Detail,
			Subject:  rangeToWire(diag.Subject),
		}
	}
	return out
}

func rangeToWire(r *hcl.Range) *pluginv1.Range {
	if r == nil {
		return nil
	}
	return &pluginv1.Range{Filename: r.Filename, Start: positionToWire(r.Start), End: positionToWire(r.End)}
}

func positionToWire(p hcl.Pos) *pluginv1.Position {
	return &pluginv1.Position{Line: int64(p.Line), Column: int64(p.Column), Byte: int64(p.Byte)}
}
