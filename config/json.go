package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"

	"github.com/stowage-run/stowage/diag"
)

// parseJSON reads the JSON spelling. Which keys are blocks, and how many labels they have, is only in the grammar.
func (m *meter) parseJSON(src []byte, file string, g *grammar) (*body, diag.List) {
	if err := scanJSON(src); err != nil {
		return nil, diag.List{err.diagnostic(src, file)}
	}
	f, ds := json.Parse(src, file)
	if ds.HasErrors() {
		return nil, fromHCL(ds, diag.CodeSyntax, "")
	}
	j := jsonReader{m: m, file: file}
	at := hcl.Range{Filename: file, Start: hcl.InitialPos, End: hcl.InitialPos}
	b := j.body(f.Body, g, at)
	return b, j.diags
}

type jsonReader struct {
	m     *meter
	file  string
	diags diag.List
}

func (j *jsonReader) body(b hcl.Body, g *grammar, open hcl.Range) *body {
	out := &body{attrs: map[string]*attr{}, open: open}
	content, rest, ds := b.PartialContent(g.schema())
	j.diags = append(j.diags, fromHCL(ds, diag.CodeSyntax, "")...)
	for _, b := range content.Blocks {
		out.blocks = append(out.blocks, j.block(b, g))
	}
	attrs, ds := rest.JustAttributes()
	j.diags = append(j.diags, fromHCL(ds, diag.CodeSyntax, "")...)
	for name, a := range attrs {
		if name == "//" {
			continue // a comment, by HCL's convention
		}
		n := &attr{name: name, at: a.NameRange, whole: a.Range}
		if keepsForm(name) {
			n.bare = j.form(a.Expr)
			n.expr = n.bare
		} else {
			e, ds := j.m.guarded(j.expression(a.Expr))
			j.diags = append(j.diags, fromHCL(ds, diag.CodeSyntax, "")...)
			n.expr = e
		}
		out.attrs[name] = n
		out.names = append(out.names, name)
	}
	out.sortNames()
	return out
}

func (j *jsonReader) block(b *hcl.Block, g *grammar) *block {
	n := &block{kind: b.Type, at: b.TypeRange, def: b.DefRange}
	for i, l := range b.Labels {
		n.labels = append(n.labels, label{l, b.LabelRanges[i]})
	}
	inner := g.blocks[b.Type]
	if b.Type == "dynamic" {
		inner = dynamicGrammar(g.blocks[b.Labels[0]])
	}
	if inner == nil {
		inner = &grammar{open: true}
	}
	n.body = j.body(b.Body, inner, b.DefRange)
	return n
}

// form reads an argument whose form matters: its string is an expression, not a template.
func (j *jsonReader) form(e hcl.Expression) hclsyntax.Expression {
	v, _ := e.Value(nil)
	if v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
		s := []byte(v.AsString())
		x, err, ds := parseExpression(s, j.file, inString(e.Range()))
		if err != nil {
			j.refuse(err, e.Range())
		}
		j.diags = append(j.diags, fromHCL(ds, diag.CodeSyntax, "")...)
		if x != nil {
			return x
		}
	}
	return &hclsyntax.LiteralValueExpr{Val: v, SrcRange: e.Range()}
}

func (j *jsonReader) refuse(err *scanError, at hcl.Range) {
	j.diags = append(j.diags, problem(err.code, err.summary(), at, "", err.detail, err.remedy))
}

// inString is the position behind a string's opening quote. Escapes before a column shift it a little.
func inString(r hcl.Range) hcl.Pos {
	return hcl.Pos{Line: r.Start.Line, Column: r.Start.Column + 1, Byte: r.Start.Byte + 1}
}

// expression rebuilds a JSON value as native syntax, so that it can be guarded like any other. The depth
// of the recursion was bounded by scanJSON.
func (j *jsonReader) expression(e hcl.Expression) hclsyntax.Expression {
	r := e.Range()
	if list, ds := hcl.ExprList(e); !ds.HasErrors() {
		out := &hclsyntax.TupleConsExpr{SrcRange: r, OpenRange: r}
		for _, x := range list {
			out.Exprs = append(out.Exprs, j.expression(x))
		}
		return out
	}
	if pairs, ds := hcl.ExprMap(e); !ds.HasErrors() {
		out := &hclsyntax.ObjectConsExpr{SrcRange: r, OpenRange: r}
		for _, p := range pairs {
			out.Items = append(out.Items, hclsyntax.ObjectConsItem{
				KeyExpr:   &hclsyntax.ObjectConsKeyExpr{Wrapped: j.expression(p.Key), ForceNonLiteral: true},
				ValueExpr: j.expression(p.Value),
			})
		}
		return out
	}
	v, _ := e.Value(nil)
	if v.Type() != cty.String || v.IsNull() || !v.IsKnown() {
		return &hclsyntax.LiteralValueExpr{Val: v, SrcRange: r}
	}
	s := []byte(v.AsString())
	tokens, err := lexed(s, j.file, templateSyntax, inString(r))
	if err != nil {
		j.refuse(err, r)
		return &hclsyntax.LiteralValueExpr{Val: cty.DynamicVal, SrcRange: r}
	}
	t, ds := hclsyntax.ParseTemplate(asCalls(s, tokens, inString(r).Byte), j.file, inString(r))
	j.diags = append(j.diags, fromHCL(ds, diag.CodeSyntax, "")...)
	if t == nil || ds.HasErrors() {
		return &hclsyntax.LiteralValueExpr{Val: cty.DynamicVal, SrcRange: r}
	}
	return t
}
