package plan

import (
	"slices"

	"github.com/stowage-run/stowage/fleet"
)

// Surging returns the slots whose next container is to start on its host while the present one still runs, as far as that can be
// known before they are placed. Their automatic host ports have to be given anew: the present ones are taken until then.
func Surging(in Input) map[fleet.ReplicaID]bool {
	out := map[fleet.ReplicaID]bool{}
	m := &maker{in: &in, opt: &in.Options, snap: in.Snapshot, judge: Docker(), plan: &Plan{}, deltas: map[[2]fleet.Revision]*delta{}}
	if m.opt.Judge != nil {
		m.judge = *m.opt.Judge
	}
	works := map[fleet.WorkloadName]*work{}
	for i := range in.Desired.Workloads {
		w := &in.Desired.Workloads[i]
		if surges(w) {
			works[w.Name] = &work{name: w.Name, addr: fleet.WorkloadAddr(w.Name), want: w, rev: w.Spec.Digest()}
		}
	}
	if len(works) == 0 {
		return out
	}
	for i := range in.Inventory.Slots {
		h := &in.Inventory.Slots[i]
		w := works[h.Replica.Workload]
		if w == nil || h.Presence != Seen || h.Revision() == w.rev || h.Revision() == Changing {
			continue
		}
		if d := m.delta(h.Revision(), w); d != nil && d.replaces {
			out[h.Replica] = true
		}
	}
	return out
}

// surges reports whether a workload's replicas are replaced start-first and have automatic host ports.
func surges(w *fleet.Workload) bool {
	p := policyOf(w, max(1, w.Replicas))
	return p.Order == fleet.StartFirst && p.surge > 0 && !overlapForbidden(w) && w.Spec.NetworkMode != "host" &&
		slices.ContainsFunc(w.Spec.Ports, func(p fleet.Port) bool { return p.Policy == fleet.PortAuto }) &&
		!slices.ContainsFunc(w.Spec.Ports, func(p fleet.Port) bool { return p.Policy == fleet.PortFixed })
}
