package plugins

import "github.com/salita-mesh/salita/sdk/control"

// Spec is what the configuration says about one plugin.
type Spec struct {
	Name    string
	Enabled bool
	SHA256  string   // hex digest that the program must have; "" allows any
	Env     []string // names of environment variables passed through
	Config  Block

	// Unconfined runs the plugin without a sandbox: it may do whatever this user
	// may.
	Unconfined bool
}

// Block is the text between the braces of a plugin's config block, with its
// place in the file so that mistakes are reported where they stand. The zero
// value is an absent block.
type Block struct {
	Filename string
	Source   []byte
	Line     int // of the first byte of Source, from 1
	Column   int // from 1, in grapheme clusters
	Byte     int // from 0
}

// wire is the block in the form of the control plane, without a revision.
func (b Block) wire() control.Config {
	return control.Config{
		Filename: b.Filename,
		Source:   b.Source,
		Start:    control.Position{Line: max(b.Line, 1), Column: max(b.Column, 1), Byte: max(b.Byte, 0)},
	}
}
