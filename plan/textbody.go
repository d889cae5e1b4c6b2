package plan

import (
	"fmt"
	"strconv"
	"strings"
)

// body shows the attributes of an object: all of a new one, what differs of a changed one.
func (t *text) body(c *Change) {
	name := c.Addr.Name()
	if r, ok := c.Addr.Replica(); ok && ofReplicas(c.Addr) {
		name = string(r.Workload)
	}
	var lines []line
	switch {
	case c.Action == Create && c.After != "":
		spec, ok := t.plan.Specs[c.After]
		if !ok {
			return
		}
		for _, a := range SpecAttributes(spec) {
			lines = append(lines, line{path: a.Path, after: &a.Value, sensitive: a.Sensitive})
		}
	case len(c.Diff) > 0:
		for _, d := range c.Diff {
			lines = append(lines, line{d.Path, d.Before, d.After, d.Sensitive, d.Replaces})
		}
	default:
		return
	}
	t.printf("%s %s %q {\n", t.style.symbol(c.sign()), c.Addr.Kind(), name)
	t.lines(foldPins(lines))
	t.printf("    }\n")
}

// line is one attribute as it is shown.
type line struct {
	path          string
	before, after *string
	sensitive     bool
	replaces      bool
}

// foldPins puts the pin of an image behind its reference.
func foldPins(in []line) []line {
	var out []line
	for _, l := range in {
		if l.path != "image_pin" {
			out = append(out, l)
			continue
		}
		if n := len(out); n > 0 && out[n-1].path == "image" {
			out[n-1].before, out[n-1].after = pinned(out[n-1].before, l.before), pinned(out[n-1].after, l.after)
			continue
		}
		l.path = "image"
		out = append(out, l)
	}
	return out
}

func pinned(ref, pin *string) *string {
	if ref == nil || pin == nil {
		return ref
	}
	s := *ref + "\x00" + *pin
	return &s
}

// labelled are the blocks whose second word is a label.
func labelled(head string) bool { return head == "port" || head == "mount" || head == "file" }

// lines shows attributes, those of one block or map together, with their equal signs in a column.
func (t *text) lines(all []line) {
	wide := map[string]int{}
	for _, l := range all {
		block, leaf := splitBlock(l.path)
		wide[block] = max(wide[block], len(leaf))
	}
	open := ""
	for _, l := range all {
		block, leaf := splitBlock(l.path)
		if block != open {
			if open != "" {
				t.printf("        }\n")
			}
			if block != "" {
				t.printf("        %s {\n", block)
			}
			open = block
		}
		indent := "      "
		if block != "" {
			indent = "          "
		}
		t.attribute(indent, leaf, wide[block], l)
	}
	if open != "" {
		t.printf("        }\n")
	}
}

func (t *text) attribute(indent, name string, wide int, l line) {
	sign, value := t.style.change("~"), ""
	switch {
	case l.before == nil:
		sign, value = t.style.add("+"), show(l.path, l.after, l.sensitive)
	case l.after == nil:
		sign, value = t.style.remove("-"), show(l.path, l.before, l.sensitive)+" -> null"
	default:
		value = show(l.path, l.before, l.sensitive) + " -> " + show(l.path, l.after, l.sensitive)
	}
	if l.replaces && t.plan.Mode != Destroy {
		value += t.style.remove(" # forces replacement")
	}
	t.printf("%s%s %-*s = %s\n", indent, sign, wide, name, value)
}

// show writes one value as the configuration would.
func show(path string, v *string, sensitive bool) string {
	if sensitive {
		return "(sensitive value)"
	}
	if ref, pin, ok := strings.Cut(*v, "\x00"); ok {
		return strconv.Quote(ref) + " (" + shortPin(pin) + ")"
	}
	if path == "image" && strings.HasPrefix(*v, "sha256:") {
		return "(" + shortPin(*v) + ")"
	}
	if strings.HasPrefix(*v, "[") || *v == "true" || *v == "false" || strings.HasSuffix(path, ".content") {
		return *v
	}
	head, _ := splitPath(path)
	if _, err := strconv.ParseFloat(*v, 64); err == nil && head != "env" && head != "labels" {
		return *v
	}
	return strconv.Quote(*v)
}

// shortPin shows as much of a digest as tells images apart.
func shortPin(pin string) string {
	const digits = len("sha256:") + 12
	if len(pin) > digits {
		return pin[:digits]
	}
	return pin
}

// splitPath cuts a path after its first word.
func splitPath(path string) (head, rest string) {
	head, rest, _ = strings.Cut(path, ".")
	return head, rest
}

// splitBlock tells the block that an attribute stands in, as it is written, from its own name:
// `port "http"` and container, env and LOG_LEVEL, placement and labels.zone.
func splitBlock(path string) (block, leaf string) {
	head, rest := splitPath(path)
	if rest == "" {
		return "", head
	}
	if !labelled(head) {
		return head, rest
	}
	if strings.HasPrefix(rest, `"`) {
		if i := strings.LastIndex(rest, `".`); i > 0 {
			return head + " " + rest[:i+1], rest[i+2:]
		}
	}
	label, leaf, _ := strings.Cut(rest, ".")
	return fmt.Sprintf("%s %q", head, label), leaf
}
