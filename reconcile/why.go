package reconcile

import (
	"context"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/schedule"
	"github.com/stowage-run/stowage/state"
)

// Explanation is why a replica is where it is, or nowhere.
type Explanation struct {
	fleet.Why
	Record *state.Replica // what is recorded of it; nil: nothing
	Waits  bool           // for room that replicas of higher priority hold
}

// Why explains the places of a workload's replicas, by slot: of the one asked for, or of all where slot is negative. It looks
// at the hosts as Plan does and changes nothing. Nothing is returned for what is not wanted.
func (p *Pass) Why(ctx context.Context, w Wanted, o Options, name fleet.WorkloadName, slot fleet.Slot) ([]Explanation, error) {
	in, question, err := p.weigh(ctx, w, o)
	if err != nil {
		return nil, err
	}
	standing := schedule.Stand(question)
	a := standing.Assignment()
	waits := map[fleet.ReplicaID]bool{}
	var wanted []fleet.ReplicaID
	note := func(r fleet.ReplicaID) {
		if r.Workload == name && (slot < 0 || r.Slot == slot) {
			wanted = append(wanted, r)
		}
	}
	for _, x := range a.Placed {
		note(x.Replica)
	}
	for _, x := range a.Refused {
		for _, s := range x.Slots {
			r := fleet.ReplicaID{Workload: x.Workload, Slot: s}
			waits[r] = x.Outranked
			note(r)
		}
	}
	var out []Explanation
	for _, r := range wanted {
		why, ok := standing.Why(r)
		if !ok {
			continue
		}
		e := Explanation{Why: why, Waits: waits[r]}
		if rec, ok := in.Snapshot.Replicas[r]; ok {
			e.Record = &rec
		}
		out = append(out, e)
	}
	return out, nil
}
