package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/internal/sim/bug"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/state"
)

// A rollout is a matter of record. It is written before the first step, again at the first failure of one of the workload's
// steps, and when all of them are done; whoever makes the next plan reads from it whether to go on, to go back or to wait.

// addRollouts records the rollouts that the plan begins or goes on with, before its first step.
func (r *run) addRollouts(c *state.Changes) {
	now := r.job.Now().UTC()
	for i := range r.job.Plan.Rollouts {
		ro := &r.job.Plan.Rollouts[i]
		if ro.To == "" {
			continue
		}
		rec := state.Rollout{
			Workload: ro.Workload, Release: r.job.Plan.Release, To: ro.To, Status: state.RolloutRunning, Started: now,
			Good: ro.Good, GoodRelease: ro.GoodRelease,
		}
		for k := range r.job.Plan.Desired.Workloads {
			if w := &r.job.Plan.Desired.Workloads[k]; w.Name == ro.Workload && w.Hook(fleet.HookOnFailure) != nil {
				rec.New = w
			}
		}
		if old, ok := r.snap.Rollouts[ro.Workload]; ok && ro.Goes {
			rec = old
		}
		rec.Changed = now
		c.PutRollout(rec)
		r.rollouts[ro.Workload] = &rollout{Rollout: rec, plan: ro, progress: time.Now()}
	}
}

// rollout is one that is under way.
type rollout struct {
	state.Rollout
	plan   *plan.Rollout
	failed error     // the first failure
	proven []witness // who has passed a gate in this run

	progress time.Time // when the last one did, or the rollout began
}

// rolloutOf returns the rollout that a step belongs to, or nil.
func (r *run) rolloutOf(s *plan.Step) *rollout {
	if id, ok := s.Addr.Replica(); ok {
		return r.rollouts[id.Workload]
	}
	return r.rollouts[fleet.WorkloadName(s.Addr.Name())]
}

// fails notes that a step of a rollout has failed: from now on the record says what is to become of it. What was interrupted
// has not failed, and goes on when somebody looks again.
func (r *run) fails(ctx context.Context, s *plan.Step, o *outcome) {
	ro := r.rolloutOf(s)
	if ro == nil || ctx.Err() != nil || errors.Is(o.err, ErrInterrupted) || r.write.Err() != nil {
		return
	}
	r.mu.Lock()
	first := ro.failed == nil
	if first {
		ro.failed = o.err
		ro.Status, ro.Why, ro.Changed, ro.Failed = afterFailure(ro), fmt.Sprintf("%s: %v", s.Addr, o.err), r.job.Now().UTC(), true
	}
	var c state.Changes
	if first && r.changedNothing(s, ro) {
		r.unmade(&c, ro)
	}
	rec := ro.Rollout
	r.mu.Unlock()
	if !first {
		return
	}
	c.PutRollout(rec)
	if err := r.write.Commit(ctx, c); err != nil {
		o.err = errors.Join(o.err, fmt.Errorf("record that the rollout of %s has failed: %w", ro.Workload, err))
	}
}

// afterFailure is what a rollout becomes when it fails. There is one way back, and no way back from that.
func afterFailure(ro *rollout) state.RolloutStatus {
	switch {
	case ro.plan.Back:
		return state.RolloutHalted
	case ro.plan.OnFailure == fleet.FailurePause || ro.plan.OnFailure == fleet.FailureContinue:
		return state.RolloutPaused
	case ro.Good == nil:
		return state.RolloutHalted
	}
	return state.RolloutBack
}

// endRollouts records the rollouts of which every step is done, and reports all.
func (r *run) endRollouts(c *state.Changes, rep *Report) {
	undone := map[*rollout]bool{}
	for _, f := range slices.Concat(rep.Failures, rep.Unknown) {
		undone[r.rolloutOf(&f.Step)] = true
	}
	for _, s := range rep.Skipped {
		undone[r.rolloutOf(&s.Step)] = true
	}
	for i := range r.job.Plan.Rollouts {
		ro := r.rollouts[r.job.Plan.Rollouts[i].Workload]
		if ro == nil {
			continue
		}
		if !undone[ro] && ro.failed == nil {
			ro.Status = whenDone(ro.plan)
			ro.Changed = r.job.Now().UTC()
			if ro.Status == state.RolloutDone {
				ro.Good, ro.GoodRelease, ro.New, ro.Ran = nil, 0, nil, nil
			}
			c.PutRollout(ro.Rollout)
		}
		rep.Rollouts = append(rep.Rollouts, RolloutEnd{Rollout: ro.Rollout, Err: ro.failed})
	}
}

// whenDone is what a rollout is when all of its steps are done.
func whenDone(p *plan.Rollout) state.RolloutStatus {
	switch {
	case bug.DoneEarly:
	case p.Partial && p.Back:
		return state.RolloutBack
	case p.Partial:
		return state.RolloutRunning
	case p.Back:
		return state.RolloutTaken
	case p.Canaries:
		return state.RolloutCanary
	}
	return state.RolloutDone
}

// tolerated reports whether a new container that does not run is let pass: with on_failure = "continue" the rest is updated all
// the same.
func (r *run) tolerated(s *plan.Step, o *outcome) bool {
	ro := r.rolloutOf(s)
	var ended *NotRunningError
	return o.kind == EventFailed && o.id != "" && ro != nil && ro.plan.OnFailure == fleet.FailureContinue && errors.As(o.err, &ended)
}
