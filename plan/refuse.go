package plan

import (
	"slices"
	"strings"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

// refusals turns what the scheduler could not place into messages. What waits for room that others of higher priority
// hold is no mistake, and an answer to what-if is there to say what has no place: the plan goes on without these.
func (m *maker) refusals() {
	if m.opt.Mode != Normal {
		return
	}
	for _, r := range m.in.Assignment.Refused {
		w := m.work(r.Workload)
		if w.want == nil || !m.sel.object(w.addr) && !m.refusedTarget(r, w) {
			continue
		}
		if !r.Outranked && m.opt.WhatIf == nil {
			m.diags = append(m.diags, m.refusal(r, w))
			continue
		}
		for _, s := range r.Slots {
			m.waits[fleet.ReplicaID{Workload: r.Workload, Slot: s}] = true
		}
		m.unplaced(Unplaced{Workload: r.Workload, Slots: r.Slots, Why: filterLines(r), Waits: r.Outranked})
	}
	for _, d := range m.in.Assignment.Displaced {
		m.displaced[d.Replica] = d.Reason
	}
}

// unplaced adds to what the plan goes on without; what the same keeps from every host is one entry.
func (m *maker) unplaced(u Unplaced) {
	for i := range m.plan.Unplaced {
		if o := &m.plan.Unplaced[i]; o.Workload == u.Workload && o.Waits == u.Waits && slices.Equal(o.Why, u.Why) {
			o.Slots = slices.Concat(o.Slots, u.Slots)
			slices.Sort(o.Slots)
			return
		}
	}
	m.plan.Unplaced = append(m.plan.Unplaced, u)
}

func (m *maker) refusedTarget(r fleet.Refusal, w *work) bool {
	return slices.ContainsFunc(r.Slots, func(s fleet.Slot) bool {
		return m.sel.object(fleet.ReplicaID{Workload: r.Workload, Slot: s}.AddrOf(w.addr))
	})
}

func (m *maker) refusal(r fleet.Refusal, w *work) diag.Diagnostic {
	d := diag.Diagnostic{
		Code:     diag.CodeUnplaceable,
		Summary:  "No host for " + number(len(r.Slots), "replica") + " of " + string(w.addr),
		Affected: "Nothing was changed.",
		Remedy:   "Add a host, free one, or ask for less.",
	}
	lines := filterLines(r)
	if holders := m.portHolders(w); len(holders) > 0 {
		d.Code, d.Remedy = diag.CodePortTaken, "Stop what has the port, or choose another one."
		lines = append(lines, holders...)
	}
	d.Detail = strings.Join(lines, ".\n")
	if d.Detail != "" {
		d.Detail += "."
	}
	return d
}

// filterLines says what keeps replicas from every host, a filter a line.
func filterLines(r fleet.Refusal) []string {
	var lines []string
	for _, f := range r.Filters {
		if f.Hosts == 0 {
			continue
		}
		line := number(f.Hosts, "host") + " " + f.Filter
		if f.Detail != "" {
			line += ": " + f.Detail
		}
		lines = append(lines, line)
	}
	return lines
}

// portHolders names the strangers that hold a workload's fixed ports.
func (m *maker) portHolders(w *work) []string {
	var out []string
	for _, n := range m.hostNames() {
		h := m.hosts[n]
		if !h.known() || !h.declared || !eligible(&h.Host, w.want) {
			continue
		}
		for _, p := range w.want.Spec.Ports {
			for _, f := range h.obs.Foreign {
				if p.Policy == fleet.PortFixed && f.Phase == fleet.PhaseRunning && holds(f, p) {
					out = append(out, "Port "+count(p.Host).String()+" on "+string(n)+" is held by container \""+f.Name+"\", which is not this fleet's")
				}
			}
		}
	}
	return out
}

func holds(f fleet.ForeignContainer, p fleet.Port) bool {
	return slices.ContainsFunc(f.HostPorts, func(o fleet.PublishedPort) bool { return o.Host == p.Host && o.Protocol == p.Protocol })
}
