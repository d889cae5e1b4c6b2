package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	version "github.com/hashicorp/go-version"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

// The bounds of placement.
const (
	maxPattern  = 1 << 10 // bytes of a regular expression or version constraint: what hosts are called is short
	maxWeight   = 100
	maxPriority = 100
)

// hostFacts are the attributes of a host beside its labels.
func hostFacts() []string {
	return words("host.name host.address host.arch host.os host.engine host.engine_version")
}

// operators are all operators, in the order in which messages list them.
func operators() []string {
	return []string{
		string(fleet.OpEqual), string(fleet.OpNotEqual), string(fleet.OpLess), string(fleet.OpLessEqual), string(fleet.OpGreater), string(fleet.OpGreaterEqual),
		string(fleet.OpIn), string(fleet.OpNotIn), string(fleet.OpRegexp), string(fleet.OpVersion), string(fleet.OpIsSet),
	}
}

// placement decodes the placement block. What only the whole fleet shows is checked in placementsOf.
func (e *evaluation) placement(i *instance, w *fleet.Workload) {
	n := i.block("placement")
	if n == nil {
		return
	}
	defer i.join(n)
	p := &w.Placement
	n.placementHosts(p)
	p.Labels = n.stringMap("labels")
	e.asks(w, n, "labels", labelNames(p.Labels)...)
	p.Spread = n.spread()
	e.asks(w, n, "spread", p.Spread...)
	if m, ok := n.integer("max_per_host", 1, maxReplicas); ok {
		p.MaxPerHost = int(m)
	}
	p.Strategy = fleet.Strategy(n.choice("strategy", "", string(fleet.StrategySpread), string(fleet.StrategyBinpack)))
	if r, ok := n.integer("priority", 1, maxPriority); ok {
		p.Priority = int(r)
	}
	for _, b := range n.blocks("constraint") {
		if c, ok := b.constraint(); ok {
			p.Constraints = append(p.Constraints, c)
			e.wish(w, b.decoder, c, "constraint")
		}
		n.join(b.decoder)
	}
	for _, b := range n.blocks("affinity") {
		if a, ok := b.affinity(); ok {
			p.Affinities = append(p.Affinities, a)
			e.wish(w, b.decoder, fleet.Constraint{Attribute: a.Attribute, Operator: a.Operator, Values: a.Values}, "affinity")
		}
		n.join(b.decoder)
	}
}

func (d *decoder) placementHosts(p *fleet.Placement) {
	for _, h := range d.refs("hosts", "host") {
		p.Hosts = append(p.Hosts, fleet.HostName(h))
	}
	if a := d.body.attrs["hosts"]; a != nil && len(p.Hosts) == 0 && len(d.diags) == 0 {
		if v, _, ok := d.value("hosts"); ok && v.IsKnown() {
			d.bad(a, "The list of hosts is empty, so there is no host that the workload could stand on.", "take hosts out for any host")
		}
	}
	p.Hosts = sortedSet(p.Hosts)
}

// spread reads the labels over whose values replicas are spread, most important first.
func (d *decoder) spread() []string {
	labels := d.strings("spread")
	a := d.body.attrs["spread"]
	for i, l := range labels {
		switch {
		case l == "host" || l == "host.name" || l == "hosts":
			d.bad(a, fmt.Sprintf("Replicas are always spread over hosts, last; %q need not be said.", l), "take it out")
		case slices.Contains(hostFacts(), l):
			d.bad(a, fmt.Sprintf("spread takes names of labels; %s is a fact that hosts have without one.", l), "")
		case l == "":
			d.bad(a, "spread holds an empty name of a label.", `spread = ["zone"]`)
		case slices.Contains(labels[:i], l):
			d.bad(a, fmt.Sprintf("The label %q is there twice.", l), "")
		default:
			continue
		}
		return nil
	}
	return labels
}

// constraint reads one constraint block.
func (d *decoder) constraint() (c fleet.Constraint, ok bool) {
	c.Attribute, ok = d.attribute()
	if strings.HasPrefix(c.Attribute, workloadPrefix) {
		d.add(diag.CodeValue, "Invalid value", d.body.attrs["attribute"].expr.Range(),
			fmt.Sprintf("A constraint is about hosts, and %s is a workload. To stand near it or away from it is a wish, not a condition: an affinity, with a negative weight to keep away.", c.Attribute),
			fmt.Sprintf("affinity {\n  attribute = %q\n  weight    = -100\n}", c.Attribute))
		return c, false
	}
	var compared bool
	c.Operator, c.Values, compared = d.comparison(c.Attribute)
	return c, ok && compared
}

