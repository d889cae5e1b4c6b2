package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

// maxInstances bounds what one count or for_each makes. It is no more than one collection may hold.
const maxInstances = maxElements

// instance is one host, workload, ... that a block declares.
type instance struct {
	*decoder
	name string // web, web[0] or web["a"]
	def  hcl.Range
}

// instances evaluates a block once, or for each instance that count or for_each asks for, and returns the
// value by which expressions know it: an object, a tuple of them, or an object of them by key.
func (e *evaluation) instances(n *node, one func(*instance) cty.Value) cty.Value {
	scope := e.scopeFor(n)
	d := &decoder{c: e.c, ctx: scope, body: n.block.body, in: n.block.title(), at: n.block.def}
	defer func() { e.diags = append(e.diags, d.diags...) }()
	make1 := func(name string, ctx *hcl.EvalContext, in string) cty.Value {
		i := &instance{&decoder{c: e.c, ctx: ctx, body: n.block.body, in: in, at: n.block.def}, name, n.block.def}
		v := one(i)
		d.diags = append(d.diags, i.diags...)
		return v
	}
	switch {
	case n.block.body.attrs["count"] != nil:
		return e.counted(n, d, make1)
	case n.block.body.attrs["for_each"] != nil:
		return e.keyed(n, d, make1)
	}
	return make1(n.name, scope, d.in)
}

type makeFunc func(name string, ctx *hcl.EvalContext, in string) cty.Value

func (e *evaluation) counted(n *node, d *decoder, make1 makeFunc) cty.Value {
	num, ok := d.integer("count", 0, maxInstances)
	if !ok {
		if len(d.diags) == 0 {
			d.bad(n.block.body.attrs["count"], "count is null.", "count = 0")
		}
		return cty.DynamicVal
	}
	vals := make([]cty.Value, num)
	for i := range vals {
		ctx := d.ctx.NewChild()
		ctx.Variables = map[string]cty.Value{"count": cty.ObjectVal(map[string]cty.Value{"index": cty.NumberIntVal(int64(i))})}
		key := "[" + strconv.Itoa(i) + "]"
		vals[i] = make1(n.name+key, ctx, d.in+key)
		if len(d.diags) > 20 || e.c.meter.spent != nil { // the same mistake in each instance
			return cty.DynamicVal
		}
	}
	return cty.TupleVal(vals)
}

func (e *evaluation) keyed(n *node, d *decoder, make1 makeFunc) cty.Value {
	coll, a, ok := d.value("for_each")
	if !ok {
		if len(d.diags) == 0 {
			d.bad(a, "for_each is null.", "for_each = {}")
		}
		return cty.DynamicVal
	}
	if !e.forEachOK(d, coll, a) {
		return cty.DynamicVal
	}
	vals := map[string]cty.Value{}
	for it := coll.ElementIterator(); it.Next(); {
		k, v := it.Element()
		if coll.Type().IsSetType() {
			k = v
		}
		ks := k.AsString()
		if !validKey(ks) {
			d.bad(a, fmt.Sprintf("%q cannot be the key of an instance: letters, digits and . _ - : / @ can, 63 at most, beginning with a letter or digit. Keys become parts of names on the hosts.", ks), "")
			continue
		}
		ctx := d.ctx.NewChild()
		ctx.Variables = map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"key": k, "value": v})}
		key := "[" + strconv.Quote(ks) + "]"
		vals[ks] = make1(n.name+key, ctx, d.in+key)
		if len(d.diags) > 20 || e.c.meter.spent != nil {
			return cty.DynamicVal
		}
	}
	if len(vals) == 0 {
		return cty.EmptyObjectVal
	}
	return cty.ObjectVal(vals)
}

// forEachOK checks the collection: its keys must be known and may be seen, its elements need not.
func (e *evaluation) forEachOK(d *decoder, coll cty.Value, a *attr) bool {
	ty := coll.Type()
	switch {
	case coll.IsMarked():
		return d.isPlain(cty.StringVal("").Mark(sensitiveMark), a)
	case !coll.IsKnown():
		return d.isPlain(coll, a)
	case ty.IsObjectType() || ty.IsMapType():
		return true
	case ty.IsSetType():
		if !ty.ElementType().Equals(cty.String) && coll.LengthInt() > 0 {
			d.wrongType(a, "a map or a set of strings", coll)
			return false
		}
		for it := coll.ElementIterator(); it.Next(); {
			if _, v := it.Element(); v.IsNull() {
				d.bad(a, "The set for for_each holds a null.", "")
				return false
			}
		}
		return d.isPlain(coll, a)
	case ty.IsTupleType() || ty.IsListType():
		d.wrongType(a, "a map or a set of strings", coll)
		last := &d.diags[len(d.diags)-1]
		last.Detail += " Instances are known by their keys, so that taking one out of the middle leaves the others alone; a list has none."
		last.Remedy = "for_each = toset([...])"
		return false
	}
	d.wrongType(a, "a map or a set of strings", coll)
	return false
}

