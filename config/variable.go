package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/stowage-run/stowage/diag"
)

// markKind is the type of marks on values.
type markKind string

// sensitiveMark is on every value that must not be shown.
const sensitiveMark markKind = "sensitive"

// variable is a declared variable.
type variable struct {
	Variable
	block    *block
	ty       cty.Type
	defaults *typeexpr.Defaults
	def      cty.Value // NilVal: none
	nullable bool
}

// declareVariables reads the variable blocks.
func (c *Config) declareVariables() diag.List {
	var diags diag.List
	for _, b := range c.blocks["variable"] {
		v, ds := c.declareVariable(b)
		diags = append(diags, ds...)
		if v != nil {
			c.vars[v.Name] = v
		}
	}
	return diags
}

func (c *Config) declareVariable(b *block) (*variable, diag.List) {
	v := &variable{Variable: Variable{Name: b.labels[0].text}, block: b, ty: cty.DynamicPseudoType, nullable: true}
	in := b.title()
	var diags diag.List
	if a := b.body.attrs["type"]; a != nil {
		ty, defaults, ds := typeexpr.TypeConstraintWithDefaults(a.bare)
		if ds.HasErrors() {
			return nil, fromHCL(ds, diag.CodeType, in)
		}
		v.ty, v.defaults = ty, defaults
		v.Type = typeexpr.TypeString(ty)
	}
	d := c.constants(b.body, in)
	v.Description = d.str("description")
	v.Sensitive = d.boolean("sensitive", false)
	v.nullable = d.boolean("nullable", true)
	diags = append(diags, d.diags...)
	if a := b.body.attrs["default"]; a != nil {
		val, ds := a.expr.Value(nil)
		diags = append(diags, fromHCL(ds, diag.CodeEvaluate, in)...)
		if !ds.HasErrors() {
			got, bad := v.convert(val, a.expr.Range(), "The default")
			diags = append(diags, bad...)
			v.def = got
		}
	}
	if diags.HasErrors() {
		return nil, diags
	}
	return v, diags
}

// convert makes a value one of the variable's type.
func (v *variable) convert(val cty.Value, at hcl.Range, what string) (cty.Value, diag.List) {
	bad := func(code diag.Code, summary, detail string) diag.List {
		return diag.List{problem(code, summary, at, v.block.title(), detail, "")}
	}
	if val.IsNull() {
		if !v.nullable {
			return cty.NilVal, bad(diag.CodeVariable, "Invalid value for a variable", fmt.Sprintf("%s of %q is null, and nullable is false.", what, v.Name))
		}
		return cty.NullVal(v.ty.WithoutOptionalAttributesDeep()), nil
	}
	if v.defaults != nil {
		val = v.defaults.Apply(val)
	}
	got, err := convert.Convert(val, v.ty)
	if err != nil {
		return cty.NilVal, bad(diag.CodeType, "Wrong type", fmt.Sprintf("%s of variable %q does not fit its type %s: %s.", what, v.Name, v.Type, describeConversion(err)))
	}
	return got, nil
}

// describeConversion tells where inside a value a conversion failed.
func describeConversion(err error) string {
	if pe, ok := errors.AsType[cty.PathError](err); ok && len(pe.Path) > 0 {
		return formatPath(pe.Path) + ": " + pe.Error()
	}
	return err.Error()
}

func formatPath(p cty.Path) string {
	var b strings.Builder
	for _, s := range p {
		switch s := s.(type) {
		case cty.GetAttrStep:
			b.WriteString("." + s.Name)
		case cty.IndexStep:
			k, _ := s.Key.Unmark()
			switch {
			case !k.IsKnown() || k.IsNull():
				b.WriteString("[?]")
			case k.Type() == cty.String:
				fmt.Fprintf(&b, "[%q]", k.AsString())
			default:
				b.WriteString("[" + k.AsBigFloat().Text('f', -1) + "]")
			}
		}
	}
	return strings.TrimPrefix(b.String(), ".")
}

