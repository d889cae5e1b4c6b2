package plan

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/stowage-run/stowage/fleet"
)

// Style colours a plan's text. A nil function leaves the text as it is.
type Style struct{ Add, Remove, Change, Bold, Dim func(string) string }

func (s Style) bold(t string) string   { return paint(s.Bold, t) }
func (s Style) dim(t string) string    { return paint(s.Dim, t) }
func (s Style) add(t string) string    { return paint(s.Add, t) }
func (s Style) remove(t string) string { return paint(s.Remove, t) }
func (s Style) change(t string) string { return paint(s.Change, t) }

func paint(f func(string) string, t string) string {
	if f == nil {
		return t
	}
	return f(t)
}

// symbol is the sign that an action is shown with, coloured, three characters wide.
func (s Style) symbol(a Action) string {
	switch a {
	case Create:
		return "  " + s.add("+")
	case Delete:
		return "  " + s.remove("-")
	case Update, Restart:
		return "  " + s.change("~")
	case Replace:
		return s.remove("-") + "/" + s.add("+")
	case Move, createFirst:
		return s.add("+") + "/" + s.remove("-")
	case Forget:
		return "  " + s.remove(".")
	}
	return "   "
}

// createFirst is the sign of a replacement whose new container comes first. It is no action of its own.
const createFirst Action = "create-first"

// sign is the action whose symbol a change is shown with.
func (c *Change) sign() Action {
	switch {
	case c.CreateFirst:
		return createFirst
	case c.Action == Restart:
		return Update
	}
	return c.Action
}

// legend is what each symbol means, in the order in which Terraform lists them.
var legend = []struct {
	action Action
	means  string
}{
	{Create, "create"}, {Update, "update in place or restart"}, {Delete, "destroy"},
	{Replace, "destroy, then create the replacement"}, {createFirst, "create the replacement, then destroy"},
	{Move, "create on another host, then destroy"}, {Forget, "forget"},
}

// Text writes the plan for people. Text from outside (labels, an engine's words) is in it as it came: who prints it cleans it.
func (p *Plan) Text(s Style) string {
	t := &text{plan: p, style: s}
	t.whatIf()
	t.held()
	t.overrides()
	t.drift()
	if p.Empty() {
		t.unplaced()
		t.skipped()
		t.survival()
		t.nothing()
		return t.String()
	}
	t.actions()
	t.rollouts()
	t.loads()
	t.exposed()
	t.images()
	t.unplaced()
	t.skipped()
	t.survival()
	if len(p.Changes) > 0 {
		t.printf("%s\n", p.CountsLine(s))
	}
	t.outputs()
	return t.String()
}

// CountsLine is the last line of a plan, in Terraform's words.
func (p *Plan) CountsLine(s Style) string {
	c := p.Counts()
	var front string
	for _, x := range []struct {
		n    int
		word string
	}{{c.Replace, "replace"}, {c.Move, "move"}, {c.Adopt, "adopt"}, {c.Forget, "forget"}} {
		if x.n > 0 {
			front += fmt.Sprintf("%d to %s, ", x.n, x.word)
		}
	}
	return fmt.Sprintf("%s %s%d to add, %d to change, %d to destroy.", s.bold("Plan:"), front, c.Add, c.Change, c.Destroy)
}

// text collects what is shown.
type text struct {
	bytes.Buffer
	plan  *Plan
	style Style
}

func (t *text) printf(format string, args ...any) { fmt.Fprintf(&t.Buffer, format, args...) }

func (t *text) nothing() {
	if len(t.plan.Skipped) > 0 { // unknown is not unchanged
		var unknown []fleet.HostName
		for _, s := range t.plan.Skipped {
			unknown = append(unknown, s.Host)
		}
		t.printf("%s on the hosts that could be asked. What is on %s is not known.\n", t.style.bold("No changes"), hostList(unknown))
		return
	}
	switch t.plan.Mode {
	case Normal:
		if t.plan.WhatIf != nil {
			t.printf("%s Nothing would move.\n", t.style.bold("No changes."))
			return
		}
		if len(t.plan.Held) > 0 {
			t.printf("%s Apart from what is held, the fleet matches the configuration.\n", t.style.bold("No changes."))
			return
		}
		t.printf("%s The fleet matches the configuration.\n", t.style.bold("No changes."))
	case Destroy:
		t.printf("%s Nothing of this fleet is left to destroy.\n", t.style.bold("No changes."))
	case RefreshOnly:
		t.printf("%s The record says what the hosts say.\n", t.style.bold("No changes."))
	}
}

func (t *text) drift() {
	if len(t.plan.Drift) == 0 {
		return
	}
	t.printf("%s Objects have changed outside of Stowage:\n\n", t.style.bold("Note:"))
	for _, d := range t.plan.Drift {
		t.printf("  %s on %s: %s", t.style.bold(string(d.Addr)), d.Host, d.What)
		if d.Will != "" {
			t.printf("; it will %s", d.Will)
		}
		t.printf("\n")
	}
	t.printf("\n")
}

