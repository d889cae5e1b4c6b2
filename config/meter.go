package config

import (
	"context"
	"fmt"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/stowage-run/stowage/diag"
)

// The budgets of one evaluation. A configuration of 5,000 hosts stays far below each; a bomb meets one of
// them within a second or two and within 256 MB.
const (
	maxElements  = 10_000           // of one collection
	maxString    = 1 << 20          // bytes of one string
	maxSteps     = 1_000_000        // evaluations of subexpressions in loops and calls of functions
	maxMade      = 64 << 20         // bytes of all values made
	maxWork      = 512 << 20        // units of work: a byte looked at, a sixteenth of an element
	maxValueDeep = 200              // nesting of one value
	maxExponent  = 4096             // binary exponent of a number: about 1,200 decimal digits
	maxWall      = 10 * time.Second // of one Load or Evaluate
	nodeCost     = 64               // bytes that an element costs beside its text
	nodeWork     = 16               // units of work to go past an element
	sortWork     = 8192             // units of work to list an element of a set
	blockCost    = 512              // bytes that a block costs
	maxForNest   = 4                // for inside for
)

// meter counts what one evaluation costs. It belongs to one Config and is used under its lock.
type meter struct {
	ctx      context.Context // of the Load or Evaluate in progress; the guards are below HCL, which passes none
	deadline time.Time
	steps    int64
	made     int64
	work     int64
	share    int64        // the budgets are divided by this; a fuzzer has no time for whole ones
	spent    *budgetError // the first budget that ran out; everything after it fails quickly
}

// budgetError says which budget ran out.
type budgetError struct {
	what   string // a full sentence
	remedy string
	told   bool // a diagnostic carries it already
}

func (b *budgetError) Error() string { return b.what }

func (b *budgetError) diagnostic(m diag.Diagnostic) diag.Diagnostic {
	m.Code, m.Summary = diag.CodeBudget, "Too much to evaluate"
	m.Detail, m.Remedy = b.what+" Stowage stops here, so that a mistake cannot use up the machine.", b.remedy
	return m
}

// start begins a new evaluation.
func (m *meter) start(ctx context.Context) {
	*m = meter{ctx: ctx, deadline: time.Now().Add(maxWall), share: max(m.share, 1)}
}

func (m *meter) fail(format string, args ...any) *budgetError {
	if m.spent == nil {
		m.spent = &budgetError{what: fmt.Sprintf(format, args...)}
	}
	return m.spent
}

// step counts one evaluation.
func (m *meter) step() *budgetError {
	if m.spent != nil {
		return m.spent
	}
	m.steps++
	if m.steps > maxSteps/m.share {
		return m.fail("The configuration takes more than %d steps to evaluate.", maxSteps)
	}
	if m.steps%64 != 0 {
		return nil
	}
	if m.ctx.Err() != nil {
		return m.fail("Evaluation was interrupted.")
	}
	if time.Now().After(m.deadline) {
		return m.fail("Evaluation takes longer than %s.", maxWall)
	}
	return nil
}

// make counts n bytes of new values.
func (m *meter) make(n int64) *budgetError {
	if m.spent != nil {
		return m.spent
	}
	m.made += n
	if m.made > maxMade/m.share {
		return m.fail("The values of the configuration take more than %d MiB.", maxMade>>20)
	}
	return nil
}

// look counts n units of work.
func (m *meter) look(n int64) *budgetError {
	if m.spent != nil {
		return m.spent
	}
	m.work += n
	if m.work > maxWork/m.share {
		return m.fail("The expressions of the configuration go through more values than is allowed.")
	}
	return nil
}

// admit checks one value without going into its elements.
func (m *meter) admit(v cty.Value) *budgetError {
	if m.spent != nil {
		return m.spent
	}
	v, _ = v.Unmark()
	if !v.IsKnown() || v.IsNull() {
		return nil
	}
	ty := v.Type()
	switch {
	case ty == cty.String:
		if n := len(v.AsString()); n > maxString {
			return m.fail("A string has %d bytes; at most %d are allowed.", n, maxString)
		}
	case ty == cty.Number:
		f := v.AsBigFloat()
		if e := f.MantExp(nil); !f.IsInf() && (e > maxExponent || e < -maxExponent) {
			return m.fail("A number has a binary exponent of %d; at most %d is allowed.", e, maxExponent)
		}
	case ty.IsCollectionType() || ty.IsTupleType() || ty.IsObjectType():
		if n := v.LengthInt(); n > maxElements {
			return m.fail("A collection has %d elements; at most %d are allowed.", n, maxElements)
		}
	}
	return nil
}

// weight is the size of a value when nothing is shared.
type weight struct {
	nodes  int64
	text   int64
	sorted int64 // elements of sets, which are sorted each time that they are listed
}

// bytes is the memory that the value takes.
func (w weight) bytes() int64 { return w.nodes*nodeCost + w.text }

// work is what it costs to go through the value.
func (w weight) work() int64 { return w.nodes*nodeWork + w.text + w.sorted*sortWork }

// weigh admits a value and all its elements, and returns its weight.
func (m *meter) weigh(v cty.Value) (weight, *budgetError) {
	w := weighing{m: m}
	err := w.add(v, 0)
	return w.weight, err
}

type weighing struct {
	m *meter
	weight
}

func (w *weighing) add(v cty.Value, deep int) *budgetError {
	if err := w.m.admit(v); err != nil {
		return err
	}
	w.nodes++
	if w.bytes() > 2*maxMade {
		return w.m.fail("A value takes more than %d MiB, with elements that appear several times counted each time.", 2*maxMade>>20)
	}
	if deep > maxValueDeep {
		return w.m.fail("A value is nested more than %d levels deep.", maxValueDeep)
	}
	v, _ = v.Unmark()
	if !v.IsKnown() || v.IsNull() {
		return nil
	}
	if v.Type() == cty.String {
		w.text += int64(len(v.AsString()))
		return nil
	}
	if !v.CanIterateElements() {
		return nil
	}
	if v.Type().IsSetType() {
		n := int64(v.LengthInt())
		w.sorted += n
		if v.Type().ElementType().IsPrimitiveType() {
			w.nodes, w.text = w.nodes+n, w.text+n*nodeCost // a guess: listing it would mean to sort it
			return nil
		}
	}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if err := w.add(e, deep+1); err != nil {
			return err
		}
	}
	return nil
}

// rewind gives evaluation its whole time again, after something that waited for the outside.
func (m *meter) rewind(ctx context.Context) {
	m.deadline = time.Now().Add(maxWall)
	m.ctx = ctx
}

// report adds what ran out to a list, unless it is there, and keeps only the first of several such messages:
// one exhausted budget shows in many places.
func (m *meter) report(l diag.List) diag.List {
	if m.spent == nil {
		return l
	}
	var out diag.List
	seen := false
	for _, d := range l {
		if d.Code == diag.CodeBudget {
			if seen {
				continue
			}
			seen = true
		}
		out = append(out, d)
	}
	if !seen {
		out = append(out, m.spent.diagnostic(diag.Diagnostic{}))
	}
	return out
}
