package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/stowage-run/stowage/diag"
)

// node is one thing that can be referred to, or that refers: local.a, host.edge, output.url.
type node struct {
	addr  string // "local.a", "host.edge"
	kind  string
	name  string
	at    hcl.Range
	attr  *attr  // of a local
	block *block // of anything else
	refs  []ref  // in order of appearance
	used  bool   // something refers to it
}

// ref is one reference.
type ref struct {
	to *node
	at hcl.Range
}

// referable are the kinds of blocks that expressions can name.
func referable(kind string) bool {
	switch kind {
	case "local", "host", "workload", "job", "volume", "network", "secret":
		return true
	}
	return false
}

// sortBlocks files the top-level blocks and finds what is declared twice.
func (c *Config) sortBlocks(bodies []*body) diag.List {
	var diags diag.List
	declare := func(n *node) {
		if first := c.nodes[n.addr]; first != nil {
			diags = append(diags, problem(diag.CodeDuplicate, "Declared twice", n.at, "",
				fmt.Sprintf("%s is declared at %s already.", n.addr, rangeOf(first.at)), "give one of the two another name"))
			return
		}
		if first := c.namesake(n); first != nil {
			diags = append(diags, problem(diag.CodeDuplicate, "Declared twice", n.at, "",
				fmt.Sprintf("Jobs and workloads share their names, since containers are called after them alike, and %s is declared at %s already.", first.addr, rangeOf(first.at)), "give one of the two another name"))
			return
		}
		c.nodes[n.addr] = n
	}
	once := map[string]*block{}
	seen := map[string]*block{}
	for _, b := range bodies {
		for _, x := range b.blocks {
			switch x.kind {
			case "locals":
				for _, name := range x.body.names {
					a := x.body.attrs[name]
					declare(&node{addr: "local." + name, kind: "local", name: name, at: a.at, attr: a})
				}
			case "stowage", "defaults":
				if first := once[x.kind]; first != nil {
					diags = append(diags, problem(diag.CodeDuplicate, "Declared twice", x.def, "",
						fmt.Sprintf("There may be one %s block; the first is at %s.", x.kind, rangeOf(first.def)), "merge the two"))
					continue
				}
				once[x.kind] = x
			case "variable":
				if first := seen[x.labels[0].text]; first != nil {
					diags = append(diags, problem(diag.CodeDuplicate, "Declared twice", x.def, "",
						fmt.Sprintf("var.%s is declared at %s already.", x.labels[0].text, rangeOf(first.def)), "give one of the two another name"))
					continue
				}
				seen[x.labels[0].text] = x
			default:
				declare(&node{addr: x.kind + "." + x.labels[0].text, kind: x.kind, name: x.labels[0].text, at: x.def, block: x})
			}
			c.blocks[x.kind] = append(c.blocks[x.kind], x)
		}
	}
	return diags
}

// namesake returns the workload of a job's name, or the job of a workload's; nil: there is none.
func (c *Config) namesake(n *node) *node {
	switch n.kind {
	case "workload":
		return c.nodes["job."+n.name]
	case "job":
		return c.nodes[workloadPrefix+n.name]
	}
	return nil
}

// link finds the references of every node and puts the nodes in order.
func (c *Config) link() diag.List {
	l := linker{c: c}
	for _, n := range c.sortedNodes() {
		l.n, l.in = n, ""
		if n.attr != nil {
			l.expr(n.attr, nil)
			continue
		}
		l.in = n.block.title()
		l.meta = ""
		for _, m := range []string{"count", "for_each"} {
			if a := n.block.body.attrs[m]; a != nil {
				l.expr(a, nil) // neither each nor count.index can be used in it
				l.meta = m
			}
		}
		l.body(n.block.body, nil)
	}
	if l.diags.HasErrors() {
		return l.diags
	}
	order, cycle := topological(c.sortedNodes())
	if cycle != nil {
		return append(l.diags, cycleMessage(cycle))
	}
	c.order = order
	return l.diags
}

// sortedNodes returns the nodes by address, so that messages and order do not depend on a map.
func (c *Config) sortedNodes() []*node {
	out := make([]*node, 0, len(c.nodes))
	for _, n := range c.nodes {
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b *node) int { return strings.Compare(a.addr, b.addr) })
	return out
}

// linker collects the references of one node after the other.
type linker struct {
	c     *Config
	n     *node
	in    string
	meta  string // "count", "for_each" or ""
	diags diag.List
}

