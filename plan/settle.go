package plan

import (
	"cmp"
	"slices"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// Settle gives a slot back to a container that was there before a rollout which was cut off: while it still runs, the one that the
// rollout has put beside it is recorded and not proven, and that one is not of what is wanted now. To make a third one of them would
// take a healthy replica down for one that nobody has seen healthy, and have three of a slot at once. What loses its slot is left
// over. f is what is wanted, with what was good in the place of what has failed.
func (v *Inventory) Settle(f *fleet.Fleet, s *state.Snapshot) {
	wanted := map[fleet.WorkloadName]fleet.Revision{}
	for i := range f.Workloads {
		w := &f.Workloads[i]
		if r, ok := s.Rollouts[w.Name]; ok && r.Status != state.RolloutDone {
			wanted[w.Name] = w.Spec.Digest()
		}
	}
	if len(wanted) == 0 {
		return
	}
	var left []Leftover
	for i := len(v.Leftovers) - 1; i >= 0; i-- { // of a slot's, the latest first
		l := v.Leftovers[i]
		h := v.Slot(l.Container.Identity.Replica)
		to, ok := wanted[l.Container.Identity.Replica.Workload]
		if !ok || h == nil || !h.gives(l, to) {
			left = append(left, l)
			continue
		}
		if h.Container != nil {
			left = append(left, Leftover{h.Host, h.Container})
		}
		h.Presence, h.Host, h.Container = Seen, l.Host, l.Container
		v.keepIntents(l)
	}
	slices.SortFunc(left, compareLeftovers)
	v.Leftovers = left
}

// keepIntents has the intents to stop and remove a container stay until it is recorded again: until then nothing else says that it
// is there.
func (v *Inventory) keepIntents(l Leftover) {
	for i := range v.Intents {
		x := &v.Intents[i]
		if x.Container == nil && x.Intent.Host == l.Host && x.Intent.Object == l.Container.Name {
			x.Container = l.Container
		}
	}
}

// gives reports whether what fills a slot gives way to a container that was there before it.
func (h *Holding) gives(l Leftover, wanted fleet.Revision) bool {
	r := h.Record
	return r != nil && r.Container != "" && !r.Proven && r.Revision != wanted && (h.Presence == Gone || h.Presence == Seen && h.Recorded()) &&
		l.Container.Phase == fleet.PhaseRunning && l.Container.Identity.Generation < r.Generation
}

func compareLeftovers(a, b Leftover) int {
	return cmp.Or(a.Container.Identity.Replica.Compare(b.Container.Identity.Replica),
		cmp.Compare(a.Container.Identity.Generation, b.Container.Identity.Generation),
		cmp.Compare(a.Host, b.Host), cmp.Compare(a.Container.ID, b.Container.ID))
}
