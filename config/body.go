package config

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// body is the inside of a file or block, from either spelling. HCL's own hcl.Body is not used, since its
// JSON form parses strings as templates while it evaluates, out of reach of scan and guard, and since
// dynamic blocks can then be expanded here, within the budget.
type body struct {
	attrs  map[string]*attr
	names  []string // of attrs, in order of appearance
	blocks []*block
	open   hcl.Range // where a missing argument is reported
}

// attr is one argument.
type attr struct {
	name  string
	at    hcl.Range // of the name
	expr  hclsyntax.Expression
	bare  hclsyntax.Expression // expr without guards where its form matters (a variable's type); else nil
	whole hcl.Range
}

// block is one block. scope is set for the content of a dynamic block and holds its iterator.
type block struct {
	kind   string
	at     hcl.Range // of the kind
	labels []label
	def    hcl.Range // from the kind to the last label
	body   *body
}

type label struct {
	text string
	at   hcl.Range
}

// title is how messages name the block: `host "web1"`.
func (b *block) title() string {
	s := b.kind
	for _, l := range b.labels {
		s += ` "` + l.text + `"`
	}
	return s
}

// native converts a parsed body and puts guards into its expressions.
func (m *meter) native(b *hclsyntax.Body, open hcl.Range) (*body, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	out := &body{attrs: map[string]*attr{}, open: open}
	attrs := make([]*hclsyntax.Attribute, 0, len(b.Attributes))
	for _, a := range b.Attributes {
		attrs = append(attrs, a)
	}
	sortByStart(attrs)
	for _, a := range attrs {
		n := &attr{name: a.Name, at: a.NameRange, whole: a.SrcRange}
		if keepsForm(a.Name) {
			n.expr, n.bare = a.Expr, a.Expr
		} else {
			e, ds := m.guarded(a.Expr)
			diags = append(diags, ds...)
			n.expr = e
		}
		out.attrs[a.Name] = n
		out.names = append(out.names, a.Name)
	}
	for _, b := range b.Blocks {
		n := &block{kind: b.Type, at: b.TypeRange, def: b.DefRange()}
		for i, l := range b.Labels {
			n.labels = append(n.labels, label{l, b.LabelRanges[i]})
		}
		inner, ds := m.native(b.Body, n.def)
		diags = append(diags, ds...)
		n.body = inner
		out.blocks = append(out.blocks, n)
	}
	return out, diags
}

// keepsForm reports whether an argument of that name is read by its form, not its value: type constraints
// and the iterator of a dynamic block. No other argument has these names.
func keepsForm(name string) bool { return name == "type" || name == "iterator" }

// sortNames orders names as they appear in the file.
func (b *body) sortNames() {
	slices.SortFunc(b.names, func(x, y string) int {
		return b.attrs[x].at.Start.Byte - b.attrs[y].at.Start.Byte
	})
}