func (c *Config) varNames() []string {
	var out []string
	for n := range c.vars {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// giveValues settles the value of each variable.
func (c *Config) giveValues(got map[string]given) diag.List {
	var diags diag.List
	for _, name := range c.varNames() {
		v := c.vars[name]
		val, ds := c.giveValue(v, got)
		diags = append(diags, ds...)
		if val == cty.NilVal {
			continue
		}
		if _, err := c.meter.weigh(val); err != nil {
			diags = append(diags, err.diagnostic(problem(diag.CodeBudget, "", v.block.def, v.block.title(), "", "")))
			continue
		}
		if v.Sensitive {
			c.rememberSecret(val)
			val = val.Mark(sensitiveMark)
		}
		c.varVals[name] = val
	}
	return diags
}

func (c *Config) giveValue(v *variable, got map[string]given) (cty.Value, diag.List) {
	g, ok := got[v.Name]
	if !ok && v.def != cty.NilVal {
		return v.def, nil
	}
	if !ok && c.in.SettingsOnly {
		return cty.DynamicVal, nil
	}
	if !ok && c.in.Ask != nil {
		if raw, answered := c.in.Ask(v.Variable); answered {
			g, ok = given{raw: raw, from: "the answer"}, true
		}
	}
	if !ok {
		return cty.NilVal, diag.List{problem(diag.CodeVariable, "Variable without a value", v.block.def, "",
			fmt.Sprintf("The variable %q has no default and was not given a value.", v.Name),
			fmt.Sprintf("-var '%s=VALUE', or a line %s = VALUE in stowage.vars.hcl", v.Name, v.Name))}
	}
	if g.val == cty.NilVal {
		val, ds := v.read(g)
		if ds.HasErrors() {
			return cty.NilVal, c.hide(v, ds)
		}
		g.val = val
	}
	if g.val.IsNull() && !v.nullable && v.def != cty.NilVal {
		return v.def, nil
	}
	val, ds := v.convert(g.val, v.block.def, "The value given by "+g.from)
	if g.at != nil {
		for i := range ds {
			ds[i].Subject = g.at
		}
	}
	return val, c.hide(v, ds)
}

// hide takes details that may quote the value out of messages about a sensitive variable.
func (c *Config) hide(v *variable, ds diag.List) diag.List {
	if v.Sensitive {
		for i := range ds {
			ds[i].Detail = fmt.Sprintf("The value of variable %q does not fit its type %s. It is sensitive, so no more is shown.", v.Name, v.Type)
		}
	}
	return ds
}

// read interprets text from a flag, the environment or a prompt: a string as it is for a variable whose
// type is primitive or not said, an HCL expression for others.
func (v *variable) read(g given) (cty.Value, diag.List) {
	if len(g.raw) > maxString {
		return cty.NilVal, diag.List{{Code: diag.CodeBudget, Summary: "Too much to evaluate", Detail: "The value of " + v.Name + " has more than 1 MiB."}}
	}
	if v.ty.IsPrimitiveType() || v.ty == cty.DynamicPseudoType {
		if v.ty == cty.Number && (hugeExponent(g.raw) || len(g.raw) > maxIdentifier) {
			return cty.NilVal, diag.List{{Code: diag.CodeBudget, Summary: "Too much to evaluate", Detail: "The value of " + v.Name + " is a number beyond what can be used."}}
		}
		return cty.StringVal(g.raw), nil
	}
	at := "<" + g.from + ">"
	e, refused, ds := parseExpression([]byte(g.raw), at, hcl.InitialPos)
	if refused != nil {
		return cty.NilVal, diag.List{{Code: refused.code, Summary: refused.summary(), Detail: refused.detail}}
	}
	var val cty.Value
	if !ds.HasErrors() {
		val, ds = e.Value(nil)
	}
	if ds.HasErrors() {
		return cty.NilVal, diag.List{{Code: diag.CodeVariable, Summary: "Invalid value for a variable",
			Detail: fmt.Sprintf("The value given by %s to variable %q is not an HCL expression of type %s: %s", g.from, v.Name, v.Type, ds[0].Detail)}}
	}
	return val, nil
}

// validate evaluates the validation blocks. A condition may refer to variables.
func (c *Config) validate() diag.List {
	var diags diag.List
	if c.in.SettingsOnly {
		return nil
	}
	for _, name := range c.varNames() {
		v := c.vars[name]
		if _, ok := c.varVals[name]; !ok {
			continue
		}
		for _, b := range v.block.body.blocks {
			diags = append(diags, c.validateOne(v, b)...)
		}
	}
	return diags
}

func (c *Config) validateOne(v *variable, b *block) diag.List {
	in := v.block.title()
	for _, name := range []string{"condition", "error_message"} {
		a := b.body.attrs[name]
		if a == nil {
			return diag.List{missing(name, b.def, in)}
		}
		for _, t := range a.expr.Variables() {
			if root := t.RootName(); root != "var" && root != "path" {
				return diag.List{problem(diag.CodeReference, "Reference not possible here", t.SourceRange(), in,
					fmt.Sprintf("A validation may refer to variables only; %s is not one.", root), "")}
			}
			if ds := c.checkVar(t, in); ds != nil {
				return ds
			}
		}
	}
	d := &decoder{c: c, ctx: c.baseScope(), body: b.body, in: in}
	cond, a, ok := d.value("condition")
	if !ok {
		return d.diags
	}
	cond, _ = cond.Unmark()
	if !cond.IsKnown() || cond.Type() != cty.Bool {
		return diag.List{problem(diag.CodeType, "Wrong type", a.expr.Range(), in, "The condition of a validation is true or false.", "")}
	}
	if cond.True() {
		return nil
	}
	msg := "The value is refused by its validation."
	if m, _, ok := d.value("error_message"); ok {
		plain, marks := m.Unmark()
		switch {
		case len(marks) > 0:
			msg = "The error message holds a sensitive value, so it is not shown."
		case plain.IsKnown() && plain.Type() == cty.String:
			msg = plain.AsString()
		}
	}
	return append(d.diags, problem(diag.CodeVariable, "Invalid value for a variable", a.expr.Range(), in,
		fmt.Sprintf("Variable %q: %s", v.Name, sentence(msg)), ""))
}

// variableValue encodes a variable's value for a saved plan.
func variableValue(v cty.Value) VariableValue {
	if v == cty.NilVal {
		return VariableValue{}
	}
	if v.ContainsMarked() {
		return VariableValue{Sensitive: true}
	}
	b, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		return VariableValue{} // unknown values do not occur
	}
	return VariableValue{JSON: json.RawMessage(b)}
}

// rememberSecret notes the strings in a sensitive value, to keep them out of messages.
func (c *Config) rememberSecret(v cty.Value) {
	v, _ = v.UnmarkDeep()
	_ = cty.Walk(v, func(_ cty.Path, x cty.Value) (bool, error) {
		if x.IsKnown() && !x.IsNull() && x.Type() == cty.String {
			c.scrub.add(x.AsString())
		}
		return true, nil
	})
}
