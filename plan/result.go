package plan

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/stowage-run/stowage/fleet"
)

// changes lists what happens to every replica, after the volumes' and networks' that are noted already. final maps the
// steps' numbers to those of the plan; nil: they are the same.
func (m *maker) changes(final []int) {
	n := 0
	for i := range m.slots {
		if m.slots[i].action != "" && !m.slots[i].left {
			n++
		}
	}
	m.plan.Changes = slices.Grow(m.plan.Changes, n)
	for i := range m.slots {
		if s := &m.slots[i]; s.action != "" && !s.left {
			m.plan.Changes = append(m.plan.Changes, m.change(s))
		}
	}
	m.workloadChanges()
	for i := range m.plan.Changes {
		c := &m.plan.Changes[i]
		if final != nil {
			for k, s := range c.Steps {
				c.Steps[k] = final[s]
			}
			slices.Sort(c.Steps)
		}
	}
	sortChanges(m.plan.Changes)
}

func (m *maker) change(s *slot) Change {
	c := Change{Addr: s.addr(), Action: s.action, Reason: s.reason, Steps: s.steps, CreateFirst: s.action == Replace && s.beside, Leftover: s.action == Delete && s.isHook()}
	if s.have != nil {
		c.Before = s.have.Revision()
		c.Host = s.have.Host
	}
	if s.wanted() && m.opt.Mode == Normal {
		c.After = s.work.rev
		c.Host = s.place.Host
		c.Ports = s.place.HostPorts
	}
	if s.action == Move {
		c.From = s.have.Host
	}
	if s.delta != nil {
		c.Diff = s.delta.diff
	}
	return c
}

// workloadChanges lists what changes of workloads themselves and is recorded with the release, where no replica's
// change shows it.
func (m *maker) workloadChanges() {
	if m.opt.Mode != Normal {
		return
	}
	for _, w := range m.works {
		if w.want == nil || w.old == nil || !m.sel.object(w.addr) ||
			slices.ContainsFunc(w.slots, func(s slot) bool { return s.delta != nil && !s.left }) {
			continue
		}
		c := Change{Addr: w.addr, Action: Update, Before: w.rev, After: w.rev}
		var paths []string
		for _, x := range diffAttributes(WorkloadAttributes(*w.old), WorkloadAttributes(*w.want)) {
			c.Diff = append(c.Diff, x.public(false))
			paths = append(paths, x.path())
		}
		if len(paths) > 0 {
			c.Reason = changed(paths)
			m.plan.Changes = append(m.plan.Changes, c)
		}
	}
}

// sortChanges orders by address, slots by number, and what is left over last.
func sortChanges(l []Change) {
	slices.SortStableFunc(l, func(a, b Change) int {
		return cmp.Or(compareAddr(a.Addr, b.Addr), compareText(a.Host, b.Host))
	})
}

// compareAddr orders addresses by kind and name, and replicas of one workload by slot.
func compareAddr(a, b fleet.Addr) int {
	if a == b {
		return 0
	}
	i, j := strings.LastIndexByte(string(a), '['), strings.LastIndexByte(string(b), '[')
	if i > 0 && j == i && a[:i] == b[:j] && len(a) != len(b) && a[i+1] != '"' && b[i+1] != '"' {
		return len(a) - len(b) // numbers without leading zeros
	}
	return compareText(a, b)
}

// outputs compares what is recorded of outputs with what is declared. A sensitive value is nowhere recorded, so only
// its coming and going is seen.
func (m *maker) outputs() {
	if m.opt.Mode == RefreshOnly {
		return
	}
	var declared []fleet.Output
	if m.opt.Mode == Normal {
		declared = m.in.Desired.Outputs
	} else if !m.sel.everything() {
		return
	}
	seen := map[string]bool{}
	for _, o := range declared {
		seen[o.Name] = true
		old, had := m.snap.Outputs[o.Name]
		c := OutputChange{Name: o.Name, Action: Create, Sensitive: o.Sensitive, Unknown: o.Unknown}
		if had {
			c.Action = Update
			if !old.Sensitive {
				c.Before = json.RawMessage(old.Value)
			}
			same := old.Sensitive == o.Sensitive && (o.Sensitive || bytes.Equal(old.Value, o.Value))
			if same || o.Unknown && old.Sensitive == o.Sensitive && len(m.plan.Steps)+len(m.plan.Changes) == 0 {
				continue
			}
		}
		if !o.Sensitive && !o.Unknown {
			c.After = json.RawMessage(o.Value)
		}
		m.plan.Outputs = append(m.plan.Outputs, c)
	}
	for n, old := range m.snap.Outputs {
		if !seen[n] {
			c := OutputChange{Name: n, Action: Delete, Sensitive: old.Sensitive}
			if !old.Sensitive {
				c.Before = json.RawMessage(old.Value)
			}
			m.plan.Outputs = append(m.plan.Outputs, c)
		}
	}
	slices.SortFunc(m.plan.Outputs, func(a, b OutputChange) int { return compareText(a.Name, b.Name) })
}

