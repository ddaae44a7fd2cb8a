package config

import (
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/gocty"
)

// reader reads values and collects what is wrong with them. A setting that is
// absent or wrong leaves its target as it was.
type reader struct {
	diags hcl.Diagnostics
}

func (r *reader) remark(subject hcl.Range, summary, format string, args ...any) {
	r.diags = append(r.diags, &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  summary,
		Detail:   fmt.Sprintf(format, args...),
		Subject:  &subject,
	})
}

// wrong says what a setting's value should have been.
func (r *reader) wrong(name string, expr hcl.Expression, expected string) {
	detail := "Expected " + expected + "."
	if _, bare := expr.(*hclsyntax.ScopeTraversalExpr); bare {
		detail += " Text stands in quotes."
	}
	r.remark(expr.Range(), "Wrong value for "+name, "%s", detail)
}

func (r *reader) text(attr *hcl.Attribute, into *string, rule rule) {
	if attr != nil {
		r.textOf(attr.Name, attr.Expr, into, rule)
	}
}

func (r *reader) textOf(name string, expr hcl.Expression, into *string, rule rule) {
	var text string
	if literal(expr, cty.String, &text) {
		if clean, ok := rule.clean(text); ok {
			*into = clean
			return
		}
	}
	r.wrong(name, expr, rule.expected)
}

// list reads a list in which every element keeps the rule. Its targets always
// get a slice of their own.
func (r *reader) list(attr *hcl.Attribute, into *[]string, rule rule) {
	if attr == nil {
		return
	}
	elements, diags := hcl.ExprList(attr.Expr)
	if diags.HasErrors() {
		r.wrong(attr.Name, attr.Expr, "a list in [ ], each element of it "+rule.expected)
		return
	}
	list := make([]string, len(elements))
	for i, element := range elements {
		r.textOf(attr.Name, element, &list[i], rule)
	}
	*into = list
}

func (r *reader) truth(attr *hcl.Attribute, into *bool) {
	if attr != nil && !literal(attr.Expr, cty.Bool, into) {
		r.wrong(attr.Name, attr.Expr, "true or false")
	}
}

func (r *reader) number(attr *hcl.Attribute, into *int, low, high int) {
	if attr == nil {
		return
	}
	var n int
	if !literal(attr.Expr, cty.Number, &n) || n < low || n > high {
		r.wrong(attr.Name, attr.Expr, fmt.Sprintf("a whole number from %d to %d", low, high))
		return
	}
	*into = n
}

func (r *reader) duration(attr *hcl.Attribute, into *time.Duration, low, high time.Duration) {
	var text string
	r.text(attr, &text, durationRule(low, high))
	if text != "" {
		*into, _ = time.ParseDuration(text) // the rule parsed it
	}
}

// literal reads a value that is written out. Nothing is evaluated: variables,
// functions and loops have no use in the gateway's own settings, and a loop in a
// loop could run for ever.
func literal(expr hcl.Expression, as cty.Type, into any) bool {
	var value cty.Value
	switch e := expr.(type) {
	case *hclsyntax.LiteralValueExpr:
		value = e.Val
	case *hclsyntax.TemplateExpr:
		for _, part := range e.Parts {
			if _, plain := part.(*hclsyntax.LiteralValueExpr); !plain {
				return false
			}
		}
		value, _ = e.Value(nil) // joining literals cannot fail
	default:
		return false
	}
	value, err := convert.Convert(value, as)
	return err == nil && gocty.FromCtyValue(value, into) == nil
}
