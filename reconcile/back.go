package reconcile

import (
	"context"

	"github.com/stowage-run/stowage/apply"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/state"
)

// WayBack makes the plan that takes back the rollouts which a report says have failed, and runs their hooks for that, and does
// nothing else; nil where none has a way back, or such a hook. What it takes them back to stands in the record, so that the next pass finds the same way after a process that was killed.
func (p *Pass) WayBack(ctx context.Context, w Wanted, rep *apply.Report) (*plan.Plan, error) {
	var targets []fleet.Addr
	for _, r := range rep.Rollouts {
		if r.Status == state.RolloutBack || r.Due() != nil {
			targets = append(targets, fleet.WorkloadAddr(r.Workload))
		}
	}
	if targets == nil {
		return nil, nil
	}
	w.Checks = nil // what was good before is not refused now
	return p.Plan(ctx, w, Options{Targets: targets})
}

// Back returns the workloads of a plan that are being taken back: their change has failed, and a run was cut off on the way.
func Back(p *plan.Plan) (names []fleet.WorkloadName) {
	for _, h := range p.Held {
		if h.Status == state.RolloutBack {
			names = append(names, h.Workload)
		}
	}
	return names
}
