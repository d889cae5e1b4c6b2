package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

// checker holds bodies against the grammar.
type checker struct{ diags diag.List }

func (c *checker) add(d diag.Diagnostic) { c.diags = append(c.diags, d) }

// body checks one body. kind is its block's ("" for a file), in how messages name that block.
func (c *checker) body(b *body, g *grammar, parent *grammar, kind, in string) {
	for _, name := range b.names {
		c.arg(b.attrs[name], g, parent, kind, in)
	}
	seen := map[string]*block{}
	for _, inner := range b.blocks {
		if inner.kind == "dynamic" && kind != "" {
			c.dynamic(inner, g, kind, in)
			continue
		}
		c.block(inner, g, parent, kind, in)
		ig := g.blocks[inner.kind]
		if ig == nil || !ig.one {
			continue
		}
		if first := seen[inner.kind]; first != nil {
			c.add(problem(diag.CodeDuplicate, "Declared twice", inner.def, in,
				fmt.Sprintf("There may be one %s block here; the first is at %s.", inner.kind, rangeOf(first.def)), "merge the two"))
		}
		seen[inner.kind] = inner
	}
	c.together(b, in)
}

// together checks what excludes each other on the level of words.
func (c *checker) together(b *body, in string) {
	if n, f := b.attrs["count"], b.attrs["for_each"]; n != nil && f != nil {
		c.add(problem(diag.CodeValue, "Both count and for_each", f.at, in,
			"count and for_each both say how many instances there are.", "keep one of them"))
	}
}

func (c *checker) arg(a *attr, g, parent *grammar, kind, in string) {
	if g.open || slices.Contains(g.all(), a.name) {
		return
	}
	if g.blocks[a.name] != nil {
		form := a.name
		for range g.blocks[a.name].labels {
			form += ` "..."`
		}
		c.add(problem(diag.CodeUnknownArgument, "Unknown argument", a.at, in,
			fmt.Sprintf("%s is a block, not an argument: it is written without an equals sign.", a.name), form+" { ... }"))
		return
	}
	if slices.Contains(g.later, a.name) {
		c.add(notYet(a.name, a, in))
		return
	}
	detail, remedy := advise(a.name, "argument", g, parent, kind)
	c.add(problem(diag.CodeUnknownArgument, "Unknown argument", a.at, in, detail, remedy))
}

func notYet(what string, a *attr, in string) diag.Diagnostic {
	return problem(diag.CodeNotYet, "Not supported yet", a.at, in,
		fmt.Sprintf("%s is not supported yet. Nothing in a configuration is ignored, so it is refused.", what), "take it out")
}

// advise explains a word that is not known in a body, and says which one is.
func advise(word, form string, g, parent *grammar, kind string) (detail, remedy string) {
	where := "here"
	if kind != "" {
		where = "in " + article(kind) + " block"
	}
	if why := refusalFor(kind, word); why != "" {
		return fmt.Sprintf("%s is not %s here. %s", word, article(form), why), ""
	}
	known := append(g.all(), g.blockNames()...)
	known = append(known, g.later...)
	say := adviceFor(kind, word)
	if say == "" {
		say = nearest(strings.ToLower(word), known)
	}
	if say != "" {
		return fmt.Sprintf("%s is not %s here; did you mean %s?", word, article(form), say), ""
	}
	if in := elsewhere(g, word); in != "" {
		return fmt.Sprintf("%s is not %s of its own here: it belongs in %s {}.", word, article(form), in), fmt.Sprintf("%s { %s = ... }", in, word)
	}
	if parent != nil && (slices.Contains(parent.all(), word) || parent.blocks[word] != nil) {
		return fmt.Sprintf("%s is not %s %s: it belongs one level up, beside this block.", word, article(form), where), ""
	}
	list := append(g.all(), g.blockNames()...)
	slices.Sort(list)
	return fmt.Sprintf("%s is not %s %s. There are: %s.", word, article(form), where, strings.Join(list, ", ")), ""
}

func article(noun string) string {
	if strings.ContainsRune("aeiou", rune(noun[0])) || noun == "ssh" {
		return "an " + noun
	}
	return "a " + noun
}

func (c *checker) block(b *block, g, parent *grammar, kind, in string) {
	ig := g.blocks[b.kind]
	switch {
	case ig != nil:
	case slices.Contains(g.later, b.kind):
		c.add(notYet(b.kind, &attr{at: b.at}, in))
		return
	case slices.Contains(g.all(), b.kind):
		c.add(problem(diag.CodeUnknownArgument, "Unknown block", b.at, in,
			fmt.Sprintf("%s is an argument, not a block: it is written with an equals sign.", b.kind), b.kind+" = ..."))
		return
	default:
		detail, remedy := advise(b.kind, "block", g, parent, kind)
		c.add(problem(diag.CodeUnknownArgument, "Unknown block", b.at, in, detail, remedy))
		return
	}
	title := b.title()
	if in != "" {
		title = in + ", " + title
	}
	if !c.labels(b, ig, in) {
		return
	}
	c.special(b, title)
	c.body(b.body, ig, g, b.kind, title)
}

