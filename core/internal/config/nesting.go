package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// maxNesting is how deep brackets, templates and signs may stand in each other.
const maxNesting = 100

// checkNesting finds the place that goes too deep. HCL's parser calls itself for
// each level, with some 17 KiB of stack, and Go ends the whole process at 1 GB:
// 64 KiB of opening brackets are enough.
func checkNesting(source []byte, filename string) hcl.Diagnostics {
	// What the lexer objects to, the parser will, too.
	tokens, _ := hclsyntax.LexConfig(source, filename, hcl.InitialPos)
	depth, signs := 0, 0
	for _, token := range tokens {
		switch token.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen,
			hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
			depth = max(depth-1, 0)
		}
		switch token.Type {
		case hclsyntax.TokenMinus, hclsyntax.TokenBang:
			signs++
		default:
			signs = 0
		}
		if depth+signs > maxNesting {
			return hcl.Diagnostics{{
				Severity: hcl.DiagError,
				Summary:  "Too deeply nested",
				Detail:   "Expected fewer brackets inside one another.",
				Subject:  &token.Range,
			}}
		}
	}
	return nil
}
