package reconcile

import (
	"slices"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
)

// frozen returns the workloads that a plan with targets does not touch: their replicas stay where they are, and the
// others are placed around them. A workload of which only some replicas are targets is not frozen: the plan
// takes from its placement what it may.
func frozen(f *fleet.Fleet, inv *plan.Inventory, o Options) map[fleet.WorkloadName]bool {
	if len(o.Targets) == 0 && len(o.Excludes) == 0 {
		return nil
	}
	in := map[fleet.WorkloadName]bool{} // known workloads, and whether they take part
	for _, w := range f.Workloads {
		in[w.Name] = true
	}
	for i := range inv.Slots {
		in[inv.Slots[i].Replica.Workload] = true
	}
	for n := range in {
		a := fleet.WorkloadAddr(n)
		touched := func(t fleet.Addr) bool { return t.Covers(a) || a.Covers(t) }
		covered := func(t fleet.Addr) bool { return t.Covers(a) }
		in[n] = (len(o.Targets) == 0 || slices.ContainsFunc(o.Targets, touched)) && !slices.ContainsFunc(o.Excludes, covered)
	}
	spread(f, in, len(o.Targets) > 0)
	out := map[fleet.WorkloadName]bool{}
	for n, yes := range in {
		if !yes {
			out[n] = true
		}
	}
	return out
}

// spread follows dependencies until nothing changes: with targets, what a target depends on takes part;
// without, what depends on something that is excluded does not.
func spread(f *fleet.Fleet, in map[fleet.WorkloadName]bool, targets bool) {
	for changed := true; changed; {
		changed = false
		for _, w := range f.Workloads {
			for _, d := range w.DependsOn {
				n := fleet.WorkloadName(d.Name())
				yes, known := in[n]
				switch {
				case d.Kind() != fleet.KindWorkload || !known || yes == in[w.Name]:
				case targets && in[w.Name]:
					in[n], changed = true, true
				case !targets && !yes:
					in[w.Name], changed = false, true
				}
			}
		}
	}
}
