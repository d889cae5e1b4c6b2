package config

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

// Check is one check block: what the configuration says must hold.
type Check struct {
	Name string

	// Known is what fails already, whatever the placement: conditions that ask nothing about it.
	Known diag.List

	// Eval holds all assertions against a placement and returns what fails, Known included. It runs no command and may be
	// called from several goroutines.
	Eval func(fleet.Survival) diag.List
}

// checks reads the check blocks. It comes last, since a check may ask about all else.
func (e *evaluation) checks() {
	var labels []string
	for _, w := range e.out.Fleet.Workloads {
		labels = append(labels, w.Placement.Spread...)
	}
	labels = sortedSet(labels)
	for _, n := range e.c.order {
		if n.kind != "check" {
			continue
		}
		in := &inquiry{c: e.c, n: n, scope: e.scopeFor(n), labels: labels}
		failed, diags := in.run()
		e.diags = append(e.diags, diags...)
		e.out.Checks = append(e.out.Checks, Check{Name: n.name, Known: e.c.scrub.clean(failed), Eval: e.c.evaluator(e.ctx, in)})
	}
	slices.SortFunc(e.out.Checks, func(a, b Check) int { return strings.Compare(a.Name, b.Name) })
}

// evaluator is Check.Eval for one check. The context that Evaluate was given may have ended by then; evaluation has a
// budget of its own.
func (c *Config) evaluator(ctx context.Context, early *inquiry) func(fleet.Survival) diag.List {
	ctx = context.WithoutCancel(ctx)
	return func(s fleet.Survival) diag.List {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.meter.start(ctx)
		in := *early
		in.survival, in.labels = &s, s.Labels
		failed, diags := in.run()
		return c.scrub.clean(c.meter.report(append(diags, failed...)))
	}
}

// inquiry is one evaluation of a check.
type inquiry struct {
	c        *Config
	n        *node
	scope    *hcl.EvalContext
	survival *fleet.Survival // nil: not known yet
	labels   []string        // that can be asked about; sorted
	asked    []string        // labels asked about by the present condition; "" is any host
}

// run evaluates all assertions. failed are those that do not hold, diags what is wrong with the check itself.
func (q *inquiry) run() (failed, diags diag.List) {
	d := &decoder{c: q.c, ctx: q.facts(), body: q.n.block.body, in: q.n.block.title(), at: q.n.block.def}
	if d.body.find("assert") == nil && d.body.find("dynamic") == nil {
		d.add(diag.CodeMissing, "Missing block", d.at, "A check without an assert block asserts nothing.", "assert {\n  condition     = ...\n  error_message = \"...\"\n}")
	}
	for _, b := range d.blocks("assert") {
		b.in = d.in
		failed = append(failed, q.assert(b.decoder)...)
		d.join(b.decoder)
	}
	return failed, d.diags
}

