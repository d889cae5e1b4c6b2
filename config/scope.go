package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// baseScope is what every expression sees: variables, paths, the fleet's name, functions.
func (c *Config) baseScope() *hcl.EvalContext {
	vars := map[string]cty.Value{
		"path": cty.ObjectVal(map[string]cty.Value{"root": cty.StringVal("."), "module": cty.StringVal(".")}),
		"var":  cty.EmptyObjectVal,
	}
	if len(c.varVals) > 0 {
		vars["var"] = cty.ObjectVal(c.varVals)
	}
	if c.Settings.Fleet != "" {
		vars["fleet"] = cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal(string(c.Settings.Fleet))})
	}
	return &hcl.EvalContext{Variables: vars, Functions: c.funcs}
}

// constants is a decoder for arguments in which nothing can be referred to.
func (c *Config) constants(b *body, in string) *decoder {
	return &decoder{c: c, body: b, in: in, at: b.open}
}

// scopeFor is what the expressions of a node see: the base, and what the node refers to. Only that is put
// in, since a scope of everything would have to be built anew for each node.
func (e *evaluation) scopeFor(n *node) *hcl.EvalContext {
	byKind := map[string]map[string]cty.Value{}
	for _, r := range n.refs {
		if byKind[r.to.kind] == nil {
			byKind[r.to.kind] = map[string]cty.Value{}
		}
		byKind[r.to.kind][r.to.name] = e.values[r.to]
	}
	ctx := e.base.NewChild()
	ctx.Variables = map[string]cty.Value{}
	for kind, m := range byKind {
		ctx.Variables[kind] = cty.ObjectVal(m)
	}
	return ctx
}
