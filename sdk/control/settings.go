package control

import (
	"encoding/json"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// settingsJSON is the configuration as a JSON object, for plugins in languages
// without an HCL reader; nil when it cannot be said so, and then the plugin has
// the source alone.
func settingsJSON(c Config) []byte {
	body, ok := c.body()
	if !ok {
		return nil
	}
	settings, err := bodyValues(body)
	if err != nil {
		return nil
	}
	text, err := json.Marshal(settings)
	if err != nil || len(text) > maxSettings {
		return nil
	}
	return text
}

// maxSettings bounds the JSON form: a number such as 1e9999999 is short in HCL
// and long in JSON.
const maxSettings = 1 << 20

// placeOf is where an attribute of the configuration stands; nil when there is
// none of that name.
func placeOf(c Config, attribute string) *Range {
	body, ok := c.body()
	if !ok || body.Attributes[attribute] == nil {
		return nil
	}
	at := body.Attributes[attribute].SrcRange
	return &Range{Filename: at.Filename, Start: Position(at.Start), End: Position(at.End)}
}

// body parses the source. The gateway has read the file before, so that a wrong
// syntax is news to nobody.
func (c Config) body() (*hclsyntax.Body, bool) {
	start := hcl.Pos(c.Start)
	if start.Line < 1 || start.Column < 1 {
		start = hcl.InitialPos
	}
	file, diags := hclsyntax.ParseConfig(c.Source, c.Filename, start)
	if diags.HasErrors() {
		return nil, false
	}
	body, ok := file.Body.(*hclsyntax.Body)
	return body, ok
}

// bodyValues follows HCL's own JSON form: a block is an object in the list under
// its type, inside one more object for each of its labels.
func bodyValues(body *hclsyntax.Body) (map[string]any, error) {
	values := make(map[string]any, len(body.Attributes)+len(body.Blocks))
	for name, attribute := range body.Attributes {
		text, err := expressionJSON(attribute.Expr)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		values[name] = text
	}
	for _, block := range body.Blocks {
		inner, err := bodyValues(block.Body)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", block.Type, err)
		}
		for i := len(block.Labels) - 1; i >= 0; i-- {
			inner = map[string]any{block.Labels[i]: inner}
		}
		list, ok := values[block.Type].([]any)
		if !ok && values[block.Type] != nil {
			return nil, fmt.Errorf("%s is an attribute and a block", block.Type)
		}
		values[block.Type] = append(list, inner)
	}
	return values, nil
}

func expressionJSON(expr hcl.Expression) (json.RawMessage, error) {
	value, diags := expr.Value(nil)
	if diags.HasErrors() {
		return nil, diags
	}
	return ctyjson.Marshal(value, value.Type())
}