func (t *text) actions() {
	if len(t.plan.Changes) == 0 {
		return
	}
	used := map[Action]bool{}
	for i := range t.plan.Changes {
		used[t.plan.Changes[i].sign()] = true
	}
	t.printf("Actions are shown with these symbols:\n")
	for _, l := range legend {
		if used[l.action] {
			t.printf("%s %s\n", t.style.symbol(l.action), l.means)
		}
	}
	t.printf("\nStowage will perform the following actions:\n\n")
	for _, g := range groupChanges(t.plan.Changes) {
		t.group(g)
	}
}

func (t *text) group(g []*Change) {
	c := g[0]
	addr := string(c.Addr)
	if r, ok := c.Addr.Replica(); ok && ofReplicas(c.Addr) && len(g) > 1 {
		addr = string(c.Addr.Kind()) + "." + string(r.Workload) + "[" + slotRanges(g) + "]"
	}
	t.printf("  # %s %s\n", t.style.bold(addr), will(g))
	if c.Reason != "" {
		t.printf("  # (%s)\n", c.Reason)
	}
	t.body(c)
	if ofReplicas(c.Addr) {
		t.places(g)
	} else if c.Host != "" {
		t.printf("      on %s\n", c.Host)
	}
	t.printf("\n")
}

// will says what happens to a group of objects.
func will(g []*Change) string {
	c := g[0]
	switch job := c.Addr.Kind() == fleet.KindJob; {
	case job && c.Action == Create:
		return "will be run"
	case job && c.Action == Restart:
		return "will be waited for"
	}
	switch c.Action {
	case Create:
		return "will be created"
	case Update:
		return "will be updated in-place"
	case Replace:
		return "must be replaced"
	case Move:
		if len(g) == 1 {
			return fmt.Sprintf("will be moved %s -> %s", c.From, c.Host)
		}
		return "will be moved"
	case Restart:
		return "will be restarted"
	case Delete:
		return "will be destroyed"
	case Forget:
		return "will be dropped from the record"
	case Adopt:
		return "will be adopted: it is there, and the record does not have it"
	}
	return string(c.Action)
}

// places says which replica goes to which host, a line a host.
func (t *text) places(g []*Change) {
	byHost := map[string][]string{}
	var order []string
	for _, c := range g {
		r, ok := c.Addr.Replica()
		if !ok {
			continue
		}
		host := string(c.Host)
		if c.Action == Move {
			host = string(c.From) + " -> " + host
		}
		if _, seen := byHost[host]; !seen {
			order = append(order, host)
		}
		byHost[host] = append(byHost[host], fmt.Sprintf("[%s]", r.Slot)+portList(c.Ports))
	}
	slices.Sort(order)
	wide := 0
	for _, h := range order {
		wide = max(wide, len(h))
	}
	const most = 12 // replicas named on one line; the rest are counted
	for _, h := range order {
		names := byHost[h]
		more := ""
		if len(names) > most {
			more = fmt.Sprintf(" and %d more", len(names)-most)
			names = names[:most]
		}
		t.printf("      %s %-*s  %s%s\n", t.style.dim("on"), wide, h, strings.Join(names, " "), more)
	}
}

func portList(ports map[string]uint16) string {
	if len(ports) == 0 {
		return ""
	}
	var out []string
	for name, p := range ports {
		out = append(out, fmt.Sprintf("%s:%d", name, p))
	}
	slices.Sort(out)
	return "(" + strings.Join(out, ",") + ")"
}

// groupChanges puts replicas that change alike together, in the order of the first of each.
func groupChanges(changes []Change) [][]*Change {
	type key struct {
		workload      fleet.WorkloadName
		action        Action
		first         bool
		reason        string
		before, after fleet.Revision
	}
	at := map[key]int{}
	var out [][]*Change
	for i := range changes {
		c := &changes[i]
		r, ok := c.Addr.Replica()
		if !ok || !ofReplicas(c.Addr) {
			out = append(out, []*Change{c})
			continue
		}
		k := key{r.Workload, c.Action, c.CreateFirst, c.Reason, c.Before, c.After}
		if j, seen := at[k]; seen {
			out[j] = append(out[j], c)
			continue
		}
		at[k] = len(out)
		out = append(out, []*Change{c})
	}
	return out
}

func slotRanges(g []*Change) string {
	var slots []fleet.Slot
	for _, c := range g {
		r, _ := c.Addr.Replica()
		slots = append(slots, r.Slot)
	}
	slices.SortFunc(slots, cmp.Compare[fleet.Slot])
	return ranges(slots)
}

// ranges writes slots, which are sorted, as people do: "0..2,5".
func ranges(slots []fleet.Slot) string {
	var b strings.Builder
	for i := 0; i < len(slots); {
		j := i
		for j+1 < len(slots) && slots[j+1] == slots[j]+1 {
			j++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		switch {
		case j == i:
			fmt.Fprintf(&b, "%d", slots[i])
		case j == i+1:
			fmt.Fprintf(&b, "%d,%d", slots[i], slots[j])
		default:
			fmt.Fprintf(&b, "%d..%d", slots[i], slots[j])
		}
		i = j + 1
	}
	return b.String()
}
