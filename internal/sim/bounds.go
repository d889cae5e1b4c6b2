package sim

import (
	"slices"

	"github.com/stowage-run/stowage/fleet"
)

// bounds is what the policies that are in force for a workload allow: the present one, and those before it that may still be on
// their way or be gone back to. It is read from the language's documentation and not from the planner.
type bounds struct {
	least, most int // replicas wanted
	unavailable int
	surge       int
	single      bool // never two of a slot
	set         bool
}

// allow widens the bounds by what a workload allows. moves says that replicas may have to leave their hosts.
func (b *bounds) allow(w *fleet.Workload, moves, restarts bool) {
	n, u := w.Replicas, w.Update
	if !b.set {
		b.least, b.most, b.set, b.single = n, n, true, w.Exclusive
	}
	b.least, b.most, b.single = min(b.least, n), max(b.most, n), b.single && w.Exclusive
	unavailable, surge := u.MaxUnavailable.Floor(n), u.MaxSurge.Ceil(n)
	volume := slices.ContainsFunc(w.Spec.Mounts, func(m fleet.Mount) bool { return m.Kind == fleet.MountVolume && !m.ReadOnly })
	fixed := slices.ContainsFunc(w.Spec.Ports, func(p fleet.Port) bool { return p.Policy == fleet.PortFixed })
	switch {
	case u.Strategy == fleet.UpdateRecreate:
		unavailable, surge = n, 0
	case u.Strategy == fleet.UpdateBlueGreen && u.Order == fleet.StartFirst && !w.Exclusive && !volume && !fixed:
		surge = n
	case u.Strategy == fleet.UpdateBlueGreen:
		unavailable, surge = max(unavailable, 1), 0
	case u.Order != fleet.StartFirst, surge == 0, w.Exclusive, volume, fixed:
		unavailable, surge = max(unavailable, 1), 0
	}
	if moves && !w.Exclusive && !volume {
		surge = max(surge, u.MaxSurge.Ceil(n), 1)
		if u.Strategy == fleet.UpdateBlueGreen {
			surge = n
		}
	}
	if u.OnFailure == fleet.FailureContinue {
		unavailable = n // who goes on all the same has said so
	}
	if restarts {
		unavailable = max(unavailable, min(n, 1)) // limits that are half changed are replaced on their port, one at a time
	}
	b.unavailable, b.surge = max(b.unavailable, unavailable), max(b.surge, surge)
}

// expect says that a fleet is about to be applied.
func (w *watch) expect(f *fleet.Fleet) {
	for i := range f.Workloads {
		x := &f.Workloads[i]
		if w.bounds[x.Name] == nil {
			w.bounds[x.Name] = &bounds{}
		}
		w.bounds[x.Name].allow(x, w.moves, w.limits)
		if r, ok := w.ledger.rollouts[x.Name]; ok && r.Good != nil {
			w.bounds[x.Name].allow(r.Good, w.moves, w.limits)
		}
	}
}