// affinity reads one affinity block. One that names several workloads comes out as it is written; placementsOf gives
// it an entry for each.
func (d *decoder) affinity() (a fleet.Affinity, ok bool) {
	a.Attribute, ok = d.attribute()
	weight, weighed := d.weight()
	a.Weight = int(weight)
	if !ok && d.body.attrs["value"] == nil {
		return a, false // it may have been meant as an affinity to a workload
	}
	if !strings.HasPrefix(a.Attribute, workloadPrefix) {
		var compared bool
		a.Operator, a.Values, compared = d.comparison(a.Attribute)
		return a, ok && weighed && compared
	}
	for _, name := range words("operator value") {
		if x := d.body.attrs[name]; x != nil {
			d.add(diag.CodeValue, "Invalid value", x.at, fmt.Sprintf("An affinity to a workload is met where one of its replicas stands, so there is nothing for %s to say.", name), "take "+name+" out")
			ok = false
		}
	}
	return a, ok && weighed
}

func (d *decoder) weight() (int64, bool) {
	if !d.require("weight") {
		return 0, false
	}
	a, before := d.body.attrs["weight"], len(d.diags)
	n, ok := d.integer("weight", -maxWeight, maxWeight)
	switch {
	case !ok && len(d.diags) == before:
		d.bad(a, "The weight is null.", "weight = 50")
	case ok && n == 0:
		d.bad(a, "A weight of 0 changes nothing: it is from -100 to 100, and negative to keep away.", "weight = 50")
	}
	return n, n != 0
}

// comparison reads operator and value.
func (d *decoder) comparison(attribute string) (fleet.Operator, []string, bool) {
	before := len(d.diags)
	op := d.operator()
	if len(d.diags) > before {
		return "", nil, false
	}
	values, ok := d.operands(op)
	if !ok {
		return "", nil, false
	}
	a := d.body.attrs["value"]
	switch op {
	case fleet.OpRegexp:
		ok = d.pattern(values[0], a)
	case fleet.OpVersion:
		ok = d.versions(values[0], a)
	case fleet.OpLess, fleet.OpLessEqual, fleet.OpGreater, fleet.OpGreaterEqual:
		ok = d.ordered(attribute, op, values[0])
	case fleet.OpEqual, fleet.OpNotEqual, fleet.OpIn, fleet.OpNotIn:
		ok = d.factValues(attribute, values, a)
	}
	return op, values, ok
}

func (d *decoder) operator() fleet.Operator {
	s, ok := d.strOK("operator")
	switch a := d.body.attrs["operator"]; {
	case !ok:
		return fleet.OpEqual
	case slices.Contains(operators(), s):
		return fleet.Operator(s)
	default:
		detail, remedy := adviseOperator(s)
		d.bad(a, detail, remedy)
		return ""
	}
}

// operands reads value in the form that the operator takes.
func (d *decoder) operands(op fleet.Operator) ([]string, bool) {
	a := d.body.attrs["value"]
	if a == nil {
		if op == fleet.OpIsSet {
			return []string{"true"}, true
		}
		return nil, d.require("value")
	}
	before := len(d.diags)
	v, _, ok := d.plain("value")
	if !ok {
		if len(d.diags) == before {
			d.bad(a, "The value is null.", "")
		}
		return nil, false
	}
	ty := v.Type()
	list := ty.IsTupleType() || ty.IsListType() || ty.IsSetType()
	switch {
	case op == fleet.OpIn || op == fleet.OpNotIn:
		return d.operandList(op, v, a)
	case op == fleet.OpIsSet:
		b, ok := d.to(v, cty.Bool, a, "true or false with is_set")
		return []string{strconv.FormatBool(ok && b.True())}, ok
	case list:
		d.wrongType(a, fmt.Sprintf("one value with the operator %q", op), v)
		d.diags[len(d.diags)-1].Remedy = listOperator(op)
		return nil, false
	case op == fleet.OpVersion && ty == cty.Number:
		d.wrongType(a, "a string with the operator \"version\", since as a number 20.10 is 20.1", v)
		d.diags[len(d.diags)-1].Remedy = `value = ">= 20.10"`
		return nil, false
	}
	s, ok := d.to(v, cty.String, a, "a string, a number, true or false")
	if !ok || !d.clean(s.AsString(), a) {
		return nil, false
	}
	return []string{s.AsString()}, true
}

