package reconcile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
)

// Supposition is what a plan may suppose in order to answer what would happen. Nothing of it touches a host or the record.
type Supposition struct {
	Lose       []fleet.HostName // as if they were gone for good
	LoseLabels []Label          // likewise every host with one of these
	Drain      []fleet.HostName // as if they said drain = true
	Add        []Offer          // as if they were declared and empty
}

// Offer is a host that there might be. Its name is made up.
type Offer struct {
	Host fleet.Host // Capacity says what it has
	Arch string     // empty: that of the others, where these agree
}

// Label is a label of a host.
type Label struct{ Key, Value string }

// Empty reports whether nothing is supposed. It may be called on nil.
func (s *Supposition) Empty() bool {
	return s == nil || len(s.Lose)+len(s.LoseLabels)+len(s.Drain)+len(s.Add) == 0
}

// suppose returns the fleet and the view as they would be, and what was supposed. The arguments stay as they are. Hosts
// that are not declared are diagnostics.
func (s *Supposition) suppose(f *fleet.Fleet, v fleet.View) (*fleet.Fleet, fleet.View, *plan.WhatIf, diag.List) {
	if s.Empty() {
		return f, v, nil, nil
	}
	lost, diags := s.lost(f)
	diags = append(diags, declared(f, s.Drain, "-drain")...)
	if diags.HasErrors() {
		return nil, v, nil, diags
	}
	to := *f
	to.Hosts = slices.Clone(f.Hosts)
	v.Hosts = maps.Clone(v.Hosts)
	for _, n := range lost {
		v.Hosts[n] = fleet.Sighting{Why: "it is taken as lost"}
	}
	for i := range to.Hosts {
		to.Hosts[i].Drain = to.Hosts[i].Drain || slices.Contains(s.Drain, to.Hosts[i].Name)
	}
	w := &plan.WhatIf{Lost: lost, Text: s.text(lost)}
	arch := commonArch(v)
	for _, o := range s.Add {
		h := o.Host
		h.Name = freeName(to.Hosts)
		h.Address = string(h.Name) // never this machine
		to.Hosts = append(to.Hosts, h)
		w.Added = append(w.Added, h.Name)
		v.Hosts[h.Name] = fleet.Sighting{Observation: &fleet.Observation{Engine: fleet.EngineInfo{ID: string(h.Name), Arch: cmp.Or(o.Arch, arch), Capacity: h.Capacity}}}
		w.Text = append(w.Text, fmt.Sprintf("%s were added (%s)", fleet.HostAddr(h.Name), offers(h)))
	}
	slices.SortFunc(to.Hosts, func(a, b fleet.Host) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return &to, v, w, nil
}

// lost returns the hosts that are supposed to be lost, sorted.
func (s *Supposition) lost(f *fleet.Fleet) ([]fleet.HostName, diag.List) {
	diags := declared(f, s.Lose, "-lose")
	lost := slices.Clone(s.Lose)
	for _, l := range s.LoseLabels {
		n := len(lost)
		for _, h := range f.Hosts {
			if v, ok := h.Labels[l.Key]; ok && v == l.Value {
				lost = append(lost, h.Name)
			}
		}
		if len(lost) == n {
			diags = append(diags, diag.Diagnostic{
				Code: diag.CodeTarget, Summary: fmt.Sprintf("No host has the label %s=%s", l.Key, l.Value),
				Detail: labelsOf(f, l.Key), Remedy: "Name a label and a value that hosts have.", Affected: "Nothing was changed.",
			})
		}
	}
	slices.Sort(lost)
	return slices.Compact(lost), diags
}

// declared complains about hosts that the configuration does not have.
func declared(f *fleet.Fleet, names []fleet.HostName, flag string) (diags diag.List) {
	for _, n := range names {
		if !slices.ContainsFunc(f.Hosts, func(h fleet.Host) bool { return h.Name == n }) {
			var all []fleet.HostName
			for _, h := range f.Hosts {
				all = append(all, h.Name)
			}
			diags = append(diags, diag.Diagnostic{
				Code: diag.CodeTarget, Summary: fmt.Sprintf("%s names no host of the configuration: %q", flag, string(n)),
				Detail: fmt.Sprintf("The hosts are: %s.", first(all, 10)), Affected: "Nothing was changed.",
			})
		}
	}
	return diags
}

// labelsOf says which values a label has.
func labelsOf(f *fleet.Fleet, key string) string {
	values := map[string]bool{}
	for _, h := range f.Hosts {
		if v, ok := h.Labels[key]; ok {
			values[v] = true
		}
	}
	if len(values) == 0 {
		return fmt.Sprintf("No host has a label %q at all.", key)
	}
	return fmt.Sprintf("The values of %s are: %s.", key, first(slices.Sorted(maps.Keys(values)), 10))
}

// text says what is supposed of the hosts that there are.
func (s *Supposition) text(lost []fleet.HostName) (text []string) {
	say := func(names []fleet.HostName, verb string) {
		if len(names) == 0 {
			return
		}
		var addrs []fleet.Addr
		for _, n := range names {
			addrs = append(addrs, fleet.HostAddr(n))
		}
		text = append(text, first(addrs, 10)+" were "+verb)
	}
	say(lost, "lost")
	say(s.Drain, "drained")
	return text
}

// commonArch is the architecture of all hosts that answered; empty: they do not agree.
func commonArch(v fleet.View) string {
	arch := ""
	for _, x := range v.Hosts {
		switch {
		case x.Observation == nil:
		case arch != "" && arch != x.Observation.Engine.Arch:
			return ""
		default:
			arch = x.Observation.Engine.Arch
		}
	}
	return arch
}

// freeName is new-1, or the first number after it that no host has.
func freeName(hosts []fleet.Host) fleet.HostName {
	for i := 1; ; i++ {
		n := fleet.HostName(fmt.Sprintf("new-%d", i))
		if !slices.ContainsFunc(hosts, func(h fleet.Host) bool { return h.Name == n }) {
			return n
		}
	}
}

// offers says what an added host has: "cpu 4, memory 8GiB, zone=eu-c".
func offers(h fleet.Host) string {
	var parts []string
	if h.Capacity.CPU > 0 {
		parts = append(parts, "cpu "+h.Capacity.CPU.String())
	}
	if h.Capacity.Memory > 0 {
		parts = append(parts, "memory "+h.Capacity.Memory.String())
	}
	if h.Capacity.GPUs > 0 {
		parts = append(parts, fmt.Sprintf("gpus %d", h.Capacity.GPUs))
	}
	for _, k := range slices.Sorted(maps.Keys(h.Labels)) {
		parts = append(parts, k+"="+h.Labels[k])
	}
	if len(parts) == 0 {
		return "without bounds"
	}
	return strings.Join(parts, ", ")
}
