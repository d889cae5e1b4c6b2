package plan

import (
	"fmt"
	"slices"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// index makes what a host has findable by name.
func (h *host) index() {
	if h.volumes != nil || h.obs == nil {
		return
	}
	h.volumes = make(map[string]*fleet.ObservedVolume, len(h.obs.Volumes))
	for i := range h.obs.Volumes {
		h.volumes[h.obs.Volumes[i].Name] = &h.obs.Volumes[i]
	}
	h.networks = make(map[string]*fleet.ObservedNetwork, len(h.obs.Networks))
	for i := range h.obs.Networks {
		h.networks[h.obs.Networks[i].Name] = &h.obs.Networks[i]
	}
	h.volumeStep, h.networkStep, h.imageStep = map[string]int{}, map[string]int{}, map[string]int{}
}

// holdsName reports whether a container that is not ours has the name.
func (h *host) holdsName(name string) bool {
	return h.obs != nil && slices.ContainsFunc(h.obs.Foreign, func(f fleet.ForeignContainer) bool { return f.Name == name })
}

// networksFor returns the steps that make the networks which a workload's replica needs on a host.
func (m *maker) networksFor(h *host, w *work) []int {
	if w.want == nil {
		return nil
	}
	var out []int
	for _, n := range w.want.Spec.Networks {
		if s := m.network(h, w, n); s >= 0 {
			out = append(out, s)
		}
	}
	return out
}

// declaredNetwork finds the declared name of a network on a host.
func (m *maker) declaredNetwork(w *work, engine string) fleet.NetworkName {
	for _, n := range w.want.Spec.Networks {
		if w.networks[string(n)] == engine {
			return n
		}
	}
	return ""
}

// network returns the step that makes a network on a host; -1 where it is there.
func (m *maker) network(h *host, w *work, n fleet.NetworkName) int {
	h.index()
	engine := w.networks[string(n)]
	if s, ok := h.networkStep[engine]; ok {
		return s
	}
	rec := state.Network{Name: n, Host: h.Name, Engine: engine, Driver: m.networkDriver(n)}
	recorded := m.recorded[objectKey{"network", h.Name, engine}]
	seen := h.networks[engine]
	step, action, reason := -1, Create, ""
	addr := fleet.NetworkAddr(n)
	switch {
	case seen != nil && seen.Fleet != m.plan.Fleet:
		m.stranger("network", engine, h, addr)
	case seen != nil && recorded:
		m.sameDriver(addr, h, rec.Driver, seen.Driver)
	case seen != nil:
		action, reason = Adopt, "found on "+string(h.Name)
		rec.Driver = seen.Driver
		m.add(Step{Kind: KindRecord, Host: h.Name, Addr: addr, Reason: reason, Record: Record{PutNetwork: &rec}})
	default:
		reason = "needed by " + string(w.addr)
		if recorded {
			reason = "is gone from " + string(h.Name)
			m.plan.Drift = append(m.plan.Drift, Drift{Addr: addr, Host: h.Name, What: "removed", Will: "be made again"})
		}
		step = m.add(Step{
			Kind: KindCreateNetwork, Host: h.Name, Addr: addr, Reason: reason,
			Network: &Network{Name: n, Engine: engine, Driver: rec.Driver}, Record: Record{PutNetwork: &rec},
		})
	}
	h.networkStep[engine] = step
	if reason != "" {
		m.object(addr, action, reason, h.Name, len(m.list)-1)
	}
	return step
}

func (m *maker) networkDriver(n fleet.NetworkName) string {
	for _, d := range m.in.Desired.Networks {
		if d.Name == n {
			return d.Driver
		}
	}
	return ""
}

// object notes a change of a network or volume, which one step carries out.
func (m *maker) object(addr fleet.Addr, a Action, reason string, h fleet.HostName, step int) {
	m.plan.Changes = append(m.plan.Changes, Change{Addr: addr, Action: a, Reason: reason, Host: h, Steps: []int{step}})
}

// volumesFor returns the steps that make the volumes which a replica mounts, and notes their names in its instance,
// if there is one.
func (m *maker) volumesFor(h *host, s *slot, inst *fleet.Instance) []int {
	var out []int
	for _, mt := range s.work.want.Spec.Mounts {
		if mt.Kind != fleet.MountVolume {
			continue
		}
		v := m.declaredVolume(mt.Volume)
		engine := fleet.VolumeOn(m.plan.Name, v, s.id)
		if inst != nil {
			if inst.Volumes == nil {
				inst.Volumes = map[string]string{}
			}
			inst.Volumes[mt.Target] = engine
		}
		if n := m.volume(h, s, v, engine); n >= 0 {
			out = append(out, n)
		}
	}
	return out
}

func (m *maker) declaredVolume(n fleet.VolumeName) fleet.Volume {
	for _, v := range m.in.Desired.Volumes {
		if v.Name == n {
			return v
		}
	}
	return fleet.Volume{Name: n}
}

// volume returns the step that makes a volume on a host; -1 where it is there.
func (m *maker) volume(h *host, s *slot, v fleet.Volume, engine string) int {
	h.index()
	if n, ok := h.volumeStep[engine]; ok {
		return n
	}
	rec := state.Volume{Name: v.Name, Host: h.Name, Engine: engine, Driver: v.Driver, PreventDestroy: v.PreventDestroy}
	if v.PerReplica {
		rec.Replica = &s.id
	}
	recorded := m.recorded[objectKey{"volume", h.Name, engine}]
	seen := h.volumes[engine]
	step, action, reason := -1, Create, ""
	addr := fleet.VolumeAddr(v.Name)
	switch {
	case seen != nil && seen.Fleet != m.plan.Fleet:
		m.stranger("volume", engine, h, addr)
	case seen != nil && recorded:
		m.sameDriver(addr, h, v.Driver, seen.Driver)
	case seen != nil:
		action, reason = Adopt, "found on "+string(h.Name)
		rec.Driver = seen.Driver
		m.add(Step{Kind: KindRecord, Host: h.Name, Addr: addr, Reason: reason, Record: Record{PutVolume: &rec}})
	default:
		reason = "needed by " + string(s.addr())
		if recorded {
			reason = "is gone from " + string(h.Name)
			m.plan.Drift = append(m.plan.Drift, Drift{Addr: addr, Host: h.Name, What: "removed, and its data with it", Will: "be made again, empty"})
		}
		step = m.add(Step{
			Kind: KindCreateVolume, Host: h.Name, Addr: addr, Reason: reason,
			Volume: &Volume{Declared: v, Engine: engine, Replica: rec.Replica}, Record: Record{PutVolume: &rec},
		})
	}
	h.volumeStep[engine] = step
	if reason != "" {
		m.object(addr, action, reason, h.Name, len(m.list)-1)
	}
	return step
}

// stranger reports that somebody else's object has the name of one of ours.
func (m *maker) stranger(what, name string, h *host, wanted fleet.Addr) {
	m.diags = append(m.diags, diag.Diagnostic{
		Code:    diag.CodeNameTaken,
		Summary: "A stranger has the name",
		Detail: fmt.Sprintf("%s needs the %s %q on %s, and one that is not this fleet's is there. What is not ours is never touched.",
			wanted, what, name, h.Name),
		Remedy:   fmt.Sprintf("docker %s inspect %s   on %s, to see whose it is; remove or rename it, or give this fleet another name", what, name, h.Name),
		Affected: "Nothing was changed.",
	})
}

// sameDriver refuses to change what a network or volume is made of: there is no way that keeps what is in it.
func (m *maker) sameDriver(addr fleet.Addr, h *host, want, have string) {
	if want == "" || have == "" || want == have {
		return
	}
	m.diags = append(m.diags, diag.Diagnostic{
		Code:    diag.CodeNotYet,
		Summary: "Changing a driver is not supported yet",
		Detail:  fmt.Sprintf("%s has the driver %q on %s and should have %q.", addr, have, h.Name, want),
		Remedy:  fmt.Sprintf("Set driver = %q again, or declare another one under a new name and move the workloads to it.", have),
	})
}

// nameTaken reports a stranger's container that has the name of one of ours to be.
func (m *maker) nameTaken(h *host, s *slot, g fleet.Generation) {
	if len(h.obs.Foreign) == 0 {
		return // the usual case, and a name costs
	}
	if name := fleet.ContainerName(m.plan.Name, s.id, g); h.holdsName(name) {
		m.stranger("container", name, h, s.addr())
	}
}
