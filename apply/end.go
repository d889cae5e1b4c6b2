package apply

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/state"
)

const (
	endWait   = 10 * time.Second // for the last records, also of one who leaves in a hurry
	maxErrors = 20               // in a plan's record
	maxOwed   = 100              // lines in a debt
)

// result is how the plan ended.
func (r *run) result(ctx context.Context, rep *Report) state.PlanResult {
	if ctx.Err() != nil && len(rep.Skipped)+len(rep.Failures)+len(rep.Unknown) > 0 {
		return state.PlanInterrupted
	}
	for _, s := range rep.Skipped {
		if s.Because == BecauseInterrupted || s.Because == BecauseLockLost {
			return state.PlanInterrupted
		}
	}
	owed := len(r.owed(rep)) > 0
	for _, f := range slices.Concat(rep.Failures, rep.Unknown) {
		if r.isLost(f.Step.Host) == nil {
			return state.PlanFailed
		}
		owed = true
	}
	for _, s := range rep.Skipped {
		if s.Because == BecauseState {
			return state.PlanFailed
		}
	}
	switch {
	case !owed && len(rep.Skipped) == 0:
		return state.PlanDone
	case r.job.AllowUnreachable:
		return state.PlanPartly
	}
	return state.PlanFailed
}

// end records how the plan ended and clears away what nothing refers to any more.
func (r *run) end(ctx context.Context, rep *Report, record state.PlanRecord) error {
	if err := r.write.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWait)
	defer cancel()
	snap, err := state.Load(ctx, r.job.Store)
	if err != nil {
		return err
	}
	var c state.Changes
	record.Ended, record.Result = r.job.Now().UTC(), rep.Result
	for _, f := range slices.Concat(rep.Failures, rep.Unknown) {
		if len(record.Errors) < maxErrors {
			record.Errors = append(record.Errors, fmt.Sprintf("%s: %v", f.Step.Addr, f.Err))
		}
	}
	c.PutPlan(record)
	r.endRollouts(&c, rep)
	r.settleDebts(&c, rep, snap)
	if rep.Result == state.PlanDone || rep.Result == state.PlanPartly {
		r.recordOutputs(&c, rep)
	}
	r.clear(&c, snap)
	if err := r.write.Commit(ctx, c); err != nil {
		return fmt.Errorf("record the result of plan %s: %w", record.ID, err)
	}
	return nil
}

// recordOutputs records the declared outputs, and forgets the others.
func (r *run) recordOutputs(c *state.Changes, rep *Report) {
	rep.Outputs = r.job.Plan.Desired.Outputs
	for _, o := range closed(r.job.Plan.Desired).Outputs {
		c.PutOutput(o)
	}
	for _, o := range r.job.Plan.Outputs {
		if o.Action == plan.Delete {
			c.DeleteOutput(o.Name)
		}
	}
}

// clear forgets specs, workloads and hosts that nothing refers to any more.
func (r *run) clear(c *state.Changes, snap *state.Snapshot) {
	p := r.job.Plan
	specs := map[fleet.Revision]bool{}
	workloads := map[fleet.WorkloadName]bool{}
	hosts := map[fleet.HostName]bool{}
	for _, rep := range snap.Replicas {
		specs[rep.Revision] = true
		workloads[rep.Replica.Workload] = true
		hosts[rep.Host] = true
	}
	for _, in := range snap.Intents {
		specs[in.Revision] = true
		hosts[in.Host] = true
	}
	for _, v := range snap.Volumes {
		hosts[v.Host] = true
	}
	for _, n := range snap.Networks {
		hosts[n.Host] = true
	}
	for _, w := range p.Desired.Workloads {
		workloads[w.Name] = true
	}
	for _, h := range p.Desired.Hosts {
		hosts[h.Name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(snap.Workloads)) {
		if workloads[name] {
			specs[snap.Workloads[name].Spec.Digest()] = true
		} else {
			c.DeleteWorkload(name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(snap.Rollouts)) {
		if !workloads[name] {
			c.DeleteRollout(name)
		}
	}
	for _, rev := range slices.Sorted(maps.Keys(snap.Specs)) {
		if !specs[rev] {
			c.DeleteSpec(rev)
		}
	}
	for _, h := range slices.Sorted(maps.Keys(snap.Hosts)) {
		if !hosts[h] {
			c.DeleteHost(h)
		}
	}
}

// owed is what each host was not given: by plan, since it did not answer then, or because it went silent
// on the way.
func (r *run) owed(rep *Report) map[fleet.HostName]*state.Debt {
	debts := map[fleet.HostName]*state.Debt{}
	now := r.job.Now().UTC()
	for _, s := range r.job.Plan.Skipped {
		if len(s.Owed) > 0 {
			debts[s.Host] = &state.Debt{Host: s.Host, Why: s.Why, Since: now, Release: r.job.Plan.Release}
			for _, line := range s.Owed {
				owe(debts[s.Host], line)
			}
		}
	}
	var missed []plan.Step
	for _, f := range slices.Concat(rep.Failures, rep.Unknown) {
		missed = append(missed, f.Step)
	}
	for _, s := range rep.Skipped {
		missed = append(missed, s.Step)
	}
	slices.SortFunc(missed, func(a, b plan.Step) int { return a.ID - b.ID })
	for i := range missed {
		h := laneOf(&missed[i])
		why := r.isLost(h)
		if h == "" || why == nil {
			continue
		}
		if debts[h] == nil {
			debts[h] = &state.Debt{Host: h, Why: why.Error(), Since: now, Release: r.job.Plan.Release}
		}
		owe(debts[h], fmt.Sprintf("%s %s", missed[i].Kind, missed[i].Addr))
	}
	return debts
}

func owe(d *state.Debt, line string) {
	if len(d.Steps) == maxOwed {
		d.More++
		return
	}
	d.Steps = append(d.Steps, line)
}

// settleDebts records what is owed now. An older debt goes when the host answered and all that the plan had for it was done.
func (r *run) settleDebts(c *state.Changes, rep *Report, snap *state.Snapshot) {
	open := map[fleet.HostName]bool{}
	for _, s := range r.job.Plan.Skipped {
		open[s.Host] = true
	}
	for _, f := range slices.Concat(rep.Failures, rep.Unknown) {
		open[f.Step.Host] = true
	}
	for _, s := range rep.Skipped {
		open[s.Step.Host] = true
	}
	debts := r.owed(rep)
	for _, old := range snap.Debts {
		if d := debts[old.Host]; d != nil {
			d.Since = old.Since
		} else if !open[old.Host] {
			c.DeleteDebt(old.Host)
		}
	}
	for _, h := range slices.Sorted(maps.Keys(debts)) {
		rep.Debts = append(rep.Debts, *debts[h])
		c.PutDebt(*debts[h])
	}
}
