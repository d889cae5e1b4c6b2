package reconcile

import (
	"slices"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/schedule"
	"github.com/stowage-run/stowage/state"
)

// question is what the scheduler is told.
func question(in *plan.Input, frozen map[fleet.WorkloadName]bool, rebalance bool) schedule.Input {
	f, snap, view, inv := in.Desired, in.Snapshot, in.View, &in.Inventory
	q := schedule.Input{
		Fleet:   f,
		Current: make(map[fleet.ReplicaID]schedule.Current, len(inv.Slots)),
		Hosts:   make(map[fleet.HostName]schedule.HostFacts, len(view.Hosts)),
		Volumes: volumesOf(f, snap, view),
		Archs:   archsOf(f, in.Answers),
		Frozen:  frozen,

		Rebalance: rebalance,
	}
	if in.Options.Mode == plan.Destroy {
		bare := *f
		bare.Workloads = nil
		q.Fleet = &bare
	}
	done := plan.Completed(*in)
	if len(done) > 0 {
		bare := *q.Fleet
		bare.Workloads = slices.DeleteFunc(slices.Clone(bare.Workloads), func(w fleet.Workload) bool { return done[w.Name] })
		q.Fleet = &bare
	}
	for h, s := range view.Hosts {
		if s.Observation != nil {
			q.Hosts[h] = hostFacts(s.Observation, f)
		}
	}
	if w := in.Options.WhatIf; w != nil {
		for _, h := range w.Lost {
			q.Hosts[h] = schedule.HostFacts{Lost: true}
		}
	}
	l := ledger{snap: snap, view: view, volumes: q.Volumes}
	surging := plan.Surging(*in)
	for i := range inv.Slots {
		h := &inv.Slots[i]
		if _, hook := h.Replica.Slot.Hook(); hook || done[h.Replica.Workload] {
			continue // it takes up nothing, or not for long
		}
		if c, ok := l.current(h); ok {
			c.NewPorts = surging[h.Replica]
			q.Current[h.Replica] = c
		}
	}
	return q
}

// hostFacts is what a host says of itself, and what strangers hold on it.
func hostFacts(o *fleet.Observation, f *fleet.Fleet) schedule.HostFacts {
	e := o.Engine
	facts := schedule.HostFacts{
		Known: true, Capacity: e.Capacity, Arch: e.Arch, OS: e.OS, Engine: e.Kind, EngineVersion: e.Version,
	}
	for _, c := range o.Foreign {
		facts.Taken = append(facts.Taken, c.HostPorts...)
	}
	for i := range o.Containers {
		if c := &o.Containers[i]; c.PortTaken && c.Phase != fleet.PhaseRunning {
			facts.Taken = append(facts.Taken, autoPorts(c, f)...)
		}
	}
	return facts
}

// autoPorts are the host ports of a container that were chosen for it. Where it could not start for a port that
// something other than a container holds, nobody lists that port as taken, and without this the same one would be
// chosen for good. Fixed ports are left out: they can only be tried again.
func autoPorts(c *fleet.Container, f *fleet.Fleet) (taken []fleet.PublishedPort) {
	at := slices.IndexFunc(f.Workloads, func(w fleet.Workload) bool { return w.Name == c.Identity.Replica.Workload })
	if at < 0 {
		return nil
	}
	for _, p := range f.Workloads[at].Spec.Ports {
		for _, h := range c.HostPorts {
			if p.Policy == fleet.PortAuto && h.Container == p.Container && h.Protocol == p.Protocol {
				taken = append(taken, h)
			}
		}
	}
	return taken
}

// ledger answers what is recorded of slots. It remembers the latest workload and spec, which are large and the same
// for thousands of slots that come one after another.
type ledger struct {
	snap    *state.Snapshot
	view    fleet.View
	volumes map[schedule.VolumeKey][]fleet.HostName

	name     fleet.WorkloadName
	workload fleet.Workload // as applied
	applied  bool

	revision fleet.Revision
	spec     fleet.Spec
}

