package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

// wish is one thing that a workload's placement says about hosts or other workloads. Whether there is anything of the kind
// is known only when the whole fleet is.
type wish struct {
	workload fleet.WorkloadName
	addr     fleet.Addr // of the same
	form     string     // constraint, affinity, labels or spread
	fleet.Constraint
	at hcl.Range // of the name
	in string
}

// wish notes a constraint or affinity for placementsOf.
func (e *evaluation) wish(w *fleet.Workload, d *decoder, c fleet.Constraint, form string) {
	e.wishes = append(e.wishes, wish{w.Name, w.Addr(), form, c, d.body.attrs["attribute"].expr.Range(), d.in})
}

// asks notes labels that an argument of a placement block names.
func (e *evaluation) asks(w *fleet.Workload, d *decoder, name string, labels ...string) {
	for _, l := range labels {
		e.wishes = append(e.wishes, wish{w.Name, w.Addr(), name, fleet.Constraint{Attribute: l}, d.body.attrs[name].expr.Range(), d.in})
	}
}

func labelNames(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// placements holds all wishes against the fleet and gives affinities that name several workloads an entry for each.
func (e *evaluation) placements() {
	have := map[string]bool{}
	hosts := map[string]bool{}
	for _, h := range e.out.Fleet.Hosts {
		hosts[string(h.Name)] = true
		for l := range h.Labels {
			have[l] = true
		}
	}
	told := map[string]bool{}
	for _, w := range e.wishes {
		key := w.Attribute + " " + rangeOf(w.at).String() // once for all instances of a block
		if told[key] {
			continue
		}
		before := len(e.diags)
		switch {
		case strings.HasPrefix(w.Attribute, workloadPrefix) && w.form == "affinity":
			e.workloadWish(w)
		case w.Attribute == "host.name":
			e.hostWish(w, hosts)
		case !slices.Contains(hostFacts(), w.Attribute) && !have[w.Attribute]:
			e.labelWish(w, slices.Sorted(maps.Keys(have)))
		}
		told[key] = len(e.diags) > before
	}
	for i := range e.out.Fleet.Workloads {
		w := &e.out.Fleet.Workloads[i]
		w.Placement.Affinities = e.eachNamed(w.Name, w.Placement.Affinities)
	}
}

// named returns the workloads that an address stands for: the one, or all instances of a block, without self. A job comes
// and goes, so nothing is near it.
func (e *evaluation) named(addr string, self fleet.WorkloadName) (out []fleet.WorkloadName) {
	name := strings.TrimPrefix(addr, workloadPrefix)
	for _, w := range e.out.Fleet.Workloads {
		if n := string(w.Name); w.Name != self && w.Job == nil && (n == name || strings.HasPrefix(n, name+"[")) {
			out = append(out, w.Name)
		}
	}
	return out
}

func (e *evaluation) eachNamed(self fleet.WorkloadName, all []fleet.Affinity) []fleet.Affinity {
	var out []fleet.Affinity
	for _, a := range all {
		if !strings.HasPrefix(a.Attribute, workloadPrefix) {
			out = append(out, a)
			continue
		}
		for _, n := range e.named(a.Attribute, self) {
			out = append(out, fleet.Affinity{Attribute: workloadPrefix + string(n), Weight: a.Weight})
		}
	}
	return out
}

// workloadWish refuses an affinity to what does not exist, and to the workload itself.
func (e *evaluation) workloadWish(w wish) {
	name := strings.TrimPrefix(w.Attribute, workloadPrefix)
	if name == string(w.workload) {
		e.diags = append(e.diags, problem(diag.CodeValue, "Invalid value", w.at, w.in,
			fmt.Sprintf("%s cannot have an affinity to itself. Its replicas are kept apart by spread and max_per_host, and together by strategy = \"binpack\".", w.addr), "max_per_host = 1"))
		return
	}
	if len(e.named(w.Attribute, w.workload)) > 0 || e.c.nodes[w.Attribute] != nil {
		return // there, or a block of which there are no (other) instances
	}
	detail, remedy := fmt.Sprintf("There is no workload named %q.", name), ""
	var all []string
	for _, x := range e.out.Fleet.Workloads {
		if x.Name != w.workload && x.Job == nil {
			all = append(all, string(x.Name))
		}
	}
	slices.Sort(all)
	if n := nearest(name, all); n != "" {
		remedy = fmt.Sprintf("attribute = %q", workloadPrefix+n)
	} else if len(all) > 0 && len(all) <= 10 {
		detail += " There are: " + strings.Join(all, ", ") + "."
	}
	e.diags = append(e.diags, problem(diag.CodeReference, "Unknown reference", w.at, w.in, detail, remedy))
}

// hostWish warns of hosts by name that are not there.
func (e *evaluation) hostWish(w wish, hosts map[string]bool) {
	if w.Operator != fleet.OpEqual && w.Operator != fleet.OpIn || len(hosts) == 0 || slices.ContainsFunc(w.Values, func(v string) bool { return hosts[v] }) {
		return
	}
	names := slices.Sorted(maps.Keys(hosts))
	var quoted []string
	for _, v := range w.Values {
		quoted = append(quoted, fmt.Sprintf("%q", v))
	}
	detail := fmt.Sprintf("No host is named %s, so %s.", strings.Join(quoted, " or "), w.consequence())
	if n := nearest(w.Values[0], names); n != "" {
		detail += fmt.Sprintf(" Did you mean %q?", n)
	} else {
		detail += " There are: " + few(names) + "."
	}
	e.warn(w, "No host has this name", detail, "")
}

// labelWish warns of a label that no host has: a constraint with a typing mistake in it places nothing, and says so only
// where replicas are refused.
func (e *evaluation) labelWish(w wish, labels []string) {
	if detail, remedy := adviseAttribute(w.Attribute); detail != "" {
		e.diags = append(e.diags, problem(diag.CodeValue, "Invalid value", w.at, w.in, detail, remedy))
		return
	}
	if len(e.out.Fleet.Hosts) == 0 {
		return
	}
	detail, remedy := fmt.Sprintf("No host has the label %q, so %s.", w.Attribute, w.consequence()), ""
	fact := "host." + w.Attribute
	switch n := nearest(w.Attribute, labels); {
	case n != "":
		detail += fmt.Sprintf(" Did you mean %q?", n)
	case slices.Contains(hostFacts(), fact) && w.form != "spread" && w.form != "labels":
		remedy = fmt.Sprintf("attribute = %q", fact)
	case len(labels) == 0:
		detail += " No host has any label."
		remedy = fmt.Sprintf("labels = { %s = \"...\" } in host blocks", quotedKey(w.Attribute))
	default:
		detail += " Hosts have: " + few(labels) + "."
	}
	e.warn(w, "No host has this label", detail, remedy)
}

// consequence is what comes of a wish that no host fulfils.
func (w wish) consequence() string {
	absence := w.Operator == fleet.OpNotEqual || w.Operator == fleet.OpNotIn || w.Operator == fleet.OpIsSet && w.Values[0] == "false"
	switch {
	case w.form == "spread":
		return "there is nothing to spread over"
	case w.form == "affinity":
		return "all hosts are alike to this affinity"
	case absence:
		return "every host meets this constraint"
	}
	return fmt.Sprintf("no host can take %s", w.addr)
}

func (e *evaluation) warn(w wish, summary, detail, remedy string) {
	d := problem(diag.CodeNoLabel, summary, w.at, w.in, detail, remedy)
	d.Severity = diag.Warning
	e.diags = append(e.diags, d)
}

// few joins names for a message, not more than can be read.
func few(names []string) string {
	const most = 10
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

// quotedKey writes a name as the key of an object.
func quotedKey(s string) string {
	if identifier(s) {
		return s
	}
	return fmt.Sprintf("%q", s)
}
