package config

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

// decoder reads the arguments of one block as Go values. A mistake is noted in diags, and the zero value
// returned, so that one pass finds all mistakes.
type decoder struct {
	c     *Config
	ctx   *hcl.EvalContext
	body  *body
	in    string
	at    hcl.Range // of the block's head
	diags diag.List
}

func (d *decoder) add(code diag.Code, summary string, at hcl.Range, detail, remedy string) {
	d.diags = append(d.diags, problem(code, summary, at, d.in, detail, remedy))
}

// value evaluates an argument. ok is false where it is absent, null, or wrong.
func (d *decoder) value(name string) (cty.Value, *attr, bool) {
	a := d.body.attrs[name]
	if a == nil {
		return cty.NilVal, nil, false
	}
	v, ok := d.eval(a)
	if !ok {
		return cty.NilVal, a, false
	}
	if v.IsNull() {
		return cty.NilVal, a, false
	}
	return v, a, true
}

// eval evaluates an argument within the budget.
func (d *decoder) eval(a *attr) (cty.Value, bool) {
	v, ds := a.expr.Value(d.ctx)
	d.diags = append(d.diags, fromHCL(ds, diag.CodeEvaluate, d.in)...)
	if ds.HasErrors() {
		return cty.NilVal, false
	}
	w, err := d.c.meter.weigh(v)
	if err == nil {
		err = d.c.meter.make(w.bytes() / 2) // it is kept in another form
	}
	if err != nil {
		if !err.told {
			err.told = true
			d.diags = append(d.diags, err.diagnostic(problem(diag.CodeBudget, "", a.expr.Range(), d.in, "", "")))
		}
		return cty.NilVal, false
	}
	return v, true
}

// plain is value for an argument that must be known and not sensitive, at all levels.
func (d *decoder) plain(name string) (cty.Value, *attr, bool) {
	v, a, ok := d.value(name)
	if !ok {
		return v, a, false
	}
	return v, a, d.isPlain(v, a)
}

func (d *decoder) isPlain(v cty.Value, a *attr) bool {
	if v.ContainsMarked() {
		d.add(diag.CodeSensitive, "Sensitive value where it would be shown", a.expr.Range(),
			fmt.Sprintf("The value of %s is sensitive, and %s is shown in plans and stored in the state. A sensitive value may go into a workload's env, into the content of a file block, and into an output with sensitive = true.", a.name, a.name), "")
		return false
	}
	if !v.IsWhollyKnown() {
		d.add(diag.CodeEvaluate, "Value not known yet", a.expr.Range(),
			fmt.Sprintf("The value of %s depends on something that is known only after apply, such as a port chosen automatically. It must be known for the plan.", a.name), "")
		return false
	}
	return true
}

// to converts a value to a type, or says what is wanted.
func (d *decoder) to(v cty.Value, ty cty.Type, a *attr, want string) (cty.Value, bool) {
	got, err := convert.Convert(v, ty)
	if err == nil {
		return got, true
	}
	d.wrongType(a, want, v)
	return cty.NilVal, false
}

func (d *decoder) wrongType(a *attr, want string, v cty.Value) {
	d.add(diag.CodeType, "Wrong type", a.expr.Range(), fmt.Sprintf("%s takes %s; this is %s.", a.name, want, describe(v)), "")
}

// describe names a value's type.
func describe(v cty.Value) string {
	switch ty := v.Type(); {
	case v.IsNull():
		return "null"
	case ty == cty.String:
		return "a string"
	case ty == cty.Number:
		return "a number"
	case ty == cty.Bool:
		return "true or false"
	case ty.IsTupleType() || ty.IsListType():
		return "a list"
	case ty.IsSetType():
		return "a set"
	case ty.IsObjectType() && ty.HasAttribute("id"):
		return "a reference to an object"
	case ty.IsObjectType() || ty.IsMapType():
		return "a map"
	default:
		return "a value of type " + ty.FriendlyName()
	}
}

// require notes a missing argument.
func (d *decoder) require(name string) bool {
	if a := d.body.attrs[name]; a != nil {
		return true
	}
	d.diags = append(d.diags, missing(name, d.at, d.in))
	return false
}

// str reads a string; numbers and booleans are taken as their text.
func (d *decoder) str(name string) string {
	s, _ := d.strOK(name)
	return s
}

func (d *decoder) strOK(name string) (string, bool) {
	v, a, ok := d.plain(name)
	if !ok {
		return "", false
	}
	v, ok = d.to(v, cty.String, a, "a string")
	if !ok || !d.clean(v.AsString(), a) {
		return "", false
	}
	return v.AsString(), true
}

// clean refuses NUL bytes, which no engine takes and which cut strings off in some.
func (d *decoder) clean(s string, a *attr) bool {
	for i := range len(s) {
		if s[i] == 0 {
			d.bad(a, "The value of "+a.name+" holds a NUL byte.", "")
			return false
		}
	}
	return true
}

// bad notes a value of the right type that cannot be.
func (d *decoder) bad(a *attr, detail, remedy string) {
	d.add(diag.CodeValue, "Invalid value", a.expr.Range(), detail, remedy)
}