// validKey reports whether s can be the key of an instance. Keys are shown in addresses and made part of
// names, so quotes, brackets and control characters are out.
func validKey(s string) bool {
	if s == "" || len(s) > 63 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && (i == 0 || c != '.' && c != '_' && c != '-' && c != ':' && c != '/' && c != '@') {
			return false
		}
	}
	return true
}

// declare notes where an object was declared and what it is called on hosts.
func (e *evaluation) declare(i *instance, addr fleet.Addr) {
	e.out.Ranges[addr] = *rangeOf(i.def)
}

// refTo reads the address out of the value of an object, and reports whether it is one of that kind.
func refTo(v cty.Value, kind string) (id string, ok bool) {
	if !v.Type().IsObjectType() || !v.Type().HasAttribute("id") || v.IsNull() || !v.IsKnown() {
		return "", false
	}
	x := v.GetAttr("id")
	if x.Type() != cty.String || !x.IsKnown() || x.IsNull() {
		return "", false
	}
	s := x.AsString()
	if len(s) <= len(kind) || s[:len(kind)+1] != kind+"." {
		return "", false
	}
	return s[len(kind)+1:], true
}

// refs reads a list of references to blocks of one kind, and returns what follows the kind in their addresses.
func (d *decoder) refs(name, kind string) []string {
	var out []string
	for _, a := range d.addresses(name, kind) {
		out = append(out, a.Name())
	}
	return out
}

// addresses reads a list of references. A block with count or for_each, named without a key, stands for all
// its instances.
func (d *decoder) addresses(name string, kinds ...string) []fleet.Addr {
	v, a, ok := d.value(name)
	if !ok {
		return nil
	}
	if v.ContainsMarked() {
		d.isPlain(v, a)
		return nil
	}
	if !v.CanIterateElements() || v.Type().IsObjectType() {
		d.wrongType(a, fmt.Sprintf("a list of references such as [%s.NAME]", kinds[0]), v)
		if id, ok := refToAny(v, kinds); ok {
			d.diags[len(d.diags)-1].Remedy = fmt.Sprintf("%s = [%s]", a.name, id)
		} else if v.Type().IsObjectType() && !v.Type().HasAttribute("id") && v.LengthInt() > 0 { // as Compose has it
			d.diags[len(d.diags)-1].Remedy = fmt.Sprintf("%s = [%s]", a.name, d.namesIn(v, kinds))
		}
		return nil
	}
	var out []fleet.Addr
	for it := v.ElementIterator(); it.Next(); {
		_, x := it.Element()
		out = append(out, d.refsIn(x, a, kinds)...)
	}
	return out
}

// namesIn writes the keys of an object as references.
func (d *decoder) namesIn(v cty.Value, kinds []string) string {
	var out []string
	for it := v.ElementIterator(); it.Next(); {
		k, _ := it.Element()
		out = append(out, d.c.kindOf(k.AsString(), kinds)+"."+k.AsString())
	}
	return few(out)
}

// refToAny is refTo for several kinds.
func refToAny(v cty.Value, kinds []string) (fleet.Addr, bool) {
	for _, k := range kinds {
		if id, ok := refTo(v, k); ok {
			return fleet.Addr(k + "." + id), true
		}
	}
	return "", false
}

func (d *decoder) refsIn(v cty.Value, a *attr, kinds []string) []fleet.Addr {
	if id, ok := refToAny(v, kinds); ok {
		return []fleet.Addr{id}
	}
	if ty := v.Type(); ty.IsObjectType() && ty.HasAttribute("id") {
		d.notRef(v, a, kinds)
		return nil
	}
	var out []fleet.Addr
	if ty := v.Type(); !v.IsNull() && v.IsKnown() && (ty.IsObjectType() || ty.IsTupleType()) && v.LengthInt() > 0 {
		for it := v.ElementIterator(); it.Next(); {
			_, x := it.Element()
			id, ok := refToAny(x, kinds)
			if !ok {
				d.notRef(x, a, kinds)
				return nil
			}
			out = append(out, id)
		}
		return out
	}
	if ty := v.Type(); !v.IsNull() && v.IsKnown() && (ty.IsObjectType() || ty.IsTupleType()) && v.LengthInt() == 0 {
		return nil // a block of which there are no instances
	}
	d.notRef(v, a, kinds)
	return nil
}

func (d *decoder) notRef(v cty.Value, a *attr, kinds []string) {
	remedy := ""
	what := describe(v)
	if v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
		remedy = fmt.Sprintf("%s = [%s.%s]", a.name, d.c.kindOf(v.AsString(), kinds), v.AsString())
	}
	if v.Type().IsObjectType() && v.Type().HasAttribute("id") {
		if x := v.GetAttr("id"); x.Type() == cty.String && x.IsKnown() && !x.IsNull() {
			what = x.AsString()
		}
	}
	d.add(diag.CodeType, "Wrong type", a.expr.Range(), fmt.Sprintf("%s takes references to %ss; this is %s.", a.name, strings.Join(kinds, "s and "), what), remedy)
}

// kindOf returns the first of kinds in which something is called name, or the first of all.
func (c *Config) kindOf(name string, kinds []string) string {
	for _, k := range kinds {
		if c.nodes[k+"."+name] != nil {
			return k
		}
	}
	return kinds[0]
}