// facts is the scope of the check with what it may ask about the placement.
func (q *inquiry) facts() *hcl.EvalContext {
	ctx := q.scope.NewChild()
	any := cty.UnknownVal(cty.Bool)
	if q.survival != nil {
		any = cty.BoolVal(q.survival.SurvivesAnyHost())
	}
	ctx.Variables = map[string]cty.Value{"fleet": cty.ObjectVal(map[string]cty.Value{
		"name": cty.StringVal(string(q.c.Settings.Fleet)), survivesAnyHost: any,
	})}
	ctx.Functions = map[string]function.Function{askedAs(survivesAny): q.c.meter.metered(survivesAny, function.New(&function.Spec{
		Params: []function.Parameter{{Name: "label", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl:   func(args []cty.Value, _ cty.Type) (cty.Value, error) { return q.survivesAny(args[0].AsString()) },
	}))}
	return ctx
}

func (q *inquiry) survivesAny(label string) (cty.Value, error) {
	if !slices.Contains(q.labels, label) {
		return cty.UnknownVal(cty.Bool), notSpread(label, q.labels)
	}
	q.asked = append(q.asked, label)
	if q.survival == nil {
		return cty.UnknownVal(cty.Bool), nil
	}
	ok, _ := q.survival.SurvivesAny(label)
	return cty.BoolVal(ok), nil
}

// notSpread is the error for a label whose loss was not tried.
func notSpread(label string, labels []string) error {
	detail := fmt.Sprintf("No workload is spread over the label %q, so the loss of its values is not tried.", label)
	remedy := ""
	switch n := nearest(label, labels); {
	case slices.Contains([]string{"", "host", "hosts", "host.name"}, label):
		remedy = "fleet." + survivesAnyHost
	case n != "":
		remedy = fmt.Sprintf("fleet.%s(%q)", survivesAny, n)
	default:
		remedy = fmt.Sprintf("placement { spread = [%q] } in a workload", label)
	}
	if len(labels) > 0 {
		detail += " Labels that can be asked about: " + few(labels) + "."
	} else {
		detail = fmt.Sprintf("No workload is spread over any label, %q included, so no loss of a label's value is tried. Of single hosts fleet.survives_any_host tells.", label)
	}
	return &calledError{summary: "Unknown label", detail: detail, remedy: remedy}
}

// assert evaluates one assertion and returns what it says where it does not hold.
func (q *inquiry) assert(d *decoder) diag.List {
	if !d.require("condition") || !d.require("error_message") {
		return nil
	}
	q.asked = nil
	if asksOfHosts(d.body.attrs["condition"]) {
		q.asked = []string{""}
	}
	holds, known := q.condition(d)
	asked := q.asked // the message may ask too, which is nobody's concern
	message, ok := q.message(d)
	if !known || holds || !ok {
		return nil
	}
	return diag.List{problem(diag.CodeCheck, "A check does not hold", d.body.attrs["condition"].expr.Range(), d.in,
		strings.Join(append([]string{ended(message)}, q.losses(asked)...), "\n"), "")}
}

// ended is what somebody wrote, unchanged, with a full stop where it has none.
func ended(s string) string {
	s = strings.TrimSpace(s)
	if strings.HasSuffix(s, ".") || strings.HasSuffix(s, "?") || strings.HasSuffix(s, "!") {
		return s
	}
	return s + "."
}

// condition evaluates the condition. known is false where it waits for the placement, or where it is wrong.
func (q *inquiry) condition(d *decoder) (holds, known bool) {
	a := d.body.attrs["condition"]
	v, ok := d.eval(a)
	if !ok {
		return false, false
	}
	v, _ = v.Unmark()
	switch {
	case !v.IsKnown():
		if q.survival != nil || !asks(a) {
			d.isPlain(v, a)
		}
		return false, false
	case v.IsNull():
		d.bad(a, "The condition is null; it is true or false.", "")
		return false, false
	}
	if v, ok = d.to(v, cty.Bool, a, "true or false"); !ok {
		return false, false
	}
	return v.True(), true
}

// message evaluates the error message.
func (q *inquiry) message(d *decoder) (string, bool) {
	a := d.body.attrs["error_message"]
	v, ok := d.eval(a)
	if !ok {
		return "", false
	}
	if v.ContainsMarked() {
		d.add(diag.CodeSensitive, "Sensitive value where it would be shown", a.expr.Range(), "The error message holds a sensitive value, and is printed where the check does not hold.", "leave the value out of the message")
		return "", false
	}
	if !v.IsKnown() {
		if q.survival != nil || !asks(a) {
			d.isPlain(v, a)
		}
		return "", false
	}
	s, err := convert.Convert(v, cty.String)
	switch {
	case err != nil:
		d.wrongType(a, "a string", v)
	case s.IsNull() || strings.TrimSpace(s.AsString()) == "":
		d.bad(a, "The error message is empty; it says to whoever plans why the plan is refused.", `error_message = "..."`)
	case d.clean(s.AsString(), a):
		return s.AsString(), true
	}
	return "", false
}

// asks reports whether an expression asks about the placement.
func asks(a *attr) bool {
	found := asksOfHosts(a)
	_ = hclsyntax.VisitAll(a.expr, func(n hclsyntax.Node) hcl.Diagnostics {
		if f, ok := n.(*hclsyntax.FunctionCallExpr); ok && f.Name == askedAs(survivesAny) {
			found = true
		}
		return nil
	})
	return found
}

// asksOfHosts reports whether an expression asks about the loss of single hosts.
func asksOfHosts(a *attr) bool {
	return slices.ContainsFunc(a.expr.Variables(), func(t hcl.Traversal) bool {
		name, ok := second(t)
		return ok && t.RootName() == "fleet" && name == survivesAnyHost
	})
}

// mostLosses is how many losses a message tells of: the first say what to do, and a fleet may have thousands.
const mostLosses = 3

// losses tells of the losses that the condition asked about and that the fleet does not survive.
func (q *inquiry) losses(asked []string) []string {
	if q.survival == nil {
		return nil
	}
	var out []string
	more := 0
	for _, l := range q.survival.Losses {
		switch {
		case !slices.Contains(asked, l.Label):
		case len(out) == mostLosses:
			more++
		default:
			out = append(out, lossLine(l))
		}
	}
	if more > 0 {
		out = append(out, fmt.Sprintf("So it is with %d more.", more))
	}
	return out
}

// lossLine says what one loss would do.
func lossLine(l fleet.Loss) string {
	what := "host." + string(l.Hosts[0])
	if l.Label != "" {
		what = fmt.Sprintf("all with %s = %q (%s)", l.Label, l.Value, few(hostNames(l.Hosts)))
	}
	var parts []string
	if len(l.Down) > 0 {
		var down []string
		for _, w := range l.Down {
			down = append(down, string(fleet.WorkloadAddr(w)))
		}
		parts = append(parts, few(down)+" would have no healthy replica left")
	}
	for i, r := range l.Refused {
		if i == mostLosses {
			parts = append(parts, fmt.Sprintf("%d more workloads would lack room", len(l.Refused)-i))
			break
		}
		parts = append(parts, refusedLine(r))
	}
	return fmt.Sprintf("Without %s: %s.", what, strings.Join(parts, "; "))
}

func refusedLine(r fleet.Refusal) string {
	replicas := "1 replica"
	if n := len(r.Slots); n != 1 {
		replicas = fmt.Sprintf("%d replicas", n)
	}
	line := fmt.Sprintf("%s of %s would have no place", replicas, fleet.WorkloadAddr(r.Workload))
	if r.Outranked {
		line += " beside those of higher priority"
	}
	var why []string
	for _, f := range r.Filters {
		if f.Hosts == 0 {
			continue
		}
		hosts := "1 host"
		if f.Hosts != 1 {
			hosts = fmt.Sprintf("%d hosts", f.Hosts)
		}
		s := hosts + " " + f.Filter
		if f.Detail != "" {
			s += ": " + f.Detail
		}
		why = append(why, s)
	}
	if len(why) > 0 {
		line += " (" + strings.Join(why, "; ") + ")"
	}
	return line
}

func hostNames(hosts []fleet.HostName) []string {
	out := make([]string, len(hosts))
	for i, h := range hosts {
		out[i] = string(h)
	}
	return out
}