// current says where a slot stands. A container that is gone still holds its slot's place: its volumes
// and its ports are there. A slot that is vacant on a silent host may be filled elsewhere, as nothing of it is there.
func (l *ledger) current(h *plan.Holding) (schedule.Current, bool) {
	if n := h.Replica.Workload; n != l.name {
		l.name = n
		l.workload, l.applied = l.snap.Workloads[n]
	}
	c := schedule.Current{Host: h.Host, Holds: l.applied && holds(h, &l.workload, l.volumes), Reserve: l.workload.Reserve}
	if _, known := l.view.Known(h.Host); h.Presence == plan.Vacant && !known && !c.Holds || h.Host == "" {
		return c, false
	}
	if r := h.Revision(); r != l.revision {
		l.revision, l.spec = r, l.snap.Specs[r]
	}
	c.HostPorts = h.HostPorts(&l.spec)
	c.Unhealthy = h.Container != nil && (h.Container.Health == "unhealthy" || h.Container.Phase == fleet.PhaseRestarting)
	return c, true
}

// holds reports whether a volume that the slot has used is on its host.
func holds(h *plan.Holding, w *fleet.Workload, volumes map[schedule.VolumeKey][]fleet.HostName) bool {
	for _, m := range w.Spec.Mounts {
		if m.Kind != fleet.MountVolume {
			continue
		}
		for _, r := range []fleet.ReplicaID{{}, h.Replica} {
			if slices.Contains(volumes[schedule.VolumeKey{Volume: m.Volume, Replica: r}], h.Host) {
				return true
			}
		}
	}
	return false
}

// volumesOf says where volumes are already: as recorded, and those with our label that a run which was cut
// off has made and not recorded.
func volumesOf(f *fleet.Fleet, snap *state.Snapshot, view fleet.View) map[schedule.VolumeKey][]fleet.HostName {
	at := map[schedule.VolumeKey][]fleet.HostName{}
	add := func(k schedule.VolumeKey, h fleet.HostName) {
		if !slices.Contains(at[k], h) {
			at[k] = append(at[k], h)
		}
	}
	recorded := map[[2]string]bool{}
	for _, v := range snap.Volumes {
		k := schedule.VolumeKey{Volume: v.Name}
		if v.Replica != nil {
			k.Replica = *v.Replica
		}
		recorded[[2]string{string(v.Host), v.Engine}] = true
		add(k, v.Host)
	}
	var names map[string]schedule.VolumeKey
	for h, s := range view.Hosts {
		if s.Observation == nil {
			continue
		}
		for _, v := range s.Observation.Volumes {
			if v.Fleet != snap.Meta.ID || recorded[[2]string{string(h), v.Name}] {
				continue
			}
			if names == nil {
				names = volumeNames(f, snap.Meta.Name)
			}
			if k, ok := names[v.Name]; ok {
				add(k, h)
			}
		}
	}
	for _, hosts := range at {
		slices.Sort(hosts)
	}
	return at
}

// volumeNames gives what each volume's name on an engine stands for.
func volumeNames(f *fleet.Fleet, name fleet.Name) map[string]schedule.VolumeKey {
	names := map[string]schedule.VolumeKey{}
	for _, v := range f.Volumes {
		if !v.PerReplica {
			names[fleet.VolumeOn(name, v, fleet.ReplicaID{})] = schedule.VolumeKey{Volume: v.Name}
			continue
		}
		for _, w := range f.Workloads {
			if !slices.ContainsFunc(w.Spec.Mounts, func(m fleet.Mount) bool { return m.Volume == v.Name }) {
				continue
			}
			slots := w.Replicas
			if w.Mode == fleet.Global {
				slots = len(f.Hosts)
			}
			for i := range slots {
				r := fleet.ReplicaID{Workload: w.Name, Slot: fleet.Slot(i)}
				names[fleet.VolumeOn(name, v, r)] = schedule.VolumeKey{Volume: v.Name, Replica: r}
			}
		}
	}
	return names
}

// archsOf keeps a workload whose image exists on this machine only to hosts that can run it. What a
// registry has may be there for every architecture.
func archsOf(f *fleet.Fleet, a plan.Answers) map[fleet.WorkloadName][]string {
	archs := map[fleet.WorkloadName][]string{}
	for _, w := range f.Workloads {
		i := w.Spec.Image
		if l, ok := a.Local[i.Ref]; ok && i.Digest == "" && i.ID == l.ID && l.Arch != "" {
			archs[w.Name] = []string{l.Arch}
		}
	}
	return archs
}
