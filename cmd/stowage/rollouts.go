package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/reconcile"
	"github.com/stowage-run/stowage/state"
)

// A rollout is steered by changing its record, from which the next plan is made.

// steering is one of the commands that steer a rollout.
type steering struct {
	verb, short, long string
	from              []state.RolloutStatus
	to                state.RolloutStatus
}

// steerings are the commands, in the order of the help.
func steerings() []steering {
	const exits = `

Exit status: 0 done; 1 error; 3 partly done: the rest is owed to hosts that did not answer
(-allow-unreachable); 4 it did not become healthy, and was taken back; 5 the state is locked by somebody else.`
	return []steering{
		{
			verb: "pause", short: "Hold a rollout where it is",
			long: `Holds a rollout that was cut off, or whose canaries wait, where it is: until 'resume' or 'cancel' the workload is left
as it stands by every plan. One that an apply carries out at this moment is stopped by Ctrl-C there.`,
			from: []state.RolloutStatus{state.RolloutRunning, state.RolloutCanary}, to: state.RolloutPaused,
		},
		{
			verb: "resume", short: "Go on with a rollout that is paused",
			long: `Plans the rest of a paused rollout, asks, and carries it out.` + exits,
			from: []state.RolloutStatus{state.RolloutPaused}, to: state.RolloutRunning,
		},
		{
			verb: "promote", short: "Let the others follow the canaries",
			long: `Plans the rest of a rollout whose canaries are healthy and wait, asks, and carries it out.` + exits,
			from: []state.RolloutStatus{state.RolloutCanary}, to: state.RolloutRunning,
		},
		{
			verb: "cancel", short: "Take a rollout back",
			long: `Plans the way back to what was good before the rollout, asks, and carries it out. What was cancelled is not tried
again before it changes, or with 'stowage apply -force'.

Exit status: 0 taken back; 1 error; 3 partly done: the rest is owed to hosts that did not answer
(-allow-unreachable); 5 the state is locked by somebody else.`,
			from: []state.RolloutStatus{state.RolloutRunning, state.RolloutCanary, state.RolloutPaused}, to: state.RolloutBack,
		},
	}
}

// newSteerings makes the commands pause, resume, promote and cancel.
func newSteerings(a *app) (cmds []*cobra.Command) {
	for _, st := range steerings() {
		var f applyFlags
		cmd := &cobra.Command{
			Use: st.verb + " [flags] WORKLOAD", Short: st.short, Long: st.long,
			Args: args(1, 1, "a workload, such as web"),
		}
		cmd.RunE = func(cmd *cobra.Command, words []string) error {
			return a.withAlteration(cmd, &f, words, func(ctx context.Context, c *alteration) error { return c.steer(ctx, st, words[0]) })
		}
		if st.to == state.RolloutPaused { // it plans nothing
			f.variableFlags.add(cmd)
			cmd.Flags().DurationVar(&f.lockTimeout, "lock-timeout", 0, "wait so long for the state's lock, such as 30s")
		} else {
			f.addAsked(a, cmd)
		}
		cmds = append(cmds, cmd)
	}
	return cmds
}

// steer changes the record of a workload's rollout, and makes and carries out the plan that follows from it. Where that plan is
// refused, by a person or because it cannot be, the record becomes again what it was. A process that is killed in between leaves a
// rollout that the next apply carries out as it was meant.
func (c *alteration) steer(ctx context.Context, st steering, arg string) error {
	w, r, err := c.applied(ctx)
	if err != nil {
		return err
	}
	work, err := findWorkload(w.Fleet, arg)
	if err != nil {
		return err
	}
	snap, err := c.recorded(ctx)
	if err != nil {
		return err
	}
	old, known := snap.Rollouts[work.Name]
	if err := st.refusal(work.Name, old, known); err != nil {
		return err
	}
	turned := old
	turned.Status, turned.Changed = st.to, c.now().UTC()
	turned.Promoted = old.Promoted || st.verb == "promote"
	turned.Why = st.reason(old)
	if err := c.putRollout(ctx, snap, turned); err != nil {
		return err
	}
	if st.to == state.RolloutPaused {
		fmt.Fprintf(c.out, "The rollout of %s in release %d is paused.\n  stowage resume %s    goes on\n  stowage cancel %s    goes back\n",
			work.Addr(), old.Release, work.Name, work.Name)
		return nil
	}
	c.flags.records = true
	_, err = c.run(ctx, w, reconcile.Options{Targets: []fleet.Addr{work.Addr()}}, r.Commit)
	if err == nil {
		return nil
	}
	if undone := c.putBack(ctx, snap, old, turned); undone != nil {
		return errors.Join(err, undone)
	}
	var status exitStatus
	if st.to == state.RolloutBack && errors.As(err, &status) && status == exitTakenBack {
		return nil // which is what was asked for
	}
	return err
}

