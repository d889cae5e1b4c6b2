package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/stowage-run/stowage/apply"
	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/reconcile"
	"github.com/stowage-run/stowage/state"
)

// quarantined refuses to apply what has failed before and has not changed. What is being taken back is not refused: to finish that
// is what an apply is for then, as it is where something else is to be done for the workload, such as to remove what the release
// left on a host that was silent while it was taken back.
func quarantined(p *plan.Plan) error {
	var list diag.List
	for _, h := range p.Held {
		if h.Status != state.RolloutTaken && h.Status != state.RolloutHalted || touches(p, h.Workload) {
			continue
		}
		d := diag.Diagnostic{Code: diag.CodeQuarantined, Summary: fmt.Sprintf("The change of workload.%s has failed before", h.Workload),
			Detail: fmt.Sprintf("In release %d: %s.", h.Release, h.Why), Affected: "Nothing was changed.",
			Remedy: fmt.Sprintf("Change the workload.\nstowage apply -force                       to try the same again\nstowage apply -exclude=workload.%s   to apply the rest", h.Workload)}
		if h.Good > 0 {
			d.Detail += fmt.Sprintf(" It was taken back to release %d, and has not changed since.", h.Good)
		}
		list = append(list, d)
	}
	return list.Err()
}

// afterRollouts takes back what did not become healthy, and says how that went. status is what the apply itself ended with.
func (s *session) afterRollouts(ctx context.Context, p *plan.Plan, e errand, r *apply.Report, status error) error {
	back, err := s.pass(nil).WayBack(ctx, e.wanted, r)
	if err != nil {
		return s.halt(ctx, e, r, err)
	}
	if back == nil {
		s.printDiagnostics(haltedRollouts(r))
		if takenBack(r) {
			return exitStatus(exitTakenBack)
		}
		return status
	}
	if !e.flags.asJSON {
		head := "Taking back what did not become healthy:"
		if !goesBack(back) {
			head = "What is to be done when a rollout has failed:"
		}
		fmt.Fprintf(s.out, "\n%s\n", s.color().bold(head))
	}
	if err := s.showPlan(back, jsonOrText(e.flags.asJSON)); err != nil {
		return err
	}
	view := newProgress(s, back, e.flags.asJSON)
	report, err := s.pass(view.event).Apply(ctx, back, e.wanted.Vault, e.lock, reconcile.ApplyOptions{
		Stop: s.stop, PerHost: e.flags.parallelism, AllowUnreachable: true, Trigger: "taking back"})
	view.close()
	if report == nil {
		return err
	}
	if ended := s.showReport(ctx, back, e, report, err); err != nil {
		return ended
	}
	if !goesBack(back) { // it only ran hooks
		s.printDiagnostics(haltedRollouts(r))
		return status
	}
	s.printDiagnostics(failedRollouts(r, report))
	if takenBack(report) {
		return exitStatus(exitTakenBack)
	}
	return exitStatus(exitError)
}

// touches reports whether a plan changes anything of a workload.
func touches(p *plan.Plan, name fleet.WorkloadName) bool {
	return slices.ContainsFunc(p.Changes, func(c plan.Change) bool {
		id, ok := c.Addr.Replica()
		return ok && id.Workload == name
	})
}

// halt records that rollouts which have failed cannot be taken back, for no plan of the way back can be made: such as since nobody
// has the image any more. It takes a person, and who changes the workload is not kept by it.
func (s *session) halt(ctx context.Context, e errand, r *apply.Report, why error) error {
	var list *diag.ListError
	if !errors.As(why, &list) {
		return why // it could not be looked at: the next apply goes on with the way back
	}
	var changes state.Changes
	for i := range r.Rollouts {
		x := &r.Rollouts[i]
		if x.Status != state.RolloutBack {
			continue
		}
		x.Status, x.Changed = state.RolloutHalted, s.now().UTC()
		x.Why += fmt.Sprintf("; and there is no way back to release %d: %s", x.GoodRelease, lower(list.List[0].Summary))
		changes.PutRollout(x.Rollout)
	}
	txns, err := changes.Txn(e.lock.Epoch())
	if err != nil {
		return err
	}
	for _, t := range txns {
		if _, err := s.store.Commit(ctx, t); err != nil {
			return fmt.Errorf("record that there is no way back: %w", err)
		}
	}
	s.printDiagnostics(haltedRollouts(r))
	return why
}

// goesBack reports whether a plan takes any workload back.
func goesBack(p *plan.Plan) bool {
	return slices.ContainsFunc(p.Rollouts, func(r plan.Rollout) bool { return r.Back })
}

// takenBack reports whether a way back came to its end.
func takenBack(r *apply.Report) bool {
	for _, x := range r.Rollouts {
		if x.Status == state.RolloutTaken {
			return true
		}
	}
	return false
}

// failedRollouts says of each rollout that failed why, and what became of it.
func failedRollouts(forth, back *apply.Report) (list diag.List) {
	for _, r := range forth.Rollouts {
		if r.Err == nil {
			continue
		}
		d := rolloutDiagnostic(r)
		for _, b := range back.Rollouts {
			switch {
			case b.Workload != r.Workload:
			case b.Status == state.RolloutTaken:
				d.Detail += fmt.Sprintf("\nAll of it was taken back to release %d.", r.GoodRelease)
				d.Remedy = "Change it and apply, or: stowage apply -force   to try the same again"
			case b.Status == state.RolloutHalted:
				d.Code = diag.CodeHalted
				d.Detail += fmt.Sprintf("\nThe way back failed as well: %s. The workload is left as it is.", b.Why)
				d.Remedy = "stowage status"
			default:
				d.Detail += "\nIt is on its way back, and the next apply goes on with that."
				d.Remedy = "stowage apply"
			}
		}
		list = append(list, d)
	}
	return list
}

// haltedRollouts says which rollouts have failed and are not taken back.
func haltedRollouts(r *apply.Report) (list diag.List) {
	for _, x := range r.Rollouts {
		if x.Err == nil {
			continue
		}
		d := rolloutDiagnostic(x)
		switch x.Status {
		case state.RolloutTaken:
			d.Detail += "\nIt failed before anything was changed, and nothing was."
			d.Remedy = "Change it and apply, or: stowage apply -force   to try the same again"
		case state.RolloutPaused:
			d.Detail += "\nIt is paused as it is."
			d.Remedy = fmt.Sprintf("stowage resume %s   to go on\nstowage cancel %s   to go back", x.Workload, x.Workload)
		case state.RolloutHalted:
			d.Code = diag.CodeHalted
			d.Detail += "\nThere is nothing good that it could be taken back to. It is left as it is."
			d.Remedy = "Change it and apply, or: stowage apply -force   to try the same again"
		}
		list = append(list, d)
	}
	return list
}

// rolloutDiagnostic says why a rollout failed, with the last words of the replica that did.
func rolloutDiagnostic(r apply.RolloutEnd) diag.Diagnostic {
	d := diag.Diagnostic{Code: diag.CodeRollout, Summary: fmt.Sprintf("The rollout of workload.%s failed", r.Workload), Detail: r.Why + "."}
	var logs []string
	var sick *apply.UnhealthyError
	var ended *apply.NotRunningError
	var hook *apply.FailedError
	switch {
	case errors.As(r.Err, &hook):
		logs = hook.Logs
	case errors.As(r.Err, &sick):
		logs = sick.Logs
	case errors.As(r.Err, &ended):
		logs = ended.Logs
	}
	if len(logs) > 0 {
		d.Detail += "\nThe last lines of its output:\n  " + strings.Join(logs, "\n  ")
	}
	return d
}
