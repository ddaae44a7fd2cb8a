package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// pluginSchema is a plugin block.
type pluginSchema struct {
	Name      string         `hcl:"name,label"`
	NameRange hcl.Range      `hcl:"name,label_range"`
	Enabled   *hcl.Attribute `hcl:"enabled,optional"`
	SHA256    *hcl.Attribute `hcl:"sha256,optional"`
	Env       *hcl.Attribute `hcl:"env,optional"`
	Confine   *hcl.Attribute `hcl:"confine,optional"`
	Config    *struct {
		Body hcl.Body `hcl:",remain"` // the plugin's business
	} `hcl:"config,block"`
}

// plugins reads the plugin blocks; blocks are their config blocks by the byte
// where the plugin's name stands.
func (r *reader) plugins(blocks []pluginSchema, configs map[int]Block) []Plugin {
	var plugins []Plugin
	first := map[string]hcl.Range{}
	for _, b := range blocks {
		if rule := pluginNameRule(); !rule.accepts(b.Name) {
			r.remark(b.NameRange, "Wrong plugin name", "Expected %s.", rule.expected)
			continue
		}
		if earlier, twice := first[b.Name]; twice {
			r.remark(b.NameRange, "Duplicate plugin block",
				"Plugin %q has a block at line %d already. Expected one for each plugin.", b.Name, earlier.Start.Line)
			continue
		}
		first[b.Name] = b.NameRange
		p := Plugin{Name: b.Name, Enabled: true, Block: configs[b.NameRange.Start.Byte]}
		confine := true
		r.truth(b.Confine, &confine)
		p.Unconfined = !confine
		r.truth(b.Enabled, &p.Enabled)
		r.text(b.SHA256, &p.SHA256, digestRule())
		r.list(b.Env, &p.Env, variableRule())
		plugins = append(plugins, p)
	}
	return plugins
}

// configBlocks cuts the config blocks out of the file. gohcl gives no access to
// a block's braces, so this goes over the syntax itself.
func configBlocks(body *hclsyntax.Body, source []byte) map[int]Block {
	blocks := map[int]Block{}
	for _, plugin := range body.Blocks {
		if plugin.Type != "plugin" || len(plugin.LabelRanges) == 0 {
			continue
		}
		for _, b := range plugin.Body.Blocks {
			if b.Type != "config" {
				continue
			}
			begin := b.OpenBraceRange.End
			blocks[plugin.LabelRanges[0].Start.Byte] = Block{
				Filename: b.OpenBraceRange.Filename,
				Source:   source[begin.Byte:b.CloseBraceRange.Start.Byte],
				Line:     begin.Line, Column: begin.Column, Byte: begin.Byte,
			}
		}
	}
	return blocks
}

// hintAtConfigBlock adds what is most likely meant by a name that the gateway
// does not know in a plugin block.
func hintAtConfigBlock(diags hcl.Diagnostics, body *hclsyntax.Body) hcl.Diagnostics {
	for _, d := range diags {
		if d.Subject == nil || d.Summary != "Unsupported argument" && d.Summary != "Unsupported block type" {
			continue
		}
		for _, b := range body.Blocks {
			if b.Type == "plugin" && b.Range().ContainsPos(d.Subject.Start) {
				d.Detail += " The plugin's own settings belong inside its config { } block."
			}
		}
	}
	return diags
}