// body goes through a body. iterators are the names that dynamic blocks around it define.
func (l *linker) body(b *body, iterators []string) {
	for _, name := range b.names {
		if name == "attribute" && l.named(b.attrs[name]) {
			continue
		}
		if name != "iterator" && !(b == l.n.block.body && name == l.meta) {
			l.expr(b.attrs[name], iterators)
		}
	}
	for _, x := range b.blocks {
		inner := iterators
		if x.kind == "dynamic" && len(x.labels) == 1 {
			for _, name := range x.body.names {
				switch name {
				case "labels":
					l.expr(x.body.attrs[name], append(slices.Clone(iterators), x.iteratorName()))
				case "for_each":
					l.expr(x.body.attrs[name], iterators)
				}
			}
			for _, content := range x.body.blocks {
				l.body(content.body, append(slices.Clone(iterators), x.iteratorName()))
			}
			continue
		}
		l.body(x.body, inner)
	}
}

func (l *linker) expr(a *attr, iterators []string) {
	for _, t := range a.expr.Variables() {
		if !slices.Contains(iterators, t.RootName()) {
			l.reference(t)
		}
	}
}

func (l *linker) add(code diag.Code, summary string, at hcl.Range, detail, remedy string) {
	l.diags = append(l.diags, problem(code, summary, at, l.in, detail, remedy))
}

func (l *linker) reference(t hcl.Traversal) {
	root, at := t.RootName(), t.SourceRange()
	switch {
	case root == "var":
		l.diags = append(l.diags, l.c.checkVar(t, l.in)...)
	case referable(root):
		l.object(t)
	case root == "path" || root == "fleet":
		l.builtin(t)
	case root == "each" || root == "count":
		l.instance(t)
	case root == "self":
		l.add(diag.CodeNotYet, "Not supported yet", at, "self is not supported yet.", "")
	case l.theirs(t):
	case root == "module" || root == "data" || root == "resource":
		l.add(diag.CodeNotYet, "Not supported yet", at, root+" is not supported yet, so there is nothing to refer to.", "")
	default:
		l.add(diag.CodeReference, "Unknown reference", at, unknownRoot(root), fmt.Sprintf("%q", root))
		if n := nearest(root, words("var local host workload job volume network secret path fleet each count")); n != "" {
			d := &l.diags[len(l.diags)-1]
			d.Remedy = ""
			d.Detail += " Did you mean " + n + "?"
		}
	}
}

func unknownRoot(root string) string {
	return fmt.Sprintf("There is nothing called %s. References begin with var, local, host, workload, job, volume, network, secret, path, fleet, each or count; text is written in quotes.", root)
}

func (l *linker) builtin(t hcl.Traversal) {
	names := map[string][]string{"path": {"root", "module"}, "fleet": {"name"}}[t.RootName()]
	a, ok := second(t)
	switch {
	case ok && slices.Contains(names, a):
	case ok && t.RootName() == "fleet" && a == survivesAnyHost:
		if l.n.kind != "check" {
			l.add(diag.CodeReference, "Reference not possible here", t.SourceRange(), outsideCheck("fleet."+survivesAnyHost), checkRemedy)
		}
	case ok && t.RootName() == "fleet" && a == survivesAny:
		l.add(diag.CodeReference, "Unknown reference", t.SourceRange(),
			"fleet.survives_any is asked of a label: whether the fleet survives the loss of all hosts with one value of it, whichever.", `fleet.survives_any("zone")`)
	default:
		detail := fmt.Sprintf("%s has %s only.", t.RootName(), strings.Join(names, " and "))
		remedy := t.RootName() + "." + names[0]
		if t.RootName() == "fleet" {
			detail = `fleet has name, and in check blocks survives_any_host and survives_any("zone").`
			if n := nearest(a, []string{"name", survivesAnyHost, survivesAny}); n != "" {
				remedy = "fleet." + n
			}
		}
		l.add(diag.CodeReference, "Unknown reference", t.SourceRange(), detail, remedy)
	}
}

func (l *linker) instance(t hcl.Traversal) {
	root := t.RootName()
	want, names := "for_each", []string{"key", "value"}
	if root == "count" {
		want, names = "count", []string{"index"}
	}
	if l.meta != want {
		l.add(diag.CodeReference, "Unknown reference", t.SourceRange(), fmt.Sprintf("%s can be used only in a block with %s.", root, want), "")
		return
	}
	if a, ok := second(t); !ok || !slices.Contains(names, a) {
		l.add(diag.CodeReference, "Unknown reference", t.SourceRange(), fmt.Sprintf("%s has %s only.", root, strings.Join(names, " and ")), root+"."+names[0])
	}
}