// desired is the fleet as it is recorded with the release.
func (m *maker) desired() {
	d := *m.in.Desired
	d.Workloads, d.Outputs = nil, nil
	for _, w := range m.works {
		keep := w.want
		if m.opt.Mode == RefreshOnly || w.blocked || !m.sel.object(w.addr) && !m.touched(w) {
			keep = w.old
		}
		if keep != nil {
			d.Workloads = append(d.Workloads, *keep)
		}
	}
	switch {
	case m.opt.Mode == Destroy && m.sel.everything():
		d.Networks, d.Volumes = nil, nil
	case m.opt.Mode == Normal:
		d.Outputs = slices.Clone(m.in.Desired.Outputs)
		for i := range d.Outputs {
			if d.Outputs[i].Sensitive {
				d.Outputs[i].Value = nil
			}
		}
	default:
		for _, n := range slices.Sorted(maps.Keys(m.snap.Outputs)) {
			d.Outputs = append(d.Outputs, m.snap.Outputs[n])
		}
	}
	d.Hosts = sortedBy(d.Hosts, func(h fleet.Host) string { return string(h.Name) })
	d.Networks = sortedBy(d.Networks, func(n fleet.Network) string { return string(n.Name) })
	d.Volumes = sortedBy(d.Volumes, func(v fleet.Volume) string { return string(v.Name) })
	d.Outputs = sortedBy(d.Outputs, func(o fleet.Output) string { return o.Name })
	m.plan.Desired = d
}

// sortedBy returns the slice sorted by name, and never changes it.
func sortedBy[T any](l []T, name func(T) string) []T {
	byName := func(a, b T) int { return compareText(name(a), name(b)) }
	if slices.IsSortedFunc(l, byName) {
		return l
	}
	return slices.SortedFunc(slices.Values(l), byName)
}

// touched reports whether the plan changes any replica of a workload.
func (m *maker) touched(w *work) bool {
	return slices.ContainsFunc(w.slots, func(s slot) bool { return !s.left && s.action != "" })
}

// notes completes what is said of images with which hosts get them.
func (m *maker) notes() {
	index := map[fleet.Image]int{}
	for _, n := range m.in.Images {
		index[n.Image] = len(m.plan.Images)
		m.plan.Images = append(m.plan.Images, n)
	}
	for i := range m.list {
		s := &m.list[i]
		if s.Kind != KindPull && s.Kind != KindSend {
			continue
		}
		pin := m.work(fleet.WorkloadName(s.Addr.Name())).want.Spec.Image
		k, ok := index[pin]
		if !ok {
			k = len(m.plan.Images)
			index[pin] = k
			m.plan.Images = append(m.plan.Images, ImageNote{Image: pin})
		}
		if n := &m.plan.Images[k]; s.Kind == KindPull {
			n.Pull = append(n.Pull, s.Host)
		} else {
			n.Send = append(n.Send, s.Host)
		}
	}
	for i := range m.plan.Images {
		slices.Sort(m.plan.Images[i].Pull)
		slices.Sort(m.plan.Images[i].Send)
	}
}

// specs collects the specs that steps and changes name, and the secrets that the steps need.
func (m *maker) specs() {
	sealed := map[fleet.Fingerprint]bool{}
	opened := map[fleet.Revision]bool{}
	for i := range m.list {
		s := &m.list[i]
		if s.Instance == nil || opened[s.Instance.Revision] && s.Kind != KindWriteFiles {
			continue
		}
		spec := m.specOf(s.Instance)
		m.plan.Specs[s.Instance.Revision] = spec
		opened[s.Instance.Revision] = opened[s.Instance.Revision] || s.Kind == KindRun
		for _, f := range spec.Files {
			sealed[f.Content.Sealed] = true
		}
		if s.Kind == KindRun {
			for _, t := range spec.Env {
				sealed[t.Sealed] = true
			}
		}
	}
	for i := range m.plan.Changes {
		c := &m.plan.Changes[i]
		for _, r := range [2]fleet.Revision{c.Before, c.After} {
			if _, ok := m.plan.Specs[r]; ok || r == "" {
				continue
			}
			if sp, ok := m.snap.Specs[r]; ok {
				m.plan.Specs[r] = sp
			} else if rep, ok := c.Addr.Replica(); ok {
				if w := m.byName[rep.Workload]; w != nil && w.want != nil && w.rev == r {
					m.plan.Specs[r] = w.want.Spec
				}
			}
		}
	}
	delete(sealed, "")
	m.plan.Sealed = slices.Sorted(maps.Keys(sealed))
}

// skipped lists the hosts that did not answer and matter.
func (m *maker) skipped() {
	holds := map[fleet.HostName]bool{}
	for i := range m.in.Inventory.Slots {
		if h := &m.in.Inventory.Slots[i]; h.Presence != Vacant {
			holds[h.Host] = true
			holds[recordedOn(h)] = true
		}
	}
	for _, v := range m.snap.Volumes {
		holds[v.Host] = true
	}
	for _, n := range m.snap.Networks {
		holds[n.Host] = true
	}
	for _, d := range m.snap.Debts {
		holds[d.Host] = true
	}
	for _, n := range m.hostNames() {
		if h := m.hosts[n]; !h.known() && !h.lost && (h.declared || holds[n]) {
			slices.Sort(h.owed)
			m.plan.Skipped = append(m.plan.Skipped, Skipped{Host: n, Why: h.why, Owed: slices.Compact(h.owed)})
		}
	}
}

// recordedOn is the host where the record has a slot's container.
func recordedOn(h *Holding) fleet.HostName {
	if h.Record == nil || h.Record.Container == "" {
		return ""
	}
	return h.Record.Host
}

// planHosts lists every host that a step goes to, and those no longer declared that still hold something.
func (m *maker) planHosts() {
	need := map[fleet.HostName]bool{}
	for i := range m.list {
		if s := &m.list[i]; s.Host != "" && s.Kind != KindRecord {
			need[s.Host] = true
		}
	}
	for _, n := range m.hostNames() {
		if h := m.hosts[n]; need[n] || h.recorded && !h.declared && h.stays {
			m.plan.Hosts = append(m.plan.Hosts, h.Host)
		}
	}
}
