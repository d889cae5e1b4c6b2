package schedule

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-version"

	"github.com/stowage-run/stowage/fleet"
)

// The facts of hosts that constraints and affinities may name; all other attributes are labels.
const (
	factName    = "host.name"
	factAddress = "host.address"
	factArch    = "host.arch"
	factOS      = "host.os"
	factEngine  = "host.engine"
	factVersion = "host.engine_version"
)

func isFact(attribute string) bool {
	switch attribute {
	case factName, factAddress, factArch, factOS, factEngine, factVersion:
		return true
	}
	return false
}

// attribute returns what a host is under a name. has is false where it lacks it, and known where that cannot be said
// since the host did not answer.
func (h *host) attribute(name string) (value string, has, known bool) {
	observed := ""
	switch name {
	case factName:
		return string(h.Name), true, true
	case factAddress:
		return h.Address, h.Address != "", true
	case factArch:
		observed = h.facts.Arch
	case factOS:
		observed = h.facts.OS
	case factEngine:
		observed = h.facts.Engine
	case factVersion:
		observed = h.facts.EngineVersion
	default:
		value, has = h.Labels[name]
		return value, has, true
	}
	return observed, observed != "", observed != "" || h.facts.Known
}

// test is a constraint or the condition of an affinity, made ready once a pass: an expression is compiled once and
// not for each host.
type test struct {
	attribute string
	op        fleet.Operator
	values    []string
	text      string // as people read it
	broken    bool   // its values say nothing: the loader told so, and no host meets it
	number    float64
	numeric   bool
	pattern   *regexp.Regexp
	versions  version.Constraints
}

func newTests(cs []fleet.Constraint) []test {
	var out []test
	for _, c := range cs {
		t := newTest(c.Attribute, c.Operator, c.Values)
		t.text = c.String()
		out = append(out, t)
	}
	return out
}

func newTest(attribute string, op fleet.Operator, values []string) test {
	t := test{attribute: attribute, op: op, values: values}
	if op == fleet.OpIn || op == fleet.OpNotIn {
		return t
	}
	if len(values) != 1 {
		t.broken = true
		return t
	}
	var err error
	switch op {
	case fleet.OpEqual, fleet.OpNotEqual:
	case fleet.OpLess, fleet.OpLessEqual, fleet.OpGreater, fleet.OpGreaterEqual:
		t.number, t.numeric = number(values[0])
	case fleet.OpRegexp:
		t.pattern, err = regexp.Compile(values[0])
	case fleet.OpVersion:
		t.versions, err = version.NewConstraint(values[0])
	case fleet.OpIsSet:
		t.broken = values[0] != "true" && values[0] != "false"
	default:
		t.broken = true
	}
	t.broken = t.broken || err != nil
	return t
}

// number reads what people write as a number. Infinities and the like are words.
func number(s string) (n float64, ok bool) {
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil && !math.IsInf(n, 0) && !math.IsNaN(n)
}

// meets reports whether a value passes. has is false where the host lacks the attribute.
func (t *test) meets(value string, has bool) bool {
	switch {
	case t.broken:
		return false
	case t.op == fleet.OpIsSet:
		return has == (t.values[0] == "true")
	case t.op == fleet.OpNotEqual:
		return !has || value != t.values[0]
	case t.op == fleet.OpNotIn:
		return !has || !slices.Contains(t.values, value)
	case !has:
		return false
	}
	switch t.op {
	case fleet.OpEqual:
		return value == t.values[0]
	case fleet.OpIn:
		return slices.Contains(t.values, value)
	case fleet.OpRegexp:
		return t.pattern.MatchString(value)
	case fleet.OpVersion:
		v, err := version.NewVersion(value)
		return err == nil && t.versions.Check(v)
	}
	return t.ordered(value)
}

// ordered compares as numbers where both sides are numbers, else as text.
func (t *test) ordered(value string) bool {
	c := strings.Compare(value, t.values[0])
	if n, ok := number(value); ok && t.numeric {
		c = cmp.Compare(n, t.number)
	}
	switch t.op {
	case fleet.OpLess:
		return c < 0
	case fleet.OpLessEqual:
		return c <= 0
	case fleet.OpGreater:
		return c > 0
	}
	return c >= 0
}

// wish is an affinity, made ready once a pass.
type wish struct {
	test
	weight int32
	near   *work // met where at least one replica of it stands; nil: the test decides
}

// nearPrefix begins the attribute of an affinity to a workload.
const nearPrefix = "workload."

func (p *pass) newWishes(w *work) []wish {
	var out []wish
	for _, a := range w.Placement.Affinities {
		x := wish{weight: int32(a.Weight)}
		if name, ok := strings.CutPrefix(a.Attribute, nearPrefix); ok {
			if x.near = p.byWork[fleet.WorkloadName(name)]; x.near == nil || x.near == w {
				continue // nothing of it ever stands, or it is itself
			}
		} else {
			x.test = newTest(a.Attribute, a.Operator, a.Values)
		}
		x.text = a.String()
		out = append(out, x)
	}
	return out
}

// met reports whether a host meets an affinity now.
func (x *wish) met(h *host) bool {
	if x.near != nil {
		return x.near.count.at(h.index) > 0
	}
	v, has, _ := h.attribute(x.attribute)
	return x.meets(v, has)
}

// likes is the sum of the affinities that a host meets and that never change.
func (w *work) likes(h *host) int32 {
	var sum int32
	for i := range w.wishes {
		if x := &w.wishes[i]; x.near == nil && x.met(h) {
			sum += x.weight
		}
	}
	return sum
}

// affinity is the sum of all affinities that a host meets now.
func (p *pass) affinity(w *work, h *host) int32 {
	if len(w.wishes) == 0 {
		return 0
	}
	sum := w.liking[p.judged(w, h)]
	for i := range w.wishes {
		if x := &w.wishes[i]; x.near != nil && x.met(h) {
			sum += x.weight
		}
	}
	return sum
}