// second returns the name after the root.
func second(t hcl.Traversal) (string, bool) {
	if len(t) < 2 {
		return "", false
	}
	a, ok := t[1].(hcl.TraverseAttr)
	return a.Name, ok
}

// object resolves a reference to a local or a block.
func (l *linker) object(t hcl.Traversal) {
	if to := l.declared(t); to != nil {
		l.n.refs = append(l.n.refs, ref{to, t.SourceRange()})
		to.used = true
	}
}

// declared returns what a reference names; nil: there is no such thing, and that was said.
func (l *linker) declared(t hcl.Traversal) *node {
	root := t.RootName()
	name, ok := second(t)
	if !ok {
		l.add(diag.CodeReference, "Unknown reference", t.SourceRange(), fmt.Sprintf("%s must be followed by a name.", root), root+".NAME")
		return nil
	}
	to := l.c.nodes[root+"."+name]
	if to == nil {
		detail := fmt.Sprintf("There is no %s named %q.", root, name)
		remedy := ""
		if n := nearest(name, l.c.namesOf(root)); n != "" {
			detail += fmt.Sprintf(" Did you mean %s.%s?", root, n)
		} else if names := l.c.namesOf(root); len(names) > 0 && len(names) <= 10 {
			detail += " There are: " + strings.Join(names, ", ") + "."
		}
		l.add(diag.CodeReference, "Unknown reference", t.SourceRange(), detail, remedy)
	}
	return to
}

func (c *Config) namesOf(kind string) []string {
	var out []string
	for _, n := range c.sortedNodes() {
		if n.kind == kind {
			out = append(out, n.name)
		}
	}
	return out
}

// checkVar checks a reference to a variable.
func (c *Config) checkVar(t hcl.Traversal, in string) diag.List {
	name, ok := second(t)
	if !ok {
		return diag.List{problem(diag.CodeReference, "Unknown reference", t.SourceRange(), in, "var must be followed by a name.", "var.NAME")}
	}
	for _, b := range c.blocks["variable"] {
		if b.labels[0].text == name {
			return nil
		}
	}
	detail := fmt.Sprintf("No variable named %q is declared.", name)
	remedy := fmt.Sprintf("variable %q {}", name)
	if n := nearest(name, c.varNames()); n != "" {
		detail, remedy = detail+" Did you mean var."+n+"?", ""
	}
	return diag.List{problem(diag.CodeReference, "Unknown reference", t.SourceRange(), in, detail, remedy)}
}

// topological orders nodes so that what is referred to comes first, or returns a cycle. It keeps its own
// stack: a chain of references may be as long as the configuration.
func topological(nodes []*node) (order, cycle []*node) {
	const (
		fresh = iota
		open
		done
	)
	state := map[*node]int{}
	type step struct {
		n    *node
		next int
	}
	for _, root := range nodes {
		if state[root] != fresh {
			continue
		}
		stack := []step{{n: root}}
		state[root] = open
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if top.next == len(top.n.refs) {
				state[top.n] = done
				order = append(order, top.n)
				stack = stack[:len(stack)-1]
				continue
			}
			to := top.n.refs[top.next].to
			top.next++
			switch state[to] {
			case fresh:
				state[to] = open
				stack = append(stack, step{n: to})
			case open:
				for i := range stack {
					if stack[i].n == to {
						for _, s := range stack[i:] {
							cycle = append(cycle, s.n)
						}
						return nil, cycle
					}
				}
			}
		}
	}
	return order, nil
}

// cycleMessage shows a cycle as the author can follow it. Beyond ten steps the middle is left out.
func cycleMessage(cycle []*node) diag.Diagnostic {
	var names []string
	for _, n := range cycle {
		names = append(names, n.addr)
	}
	names = append(names, cycle[0].addr)
	if len(names) > 10 {
		names = append(append(slices.Clone(names[:5]), "..."), names[len(names)-4:]...)
	}
	next := cycle[0]
	if len(cycle) > 1 {
		next = cycle[1]
	}
	at, in := cycle[0].at, ""
	for _, r := range cycle[0].refs {
		if r.to == next {
			at = r.at
			break
		}
	}
	if cycle[0].block != nil {
		in = cycle[0].block.title()
	}
	detail := strings.Join(names, " -> ") + ". Each needs the next one's value first, so none can be worked out."
	if len(cycle) == 1 {
		detail = cycle[0].addr + " refers to itself, so its value cannot be worked out."
	}
	return problem(diag.CodeCycle, "References form a cycle", at, in, detail, "take one of the references out")
}