// reason is why a rollout is where it is now: who has put it there, and what was the matter before.
func (st steering) reason(old state.Rollout) string {
	var said string
	switch st.to {
	case state.RolloutPaused:
		said = "it was paused by " + who()
	case state.RolloutBack:
		said = "it was cancelled by " + who()
	default:
		return ""
	}
	if old.Why != "" {
		said += "; before that: " + old.Why
	}
	return said
}

// putRollout writes a rollout's record, if it is still the one in the snapshot.
func (c *alteration) putRollout(ctx context.Context, snap *state.Snapshot, r state.Rollout) error {
	var changes state.Changes
	changes.PutRollout(r)
	k := state.RolloutKey(r.Workload)
	txns, err := changes.Txn(c.lock.Epoch(), state.Condition{Key: k, Serial: snap.Serials[k]})
	if err != nil {
		return err
	}
	for _, t := range txns {
		if _, err := c.store.Commit(ctx, t); err != nil {
			return fmt.Errorf("record the rollout of %s: %w", r.Workload, err)
		}
	}
	return nil
}

// putBack restores a rollout's record where no plan has begun since it was changed.
func (c *alteration) putBack(ctx context.Context, before *state.Snapshot, old, turned state.Rollout) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second) // also of one who has interrupted
	defer cancel()
	snap, err := c.recorded(ctx)
	if err != nil {
		return err
	}
	now := snap.Rollouts[old.Workload]
	if snap.Serials[state.LatestKey()] != before.Serials[state.LatestKey()] || now.Status != turned.Status || !now.Changed.Equal(turned.Changed) {
		return nil
	}
	return c.putRollout(ctx, snap, old)
}

// refusal says why a rollout cannot be steered so; nil: it can.
func (st steering) refusal(name fleet.WorkloadName, r state.Rollout, known bool) error {
	d := diag.Diagnostic{Code: diag.CodeNoRollout, Summary: fmt.Sprintf("workload.%s has no rollout under way", name),
		Remedy: "stowage status", Affected: "Nothing was changed."}
	for _, from := range st.from {
		if known && r.Status == from && (st.to != state.RolloutBack || r.Good != nil) {
			return nil
		}
	}
	is := func(what string) { d.Summary = fmt.Sprintf("The rollout of workload.%s %s", name, what) }
	switch {
	case !known:
		d.Detail = "None is recorded of it."
	case r.Status == state.RolloutDone:
		d.Detail = fmt.Sprintf("The last one was done in release %d.", r.Release)
		if st.verb == "cancel" {
			d.Remedy = "stowage rollback"
		}
	case r.Status == state.RolloutTaken:
		d.Detail = fmt.Sprintf("The last one, of release %d, was taken back to release %d: %s.", r.Release, r.GoodRelease, r.Why)
		d.Remedy = "Change the workload, or: stowage apply -force   to try the same again"
	case r.Status == state.RolloutHalted:
		is("is halted")
		d.Detail = fmt.Sprintf("That of release %d has failed, and so has the way back, or there is none: %s.", r.Release, r.Why)
		d.Remedy = "Change the workload, or: stowage apply -force   to try the same again"
	case r.Status == state.RolloutBack:
		is("is being taken back already")
		d.Detail = fmt.Sprintf("That of release %d goes back to release %d: %s.", r.Release, r.GoodRelease, r.Why)
		d.Remedy = "stowage apply    goes on with that"
	case st.verb == "cancel":
		is("has nothing to go back to")
		d.Detail = fmt.Sprintf("Nothing before release %d was good.", r.Release)
		d.Remedy = fmt.Sprintf("Change the workload and apply, or: stowage destroy -target=workload.%s", name)
	case r.Status == state.RolloutPaused:
		is("is paused")
		d.Detail = fmt.Sprintf("That of release %d waits: %s.", r.Release, r.Why)
		d.Remedy = fmt.Sprintf("stowage resume %s", name)
	case r.Status == state.RolloutCanary:
		is("waits for a promotion")
		d.Detail = fmt.Sprintf("It is not paused: the canaries of release %d are healthy, and the others wait for them to be promoted.", r.Release)
		d.Remedy = fmt.Sprintf("stowage promote %s", name)
	default:
		is("was cut off")
		d.Detail = fmt.Sprintf("That of release %d is neither paused, nor waits for a promotion.", r.Release)
		d.Remedy = "stowage apply    goes on with it"
	}
	return d
}
