package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

// workloadPrefix begins an attribute that names a workload.
const workloadPrefix = "workload."

// attribute reads what a constraint or affinity is about. A reference to a block with count or for_each comes out as the
// address of that block.
func (d *decoder) attribute() (string, bool) {
	if !d.require("attribute") {
		return "", false
	}
	a := d.body.attrs["attribute"]
	if t, ok := workloadNamed(a.expr); ok {
		return addressOf(t), true
	}
	v, _, ok := d.plain("attribute")
	if !ok {
		if len(d.diags) == 0 {
			d.bad(a, "The attribute is null.", `attribute = "zone"`)
		}
		return "", false
	}
	if id, ok := refTo(v, "workload"); ok {
		return workloadPrefix + id, true
	}
	if id, ok := refTo(v, "host"); ok {
		d.add(diag.CodeType, "Wrong type", a.expr.Range(), "attribute takes the name of a label or fact, or a workload; this is host."+id+".",
			fmt.Sprintf("attribute = \"host.name\"\nvalue     = %q", id))
		return "", false
	}
	if v.Type() != cty.String {
		d.wrongType(a, "the name of a label or fact, or a workload", v)
		return "", false
	}
	s := v.AsString()
	return s, d.clean(s, a) && d.attributeName(s, a)
}

func (d *decoder) attributeName(s string, a *attr) bool {
	switch {
	case s == "":
		d.bad(a, "The attribute is empty.", `attribute = "zone"`)
	case strings.HasPrefix(s, "host.") && !slices.Contains(hostFacts(), s):
		remedy := ""
		if n := nearest(s, hostFacts()); n != "" {
			remedy = fmt.Sprintf("attribute = %q", n)
		}
		d.bad(a, fmt.Sprintf("%q is not a fact of hosts; there are %s. A label is named without host.", s, strings.Join(hostFacts(), ", ")), remedy)
	case strings.HasPrefix(s, fleet.LabelPrefix):
		d.bad(a, fmt.Sprintf("Labels that begin with %s are on containers, not on hosts.", fleet.LabelPrefix), "")
	default:
		return true
	}
	return false
}

// workloadNamed reads an expression that names a workload and nothing else: workload.cache, workload.web[0]. It is taken
// by its form, not by its value: two workloads may well wish to keep away from each other, and by value that would be
// a cycle.
func workloadNamed(e hcl.Expression) (hcl.Traversal, bool) {
	t, ds := hcl.AbsTraversalForExpr(unguarded(e))
	if ds.HasErrors() || t.RootName() != "workload" {
		return nil, false
	}
	_, ok := second(t)
	if ok && len(t) == 3 {
		_, ok = t[2].(hcl.TraverseIndex)
	}
	return t, ok && len(t) <= 3
}

// addressOf writes what workloadNamed has found as an address.
func addressOf(t hcl.Traversal) string {
	name, _ := second(t)
	if len(t) == 2 {
		return workloadPrefix + name
	}
	key := t[2].(hcl.TraverseIndex).Key
	if key.Type() == cty.String {
		return fmt.Sprintf("%s%s[%q]", workloadPrefix, name, key.AsString())
	}
	return fmt.Sprintf("%s%s[%s]", workloadPrefix, name, key.AsBigFloat().Text('f', -1))
}

// unguarded takes the guards off an expression, and the ${ } of one that is a whole string of JSON.
func unguarded(e hcl.Expression) hcl.Expression {
	for {
		switch x := e.(type) {
		case *guard:
			e = x.Expression
		case *hclsyntax.ParenthesesExpr:
			e = x.Expression
		case *hclsyntax.TemplateWrapExpr:
			e = x.Wrapped
		default:
			return e
		}
	}
}

// named checks the attribute of an affinity that names a workload. It makes no order among the nodes: see workloadNamed.
func (l *linker) named(a *attr) bool {
	t, ok := workloadNamed(a.expr)
	if ok {
		l.declared(t)
	}
	return ok
}

// theirs recognises "${attr.cpu.arch}" and the like, as Nomad writes them.
func (l *linker) theirs(t hcl.Traversal) bool {
	root := t.RootName()
	if root != "attr" && root != "node" && root != "meta" || len(t) < 2 {
		return false
	}
	name := root
	for _, step := range t[1:] {
		switch s := step.(type) {
		case hcl.TraverseAttr:
			name += "." + s.Name
		case hcl.TraverseIndex:
			if s.Key.Type() != cty.String {
				return false
			}
			name += "." + s.Key.AsString()
		default:
			return false
		}
	}
	detail, remedy := adviseAttribute(name)
	if detail != "" {
		l.add(diag.CodeReference, "Unknown reference", t.SourceRange(), detail, remedy)
	}
	return detail != ""
}