// choice reads a string that is one of a few. def is returned where nothing is said.
func (d *decoder) choice(name, def string, of ...string) string {
	s, ok := d.strOK(name)
	if !ok {
		return def
	}
	if slices.Contains(of, s) {
		return s
	}
	list := ""
	for i, o := range of {
		if i > 0 {
			list += ", "
		}
		list += fmt.Sprintf("%q", o)
	}
	remedy := ""
	if n := nearest(s, of); n != "" {
		remedy = fmt.Sprintf("%s = %q", name, n)
	}
	d.bad(d.body.attrs[name], fmt.Sprintf("%q is not a value of %s; there are %s.", s, name, list), remedy)
	return def
}

func (d *decoder) boolean(name string, def bool) bool {
	v, a, ok := d.plain(name)
	if !ok {
		return def
	}
	v, ok = d.to(v, cty.Bool, a, "true or false")
	if !ok {
		return def
	}
	return v.True()
}

// integer reads a whole number within bounds.
func (d *decoder) integer(name string, lowest, highest int64) (int64, bool) {
	v, a, ok := d.plain(name)
	if !ok {
		return 0, false
	}
	return d.toInteger(v, a, lowest, highest)
}

func (d *decoder) toInteger(v cty.Value, a *attr, lowest, highest int64) (int64, bool) {
	n, ok := d.to(v, cty.Number, a, "a whole number")
	if !ok {
		return 0, false
	}
	i, acc := n.AsBigFloat().Int64()
	if acc != big.Exact || i < lowest || i > highest {
		d.bad(a, fmt.Sprintf("%s is a whole number from %d to %d; this is %s.", a.name, lowest, highest, n.AsBigFloat().Text('g', 12)), "")
		return 0, false
	}
	return i, true
}

// strings reads a list of strings.
func (d *decoder) strings(name string) []string {
	v, a, ok := d.plain(name)
	if !ok {
		return nil
	}
	return d.toStrings(v, a)
}

func (d *decoder) toStrings(v cty.Value, a *attr) []string {
	ty := v.Type()
	if !ty.IsTupleType() && !ty.IsListType() && !ty.IsSetType() {
		d.wrongType(a, "a list of strings", v)
		if ty == cty.String {
			d.diags[len(d.diags)-1].Remedy = fmt.Sprintf("%s = [%q]", a.name, v.AsString())
		}
		return nil
	}
	out := make([]string, 0, v.LengthInt())
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		s, err := convert.Convert(e, cty.String)
		if err != nil || s.IsNull() {
			d.wrongType(a, "a list of strings", e)
			return nil
		}
		if !d.clean(s.AsString(), a) {
			return nil
		}
		out = append(out, s.AsString())
	}
	return out
}

// stringMap reads a map of strings; null elements are left out.
func (d *decoder) stringMap(name string) map[string]string {
	v, a, ok := d.plain(name)
	if !ok {
		return nil
	}
	if !v.Type().IsObjectType() && !v.Type().IsMapType() {
		d.wrongType(a, "a map of strings", v)
		return nil
	}
	out := map[string]string{}
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if e.IsNull() {
			continue
		}
		s, err := convert.Convert(e, cty.String)
		if err != nil {
			d.bad(a, fmt.Sprintf("The value of %q in %s is %s; a string is wanted.", k.AsString(), a.name, describe(e)), "")
			continue
		}
		if d.clean(k.AsString()+s.AsString(), a) {
			out[k.AsString()] = s.AsString()
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// text makes a string that may be sensitive, sealing it where it is.
func (d *decoder) text(e *evaluation, v cty.Value) fleet.Text {
	plain, marks := v.Unmark()
	s := plain.AsString()
	if len(marks) == 0 {
		return fleet.Text{Plain: s}
	}
	return e.seal(s)
}

// block returns a decoder for the one block of a kind, or nil where there is none.
func (d *decoder) block(kind string) *decoder {
	all := d.blocks(kind)
	if len(all) == 0 {
		return nil
	}
	for _, more := range all[1:] {
		d.add(diag.CodeDuplicate, "Declared twice", more.at, fmt.Sprintf("There may be one %s block here; the first is at %s.", kind, rangeOf(all[0].at)), "")
	}
	return all[0].decoder
}

// inner is one nested block, ready to be read.
type inner struct {
	*decoder
	from *block
}

// label returns the block's first label.
func (n inner) label() string { return n.from.labels[0].text }

// blocks returns the blocks of a kind, those made by dynamic blocks included.
func (d *decoder) blocks(kind string) []inner {
	var out []inner
	for _, b := range d.body.blocks {
		if d.c.meter.make(blockCost) != nil {
			return nil // the evaluation ends with this
		}
		switch {
		case b.kind == kind:
			out = append(out, d.inner(b, d.ctx))
		case b.kind == "dynamic" && len(b.labels) == 1 && b.labels[0].text == kind:
			out = append(out, d.dynamic(b)...)
		}
	}
	return out
}

func (d *decoder) inner(b *block, ctx *hcl.EvalContext) inner {
	return inner{&decoder{c: d.c, ctx: ctx, body: b.body, in: d.in + ", " + b.title(), at: b.def}, b}
}

// join takes over the mistakes that were found in a nested block.
func (d *decoder) join(n *decoder) {
	if n != nil {
		d.diags = append(d.diags, n.diags...)
		n.diags = nil
	}
}
