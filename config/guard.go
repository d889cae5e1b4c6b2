package config

import (
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// role is what an expression is to its parent, which decides what its value costs.
type role int

const (
	operand role = iota // looked at and let go
	deeply              // gone through at all levels: compared, converted, given to a function
	part                // of a template: its text is copied
	element             // the result of one turn of a loop: it is kept
)

// guard stands in front of a subexpression and asks the meter before and after each evaluation. HCL
// evaluates loops inside one call, so this is the only place where a loop can be stopped in its middle.
//
// The guarded expression is put in parentheses, because HCL's own walks (Variables) pass a guard's node by
// and go straight to the children of what it embeds: like this the child is the expression itself.
type guard struct {
	hclsyntax.Expression
	m    *meter
	role role
}

// Value evaluates the expression within the budget. Once a budget has run out it returns at once, so the
// loops around it end after at most their own number of turns.
func (g *guard) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	if err := g.m.step(); err != nil {
		return cty.DynamicVal, g.tell(err)
	}
	v, diags := g.Expression.Value(ctx)
	if v == cty.NilVal {
		v = cty.DynamicVal
	}
	err := g.charge(v)
	if err == nil {
		return v, diags
	}
	if !diags.HasErrors() { // else one of them says so already
		diags = append(diags, g.tell(err)...)
	}
	return cty.DynamicVal, diags
}

// charge admits the value and pays for what its use will cost. Where it will be gone through at all levels
// that is done here first, with a bound: HCL and cty do it without.
func (g *guard) charge(v cty.Value) *budgetError {
	if g.role == deeply {
		w, err := g.m.weigh(v)
		if err != nil {
			return err
		}
		return g.m.look(w.work())
	}
	if err := g.m.admit(v); err != nil {
		return err
	}
	return g.m.make(g.cost(v))
}

func (g *guard) cost(v cty.Value) int64 {
	switch g.role {
	case element:
		return nodeCost
	case part:
		v, _ = v.Unmark()
		switch {
		case !v.IsKnown() || v.IsNull():
		case v.Type() == cty.String:
			return nodeCost + int64(len(v.AsString()))
		case v.Type() == cty.Number:
			return nodeCost + int64(max(v.AsBigFloat().MantExp(nil), 0))/3 // its digits
		}
		return nodeCost
	}
	return 0
}

// tell reports an exhausted budget once; a loop would repeat it for each turn.
func (g *guard) tell(err *budgetError) hcl.Diagnostics {
	if err.told {
		return nil
	}
	err.told = true
	r := g.Range()
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Too much to evaluate", Detail: err.what, Subject: &r, Extra: err}}
}

// UnwrapExpression lets HCL see through the guard where it looks at an expression's form.
func (g *guard) UnwrapExpression() hcl.Expression { return g.Expression }

// guarder puts guards into expressions.
type guarder struct {
	m     *meter
	diags hcl.Diagnostics
	loops int // for expressions around the present one
}

// guarded returns e with guards in it, and one in front.
func (m *meter) guarded(e hclsyntax.Expression) (hclsyntax.Expression, hcl.Diagnostics) {
	g := guarder{m: m}
	e = g.wrap(e, operand)
	return e, g.diags
}

func (g *guarder) wrap(e hclsyntax.Expression, r role) hclsyntax.Expression {
	switch e.(type) {
	case nil:
		return nil
	case *hclsyntax.LiteralValueExpr, *hclsyntax.AnonSymbolExpr, *hclsyntax.ObjectConsKeyExpr:
		if r != element && (r != part || g.loops == 0) {
			g.into(e)
			return e // HCL looks at the node's type; literals are bounded by the scan
		}
	case *guard:
		return e
	}
	g.into(e)
	return &guard{&hclsyntax.ParenthesesExpr{Expression: e, SrcRange: e.Range()}, g.m, r}
}

// into guards the children of e.
func (g *guarder) into(e hclsyntax.Expression) {
	switch e := e.(type) {
	case *hclsyntax.ParenthesesExpr:
		e.Expression = g.wrap(e.Expression, operand)
	case *hclsyntax.RelativeTraversalExpr:
		e.Source = g.wrap(e.Source, operand)
	case *hclsyntax.FunctionCallExpr:
		for i := range e.Args {
			e.Args[i] = g.wrap(e.Args[i], deeply)
		}
	case *hclsyntax.ConditionalExpr:
		e.Condition = g.wrap(e.Condition, operand)
		e.TrueResult = g.wrap(e.TrueResult, deeply)
		e.FalseResult = g.wrap(e.FalseResult, deeply)
	case *hclsyntax.IndexExpr:
		e.Collection = g.wrap(e.Collection, operand)
		e.Key = g.wrap(e.Key, operand)
	case *hclsyntax.TupleConsExpr:
		for i := range e.Exprs {
			e.Exprs[i] = g.wrap(e.Exprs[i], operand)
		}
	case *hclsyntax.ObjectConsExpr:
		for i := range e.Items {
			g.into(e.Items[i].KeyExpr)
			e.Items[i].ValueExpr = g.wrap(e.Items[i].ValueExpr, operand)
		}
	case *hclsyntax.ObjectConsKeyExpr:
		if _, bare := e.Wrapped.(*hclsyntax.ScopeTraversalExpr); !bare {
			e.Wrapped = g.wrap(e.Wrapped, operand)
		}
	case *hclsyntax.ForExpr:
		g.loop(e, element)
	case *hclsyntax.SplatExpr:
		e.Source = g.wrap(e.Source, operand)
		e.Each = g.wrap(e.Each, element)
	default:
		g.intoOps(e)
	}
}

func (g *guarder) intoOps(e hclsyntax.Expression) {
	switch e := e.(type) {
	case *hclsyntax.BinaryOpExpr:
		e.LHS = g.wrap(e.LHS, deeply)
		e.RHS = g.wrap(e.RHS, deeply)
	case *hclsyntax.UnaryOpExpr:
		e.Val = g.wrap(e.Val, operand)
	case *hclsyntax.TemplateExpr:
		for i := range e.Parts {
			e.Parts[i] = g.wrap(e.Parts[i], part)
		}
	case *hclsyntax.TemplateWrapExpr:
		e.Wrapped = g.wrap(e.Wrapped, operand)
	case *hclsyntax.TemplateJoinExpr:
		if f, ok := e.Tuple.(*hclsyntax.ForExpr); ok {
			g.loop(f, part) // its results are joined, so that their text is copied
			return
		}
		e.Tuple = g.wrap(e.Tuple, operand)
	}
}

func (g *guarder) loop(e *hclsyntax.ForExpr, result role) {
	e.CollExpr = g.wrap(e.CollExpr, operand)
	g.loops++
	if g.loops == maxForNest+1 {
		err := &budgetError{
			what:   "There are more than " + strconv.Itoa(maxForNest) + " for expressions inside each other.",
			remedy: "give the inner ones a name in locals",
			told:   true,
		}
		r := e.Range()
		g.diags = append(g.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Too much to evaluate", Detail: err.what, Subject: &r, Extra: err})
	}
	if e.KeyExpr != nil {
		e.KeyExpr = g.wrap(e.KeyExpr, element)
	}
	if e.CondExpr != nil {
		e.CondExpr = g.wrap(e.CondExpr, operand)
	}
	e.ValExpr = g.wrap(e.ValExpr, result)
	g.loops--
}