// listOperator is the operator that does for a list what op does for one value.
func listOperator(op fleet.Operator) string {
	switch op {
	case fleet.OpEqual:
		return `operator = "in"`
	case fleet.OpNotEqual:
		return `operator = "not_in"`
	}
	return ""
}

func (d *decoder) operandList(op fleet.Operator, v cty.Value, a *attr) ([]string, bool) {
	before := len(d.diags)
	ty := v.Type()
	if !ty.IsTupleType() && !ty.IsListType() && !ty.IsSetType() {
		d.wrongType(a, fmt.Sprintf("a list with the operator %q", op), v)
		if s, err := convert.Convert(v, cty.String); err == nil {
			d.diags[before].Remedy = fmt.Sprintf("value = [%q]", s.AsString())
		}
		return nil, false
	}
	list := d.toStrings(v, a)
	if len(d.diags) > before {
		return nil, false
	}
	if len(list) == 0 {
		what := "so no host meets this"
		if op == fleet.OpNotIn {
			what = "so every host meets this"
		}
		d.bad(a, "The list is empty, "+what+".", "")
		return nil, false
	}
	return list, true
}

func (d *decoder) pattern(s string, a *attr) bool {
	if !d.short(s, a, "regular expression") {
		return false
	}
	if _, err := regexp.Compile(s); err != nil {
		remedy := ""
		if strings.Contains(s, "(?=") || strings.Contains(s, "(?!") || strings.Contains(s, "(?<") {
			remedy = `operator = "!=", "in" or "not_in"`
		}
		d.bad(a, fmt.Sprintf("%q is not a regular expression of RE2: %s.", s, strings.TrimPrefix(err.Error(), "error parsing regexp: ")), remedy)
		return false
	}
	return true
}

func (d *decoder) versions(s string, a *attr) bool {
	if !d.short(s, a, "version constraint") {
		return false
	}
	if _, err := version.NewConstraint(s); err != nil {
		d.bad(a, fmt.Sprintf("%q is not a version constraint. They are written as Terraform's are: =, !=, >, >=, <, <= or ~> before a version, with commas between several.", s), `value = ">= 20.10, < 28"`)
		return false
	}
	return true
}

// ordered refuses to order versions as text, by which 9 comes after 28.
func (d *decoder) ordered(attribute string, op fleet.Operator, value string) bool {
	if attribute != "host.engine_version" {
		return true
	}
	d.bad(d.body.attrs["operator"], fmt.Sprintf("%s compares numbers and text, and a version is neither: as text 9.0 comes after 28.0. The operator for versions is version.", op),
		fmt.Sprintf("operator = \"version\"\nvalue    = %q", string(op)+" "+value))
	return false
}

func (d *decoder) short(s string, a *attr, what string) bool {
	if len(s) > maxPattern {
		d.bad(a, fmt.Sprintf("The %s has %d bytes; at most %d are allowed.", what, len(s), maxPattern), "")
		return false
	}
	return true
}

// factValues finds what a fact never is, so that it would be met by no host, or by all.
func (d *decoder) factValues(attribute string, values []string, a *attr) bool {
	for _, v := range values {
		right, why := "", ""
		switch attribute {
		case "host.arch":
			right, why = goArch(v), "Architectures are named as Go names them"
		case "host.os", "host.engine":
			if l := strings.ToLower(v); l != v {
				right, why = l, "It is written in small letters"
			}
		}
		if right == "" {
			continue
		}
		remedy := fmt.Sprintf("value = %q", right)
		if len(values) > 1 {
			remedy = fmt.Sprintf("%q in place of %q", right, v)
		}
		d.bad(a, fmt.Sprintf("%s is never %q. %s: %q.", attribute, v, why, right), remedy)
		return false
	}
	return true
}

// goArch gives Go's word for what uname, Debian and others call an architecture; empty: it is none of these.
func goArch(s string) string {
	return map[string]string{
		"x86_64": "amd64", "x86-64": "amd64", "x64": "amd64", "aarch64": "arm64", "arm64v8": "arm64", "armv7l": "arm", "armhf": "arm", "arm32v7": "arm",
		"i386": "386", "i686": "386", "x86": "386", "ppc64el": "ppc64le",
	}[strings.ToLower(s)]
}
