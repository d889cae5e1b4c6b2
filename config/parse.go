package config

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/stowage-run/stowage/diag"
)

func sortByStart(attrs []*hclsyntax.Attribute) {
	slices.SortFunc(attrs, func(a, b *hclsyntax.Attribute) int {
		return a.NameRange.Start.Byte - b.NameRange.Start.Byte
	})
}

// parseFile scans and parses one file of either spelling.
func (m *meter) parseFile(src []byte, file string, g *grammar) (*body, diag.List) {
	if strings.HasSuffix(file, ".json") {
		return m.parseJSON(src, file, g)
	}
	tokens, err := lexed(src, file, nativeSyntax, hcl.InitialPos)
	if err != nil {
		return nil, diag.List{err.diagnostic(src, file)}
	}
	f, ds := hclsyntax.ParseConfig(asCalls(src, tokens, 0), file, hcl.InitialPos)
	if ds.HasErrors() {
		return nil, fromHCL(ds, diag.CodeSyntax, "")
	}
	at := hcl.Range{Filename: file, Start: hcl.InitialPos, End: hcl.InitialPos}
	b, ds := m.native(f.Body.(*hclsyntax.Body), at)
	if ds.HasErrors() {
		return nil, fromHCL(ds, diag.CodeSyntax, "")
	}
	return b, nil
}

// parseTemplate scans and parses a template, with guards.
func (m *meter) parseTemplate(src []byte, file string, start hcl.Pos) (hclsyntax.Expression, *scanError, hcl.Diagnostics) {
	if _, err := lexed(src, file, templateSyntax, start); err != nil {
		return nil, err, nil
	}
	e, ds := hclsyntax.ParseTemplate(src, file, start)
	if ds.HasErrors() {
		return nil, nil, ds
	}
	e, ds = m.guarded(e)
	return e, nil, ds
}

// parseExpression scans and parses one expression, such as the value of a variable on the command line.
// No guards are put in: it is evaluated without functions and variables.
func parseExpression(src []byte, file string, start hcl.Pos) (hclsyntax.Expression, *scanError, hcl.Diagnostics) {
	if _, err := lexed(src, file, nativeSyntax, start); err != nil {
		return nil, err, nil
	}
	e, ds := hclsyntax.ParseExpression(src, file, start)
	return e, nil, ds
}
