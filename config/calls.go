package config

import (
	"bytes"
	"fmt"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// The words by which a check asks about losses.
const (
	survivesAnyHost = "survives_any_host" // a value: fleet.survives_any_host
	survivesAny     = "survives_any"      // a question: fleet.survives_any("zone")
)

// askedAs is the function behind fleet.NAME(...). HCL has no calls of what stands behind a dot, and a dash is a letter of
// its identifiers: so the call becomes one of a function by changing a single byte, all else keeps its place, and the
// ranges of messages stay right. Nobody writes a name like this by accident.
func askedAs(name string) string { return "fleet-" + name }

// asCalls returns src with each fleet.NAME( written as the call of a function. tokens are those of src, which begins at
// byte start of its file; src itself stays as it is. Tokens know what is text and what is a comment. Nothing but one of
// these calls can be meant: HCL has no other use for a bracket there, and refuses it.
func asCalls(src []byte, tokens hclsyntax.Tokens, start int) []byte {
	out := src
	for i := 0; i+3 < len(tokens); i++ {
		root, dot, name := tokens[i], tokens[i+1], tokens[i+2]
		if root.Type != hclsyntax.TokenIdent || dot.Type != hclsyntax.TokenDot || name.Type != hclsyntax.TokenIdent || tokens[i+3].Type != hclsyntax.TokenOParen {
			continue
		}
		if string(root.Bytes) != "fleet" || i > 0 && tokens[i-1].Type == hclsyntax.TokenDot || asked()[string(name.Bytes)] == "" {
			continue
		}
		at := dot.Range.Start.Byte - start
		if root.Range.End.Byte != dot.Range.Start.Byte || dot.Range.End.Byte != name.Range.Start.Byte || at < 0 || at >= len(src) || src[at] != '.' {
			continue
		}
		if &out[0] == &src[0] {
			out = bytes.Clone(src)
		}
		out[at] = '-'
	}
	return out
}

// asked are the names that can be written as calls, with what is wrong about each outside of a check, or anywhere.
func asked() map[string]string {
	return map[string]string{
		survivesAny:     outsideCheck("fleet." + survivesAny),
		survivesAnyHost: "fleet.survives_any_host is a value, true or false, and is written without brackets.",
		"survives":      "fleet has no survives: there are fleet.survives_any_host and fleet.survives_any(\"zone\").",
		"survives_all":  "fleet has no survives_all: there are fleet.survives_any_host and fleet.survives_any(\"zone\").",
	}
}

const checkRemedy = "check \"NAME\" {\n  assert {\n    condition     = fleet.survives_any_host\n    error_message = \"...\"\n  }\n}"

func outsideCheck(what string) string {
	return fmt.Sprintf("%s is known only when everything has its place, after all else is worked out. It can be used in check blocks only.", what)
}

// outsideFuncs are the functions behind these calls wherever no check asks: each says what is wrong.
func outsideFuncs() map[string]function.Function {
	all := map[string]function.Function{}
	for name, why := range asked() {
		err := &calledError{summary: "Reference not possible here", detail: why, remedy: checkRemedy}
		if name != survivesAny {
			err.summary, err.remedy = "Unknown reference", "fleet."+survivesAnyHost
		}
		all[askedAs(name)] = function.New(&function.Spec{
			VarParam: &function.Parameter{Name: "label", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true},
			Type:     func([]cty.Value) (cty.Type, error) { return cty.Bool, err },
			Impl:     func([]cty.Value, cty.Type) (cty.Value, error) { return cty.UnknownVal(cty.Bool), err },
		})
	}
	return all
}