// labels checks how many labels a block has, and the names among them.
func (c *checker) labels(b *block, g *grammar, in string) bool {
	if len(b.labels) != len(g.labels) {
		form := b.kind
		for _, l := range g.labels {
			form += ` "` + l + `"`
		}
		detail := fmt.Sprintf("A %s block has %d labels here; it takes %d.", b.kind, len(b.labels), len(g.labels))
		if len(g.labels) == 0 {
			detail = fmt.Sprintf("A %s block takes no label.", b.kind)
		}
		c.add(problem(diag.CodeMissing, "Wrong number of labels", b.def, in, detail, form+" { ... }"))
		return false
	}
	for i, l := range b.labels {
		if g.labels[i] != "name" {
			continue
		}
		if !fleet.ValidName(l.text) || (b.kind == "variable" || b.kind == "output") && !identifier(l.text) {
			c.add(problem(diag.CodeValue, "Invalid name", l.at, in,
				fmt.Sprintf("%q cannot be a name: letters, digits, - and _ can, 63 at most, beginning with a letter or digit.", l.text), ""))
			return false
		}
	}
	return true
}

// identifier reports whether s can follow a dot in an expression.
func identifier(s string) bool {
	for i, r := range s {
		ok := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || i > 0 && (r == '-' || r >= '0' && r <= '9')
		if !ok {
			return false
		}
	}
	return s != ""
}

// special checks labels that choose among kinds of which one is supported.
func (c *checker) special(b *block, in string) {
	switch {
	case b.kind == "state" && b.labels[0].text == "local":
		for _, n := range b.body.names {
			if n != "path" {
				c.add(problem(diag.CodeUnknownArgument, "Unknown argument", b.body.attrs[n].at, in, n+` is not an argument of state "local"; it has path.`, ""))
			}
		}
	case b.kind == "state" && b.labels[0].text == "etcd":
		c.add(notYet(`state "etcd"`, &attr{at: b.labels[0].at}, in))
	case b.kind == "state":
		c.add(problem(diag.CodeValue, "Unknown kind of state", b.labels[0].at, in, fmt.Sprintf("%q is not a kind of state.", b.labels[0].text), `state "local" { path = ".stowage" }`))
	case b.kind == "hook" && !slices.Contains(hookKinds(), b.labels[0].text):
		detail, remedy := adviseHook(b.labels[0].text)
		c.add(problem(diag.CodeValue, "Unknown kind of hook", b.labels[0].at, in, detail, remedy))
	case b.kind == "engine" && b.labels[0].text != "docker":
		c.add(notYet(fmt.Sprintf("engine %q", b.labels[0].text), &attr{at: b.labels[0].at}, in))
	}
}

func (c *checker) dynamic(b *block, g *grammar, kind, in string) {
	title := b.title()
	if in != "" {
		title = in + ", " + title
	}
	if len(b.labels) != 1 {
		c.add(problem(diag.CodeMissing, "Wrong number of labels", b.def, in, "A dynamic block has one label, the kind of block that it makes.", `dynamic "port" { ... }`))
		return
	}
	ig := g.blocks[b.labels[0].text]
	if ig == nil {
		detail, remedy := advise(b.labels[0].text, "block", g, nil, kind)
		d := problem(diag.CodeUnknownArgument, "Unknown block", b.labels[0].at, in, detail, remedy)
		if slices.Contains(g.later, b.labels[0].text) {
			d = notYet(b.labels[0].text, &attr{at: b.labels[0].at}, in)
		}
		c.add(d)
		return
	}
	dg := dynamicGrammar(ig)
	c.body(b.body, dg, nil, "dynamic", title)
	if b.body.attrs["for_each"] == nil {
		c.add(missing("for_each", b.body.open, title))
	}
	if n := b.contents(); n != 1 {
		c.add(problem(diag.CodeMissing, "Missing block", b.def, title, "A dynamic block has exactly one content block, which says what each block looks like.", "content { ... }"))
	}
	if (b.body.attrs["labels"] == nil) != (len(ig.labels) == 0) {
		c.add(problem(diag.CodeMissing, "Wrong number of labels", b.def, title,
			fmt.Sprintf("A %s block has %d labels, which the argument labels of the dynamic block gives.", b.labels[0].text, len(ig.labels)), "labels = [...]"))
	}
}

func (b *block) contents() (n int) {
	for _, x := range b.body.blocks {
		if x.kind == "content" {
			n++
		}
	}
	return n
}

func missing(name string, at hcl.Range, in string) diag.Diagnostic {
	return problem(diag.CodeMissing, "Missing argument", at, in, fmt.Sprintf("The argument %s is required here.", name), name+" = ...")
}
