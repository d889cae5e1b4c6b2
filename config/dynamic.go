package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/stowage-run/stowage/diag"
)

// iteratorName is the name under which the content of a dynamic block sees its element.
func (b *block) iteratorName() string {
	if a := b.body.attrs["iterator"]; a != nil {
		if k := hcl.ExprAsKeyword(a.bare); k != "" {
			return k
		}
	}
	return b.labels[0].text
}

// dynamic expands a dynamic block.
func (d *decoder) dynamic(b *block) []inner {
	dd := &decoder{c: d.c, ctx: d.ctx, body: b.body, in: d.in + ", " + b.title(), at: b.def}
	defer d.join(dd)
	if a := b.body.attrs["iterator"]; a != nil && hcl.ExprAsKeyword(a.bare) == "" {
		dd.bad(a, "The iterator of a dynamic block is a bare name.", "")
		return nil
	}
	coll, a, ok := dd.value("for_each")
	if !ok {
		if a != nil && len(dd.diags) == 0 {
			dd.bad(a, "for_each is null.", "for_each = []")
		}
		return nil
	}
	if coll.IsMarked() || !coll.IsKnown() {
		plainOnly, _ := coll.Unmark()
		if coll.IsMarked() {
			plainOnly = cty.StringVal("").Mark(sensitiveMark)
		}
		dd.isPlain(plainOnly, a)
		return nil
	}
	if !coll.CanIterateElements() {
		dd.wrongType(a, "a list, set or map", coll)
		return nil
	}
	var out []inner
	for it := coll.ElementIterator(); it.Next(); {
		if d.c.meter.make(blockCost) != nil {
			return nil // the evaluation ends with this
		}
		k, v := it.Element()
		if coll.Type().IsSetType() {
			k = v
		}
		out = append(out, dd.content(b, k, v)...)
	}
	return out
}

// content makes the block for one element. What is in the block is decoded as if it stood there itself.
func (d *decoder) content(b *block, k, v cty.Value) []inner {
	ctx := d.ctx.NewChild()
	ctx.Variables = map[string]cty.Value{b.iteratorName(): cty.ObjectVal(map[string]cty.Value{"key": k, "value": v})}
	for _, c := range b.body.blocks {
		if c.kind != "content" {
			continue
		}
		n := &block{kind: b.labels[0].text, at: b.def, def: b.def, body: c.body}
		if a := b.body.attrs["labels"]; a != nil {
			labels, ok := d.contentLabels(a, ctx)
			if !ok {
				return nil
			}
			n.labels = labels
		}
		made := inner{&decoder{c: d.c, ctx: ctx, body: n.body, in: d.in, at: b.def}, n}
		return []inner{made}
	}
	return nil
}

func (d *decoder) contentLabels(a *attr, ctx *hcl.EvalContext) ([]label, bool) {
	ld := &decoder{c: d.c, ctx: ctx, body: d.body, in: d.in, at: d.at}
	defer d.join(ld)
	v, ok := ld.eval(a)
	if !ok || !ld.isPlain(v, a) {
		return nil, false
	}
	var out []label
	if !v.IsNull() {
		for _, s := range ld.toStrings(v, a) {
			out = append(out, label{s, a.expr.Range()})
		}
	}
	if len(ld.diags) > 0 {
		return nil, false
	}
	if len(out) != 1 {
		ld.add(diag.CodeMissing, "Wrong number of labels", a.expr.Range(), "Blocks of this kind have one label.", "labels = [...]")
		return nil, false
	}
	return out, true
}

// toText converts an element to a string, if it can be one.
func toText(v cty.Value) (cty.Value, bool) {
	s, err := convert.Convert(v, cty.String)
	return s, err == nil
}
