package config

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// PathsIn returns what the attributes of a config block are set to: the text of
// each, or the texts of a list, in the order of the attributes. Only what is
// written out counts; an attribute that is absent, something else or an
// expression is left out, for the plugin to judge. The error is about the block
// as a whole.
func PathsIn(source []byte, attributes []string) ([]string, error) {
	file, diags := hclsyntax.ParseConfig(source, "", hcl.InitialPos)
	if diags.HasErrors() {
		return nil, fmt.Errorf("read config block: %w", diags)
	}
	set := file.Body.(*hclsyntax.Body).Attributes
	var paths []string
	for _, name := range attributes {
		if attr, ok := set[name]; ok {
			paths = append(paths, texts(attr.Expr)...)
		}
	}
	return paths, nil
}

// texts are the literal strings that an expression consists of.
func texts(expr hcl.Expression) []string {
	var text string
	if literal(expr, cty.String, &text) {
		return []string{text}
	}
	elements, diags := hcl.ExprList(expr)
	if diags.HasErrors() {
		return nil
	}
	var list []string
	for _, e := range elements {
		if literal(e, cty.String, &text) {
			list = append(list, text)
		}
	}
	return list
}
