package plan

import (
	"fmt"
	"slices"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// markUse notes on which hosts containers of ours stay.
func (m *maker) markUse() {
	for i := range m.slots {
		s := &m.slots[i]
		if s.have == nil || s.have.Presence == Vacant || s.have.Presence == Gone || !s.left && s.action == Delete {
			if !s.left && s.action == Create {
				m.host(s.place.Host).stays = true
			}
			continue
		}
		if s.place != nil && !s.left {
			m.host(s.place.Host).stays = true
		}
		if s.action != Move || s.left {
			m.host(s.have.Host).stays = true
		}
	}
	for _, x := range m.in.Inventory.Leftovers {
		if !m.removes(m.slotOf(x.Container.Identity.Replica)) {
			m.host(x.Host).stays = true
		}
	}
}

// removes reports whether what is left over of a slot is removed. While nobody knows what fills a slot that is wanted,
// or the plan is not about it, it may be the one that serves. A slot that only waits for a promotion is known.
func (m *maker) removes(s *slot) bool {
	return s != nil && m.sel.slot(s) && !(s.left && s.wanted() && !s.waits)
}

// inUse returns, by host and name there, the networks that replicas use once the plan is carried out.
func (m *maker) inUse() map[[2]string]bool {
	used := map[[2]string]bool{}
	stays := func(h fleet.HostName, c *fleet.Container) {
		for _, n := range c.Networks {
			used[[2]string{string(h), n}] = true
		}
	}
	for _, x := range m.in.Inventory.Leftovers {
		if !m.removes(m.slotOf(x.Container.Identity.Replica)) {
			stays(x.Host, x.Container)
		}
	}
	for i := range m.slots {
		s := &m.slots[i]
		if c := s.container(); s.left && c != nil {
			stays(s.have.Host, c)
		}
		from := s.work.want
		if s.left || from == nil {
			from = s.work.old
		}
		on := fleet.HostName("")
		switch {
		case !s.left && (s.action == Delete || s.action == Forget):
			continue
		case s.place != nil && !s.left:
			on = s.place.Host
		case s.have != nil && s.have.Presence != Vacant:
			on = s.have.Host
		default:
			continue
		}
		if from == nil {
			from = s.work.want
		}
		if from == nil {
			used[[2]string{string(on), "*"}] = true // nobody knows what it uses
			continue
		}
		for _, n := range from.Spec.Networks {
			used[[2]string{string(on), fleet.NetworkOn(m.plan.Name, n)}] = true
		}
		if s.left && s.work.want != nil {
			for _, n := range s.work.want.Spec.Networks {
				used[[2]string{string(on), fleet.NetworkOn(m.plan.Name, n)}] = true
			}
		}
	}
	return used
}

// cleanNetworks removes the networks that nothing needs any more, after everything that was on them. With targets
// only those named go: what else is on a network is not looked at.
func (m *maker) cleanNetworks() {
	used := m.inUse()
	for _, n := range m.networks() {
		h := m.host(n.Host)
		addr := fleet.NetworkAddr(n.Name)
		if used[[2]string{string(n.Host), n.Engine}] || used[[2]string{string(n.Host), "*"}] || !m.sel.object(addr) {
			h.stays = true
			m.adoptNetwork(h, n, addr)
			continue
		}
		if !h.known() {
			h.stays = true
			m.owe(n.Host, "remove "+string(addr))
			continue
		}
		h.index()
		if seen := h.networks[n.Engine]; seen == nil || seen.Fleet != m.plan.Fleet {
			m.forgetObject(addr, n.Host, Record{DeleteNetwork: &n})
			continue
		}
		reason := "no replica on " + string(n.Host) + " needs it"
		if m.opt.Mode == Destroy {
			reason = "asked for with destroy"
		}
		step := m.add(Step{
			Kind: KindRemoveNetwork, Host: n.Host, Addr: addr, Reason: reason,
			Network: &Network{Name: n.Name, Engine: n.Engine, Driver: n.Driver}, Record: Record{DeleteNetwork: &n},
		}, h.removes...)
		m.object(addr, Delete, reason, n.Host, step)
	}
}

// adoptNetwork records a network of ours that is in use and that the record does not know.
func (m *maker) adoptNetwork(h *host, n state.Network, addr fleet.Addr) {
	h.index()
	_, done := h.networkStep[n.Engine]
	if done || !h.known() || m.recorded[objectKey{"network", n.Host, n.Engine}] || !m.sel.object(addr) {
		return
	}
	reason := "found on " + string(n.Host)
	m.object(addr, Adopt, reason, n.Host, m.add(Step{
		Kind: KindRecord, Host: n.Host, Addr: addr, Reason: reason, Record: Record{PutNetwork: &n},
	}))
}

// networks returns the networks that are recorded, and those of ours that are only seen, sorted by host and name.
func (m *maker) networks() []state.Network {
	out := slices.Clone(m.snap.Networks)
	for _, name := range m.hostNames() {
		h := m.hosts[name]
		if h.obs == nil {
			continue
		}
		for _, o := range h.obs.Networks {
			if o.Fleet == m.plan.Fleet && m.plan.Fleet != "" && !m.recorded[objectKey{"network", name, o.Name}] {
				out = append(out, state.Network{Name: fleet.NetworkName(o.Object.Name()), Host: name, Engine: o.Name, Driver: o.Driver})
			}
		}
	}
	slices.SortFunc(out, func(a, b state.Network) int {
		if c := compareText(a.Host, b.Host); c != 0 {
			return c
		}
		return compareText(a.Engine, b.Engine)
	})
	return out
}

// forgetObject drops the record of a network or volume that is no longer there and not needed.
func (m *maker) forgetObject(addr fleet.Addr, h fleet.HostName, r Record) {
	step := m.add(Step{Kind: KindRecord, Host: h, Addr: addr, Reason: "is gone from " + string(h), Record: r})
	m.object(addr, Forget, "is gone from "+string(h), h, step)
	m.plan.Drift = append(m.plan.Drift, Drift{Addr: addr, Host: h, What: "removed", Will: "be forgotten"})
}

// cleanVolumes deletes volumes where that was asked for in so many words, forgets those that are gone, and says
// which are kept though nobody declares them.
func (m *maker) cleanVolumes() {
	for _, v := range m.volumes() {
		h := m.host(v.Host)
		addr := fleet.VolumeAddr(v.Name)
		declared := m.declares(v.Name)
		h.index()
		_, needed := h.volumeStep[v.Engine]
		gone := h.known() && (h.volumes[v.Engine] == nil || h.volumes[v.Engine].Fleet != m.plan.Fleet)
		switch {
		case gone && !needed && m.recordedVolume(v) && m.sel.object(addr):
			m.forgetObject(addr, v.Host, Record{DeleteVolume: &v})
		case m.destroys(addr):
			m.removeVolume(h, v, addr)
		default:
			h.stays = true
			m.protect(h, v, addr)
			if !declared && m.opt.Mode == Normal && m.recordedVolume(v) {
				m.warn(diag.Diagnostic{
					Code:    diag.CodeVolumeKept,
					Summary: "A volume is kept though it is not declared",
					Detail:  fmt.Sprintf("%s is no longer in the configuration. Its volume %q on %s, and the data in it, stay until they are asked for by name.", addr, v.Engine, v.Host),
					Remedy:  fmt.Sprintf("stowage destroy -target=%s   to delete it and its data", addr),
				})
			}
		}
	}
}

// protect keeps the record of prevent_destroy as it is declared, so that it holds when the declaration is gone.
func (m *maker) protect(h *host, v state.Volume, addr fleet.Addr) {
	if !m.declares(v.Name) || m.opt.Mode != Normal || !m.recordedVolume(v) || !m.sel.object(addr) {
		return
	}
	to := m.declaredVolume(v.Name).PreventDestroy
	if v.PreventDestroy == to || h.volumeStep[v.Engine] > 0 {
		return
	}
	before, after := fmt.Sprint(v.PreventDestroy), fmt.Sprint(to)
	v.PreventDestroy = to
	const reason = "prevent_destroy changed"
	step := m.add(Step{Kind: KindRecord, Host: v.Host, Addr: addr, Reason: reason, Record: Record{PutVolume: &v}})
	m.plan.Changes = append(m.plan.Changes, Change{
		Addr: addr, Action: Update, Reason: reason, Host: v.Host, Steps: []int{step},
		Diff: []Difference{{Path: "prevent_destroy", Before: &before, After: &after}},
	})
}

// destroys reports whether a volume is to be deleted: with -destroy -volumes, or named as a target of it.
func (m *maker) destroys(addr fleet.Addr) bool {
	return m.opt.Mode == Destroy && m.sel.object(addr) && (m.opt.Volumes || m.sel.targets[addr])
}

func (m *maker) removeVolume(h *host, v state.Volume, addr fleet.Addr) {
	protected := v.PreventDestroy
	if m.declares(v.Name) {
		protected = m.declaredVolume(v.Name).PreventDestroy
	}
	switch {
	case protected:
		h.stays = true
		m.diags = append(m.diags, diag.Diagnostic{
			Code:    diag.CodePreventDestroy,
			Summary: "A volume is protected from being destroyed",
			Detail:  fmt.Sprintf("%s (%q on %s) says prevent_destroy, and the plan would delete it and its data.", addr, v.Engine, v.Host),
			Remedy:  "Leave out -volumes, or set prevent_destroy = false in its declaration.",
		})
	case !h.known():
		h.stays = true
		m.owe(v.Host, "delete "+string(addr))
	default:
		step := m.add(Step{
			Kind: KindRemoveVolume, Host: v.Host, Addr: addr, Reason: "asked for with destroy, data included",
			Volume: &Volume{Declared: fleet.Volume{Name: v.Name, Driver: v.Driver, PerReplica: v.Replica != nil}, Engine: v.Engine, Replica: v.Replica},
			Record: Record{DeleteVolume: &v},
		}, h.removes...)
		m.object(addr, Delete, "asked for with destroy, data included", v.Host, step)
	}
}

func (m *maker) declares(n fleet.VolumeName) bool {
	return slices.ContainsFunc(m.in.Desired.Volumes, func(v fleet.Volume) bool { return v.Name == n })
}

func (m *maker) recordedVolume(v state.Volume) bool {
	return m.recorded[objectKey{"volume", v.Host, v.Engine}]
}

// volumes returns the volumes that are recorded, and those of ours that are only seen, sorted by host and name.
func (m *maker) volumes() []state.Volume {
	out := slices.Clone(m.snap.Volumes)
	for _, name := range m.hostNames() {
		h := m.hosts[name]
		if h.obs == nil || m.plan.Fleet == "" {
			continue
		}
		for _, o := range h.obs.Volumes {
			v := state.Volume{Name: fleet.VolumeName(o.Object.Name()), Host: name, Engine: o.Name, Driver: o.Driver}
			if o.Fleet == m.plan.Fleet && !m.recordedVolume(v) {
				out = append(out, v)
			}
		}
	}
	slices.SortFunc(out, func(a, b state.Volume) int {
		if c := compareText(a.Host, b.Host); c != 0 {
			return c
		}
		return compareText(a.Engine, b.Engine)
	})
	return out
}
