package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/stowage-run/stowage/diag"
)

// Format returns a file in its one layout. A file that does not parse is not touched: the list says why.
func Format(src []byte, file string) ([]byte, diag.List) {
	tokens, err := lexed(src, file, nativeSyntax, hcl.InitialPos)
	if err != nil {
		return nil, diag.List{err.diagnostic(src, file)}
	}
	if _, ds := hclsyntax.ParseConfig(asCalls(src, tokens, 0), file, hcl.InitialPos); ds.HasErrors() {
		return nil, fromHCL(ds, diag.CodeSyntax, "")
	}
	return hclwrite.Format(src), nil
}
