package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stowage-run/stowage/config"
	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/reconcile"
	"github.com/stowage-run/stowage/state"
)

// This file is what rollback, scale, restart and the commands that steer a rollout share: each makes a plan of what runs, rather
// than of what the configuration says by now, shows it, asks, and carries it out like apply does.

// addAsked defines the flags of a command that plans and asks, without those that shape a plan.
func (f *applyFlags) addAsked(a *app, cmd *cobra.Command) {
	f.variableFlags.add(cmd)
	f.refresh = true
	fs := cmd.Flags()
	fs.BoolVar(&f.autoApprove, "auto-approve", false, "do not ask")
	fs.BoolVar(&f.allowUnreachable, "allow-unreachable", false, "go on without hosts that do not answer, and record what is owed to them")
	fs.BoolVar(&f.asJSON, "json", false, "write one JSON object a line; wants -auto-approve")
	fs.IntVar(&f.parallelism, "parallelism", envInt(a, "STOWAGE_PARALLELISM"), "make at most `N` calls at once on one host (default 8)")
	fs.DurationVar(&f.lockTimeout, "lock-timeout", 0, "wait so long for the state's lock, such as 30s")
}

// alteration is a session that holds the lock, with what the configuration wants.
type alteration struct {
	*session
	own     reconcile.Wanted
	desired *config.Desired
	lock    state.Lock
	flags   *applyFlags
	words   string // the command line without flags, for remedies: "rollback 3"
}

// withAlteration takes the lock, evaluates the configuration and does what a command is for.
func (a *app) withAlteration(cmd *cobra.Command, f *applyFlags, words []string, do func(context.Context, *alteration) error) error {
	if f.asJSON && !f.autoApprove {
		return usageError(cmd, "-json cannot ask: give -auto-approve too")
	}
	if f.parallelism < 0 {
		return usageError(cmd, "-parallelism wants a number above 0")
	}
	ctx := cmd.Context()
	s, err := a.openSession(ctx, &f.variableFlags)
	if err != nil {
		return err
	}
	defer s.close()
	lock, err := s.lock(ctx, cmd.Name(), f.lockTimeout)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	w, d, err := s.wanted(ctx)
	if err != nil {
		return err
	}
	c := &alteration{session: s, own: w, desired: d, lock: lock, flags: f, words: strings.Join(append([]string{cmd.Name()}, words...), " ")}
	return c.worded(do(ctx, c))
}

// run plans what is wanted, shows the plan, asks and carries it out. done is false where there was nothing to do.
func (c *alteration) run(ctx context.Context, w reconcile.Wanted, o reconcile.Options, commit string) (done bool, err error) {
	p, err := c.planForApply(ctx, w, o, c.flags)
	if err != nil || p == nil {
		return false, err
	}
	desired := *c.desired
	desired.Fleet = w.Fleet
	trigger, _, _ := strings.Cut(c.words, " ")
	return true, c.carryOut(ctx, p, errand{wanted: w, desired: &desired, lock: c.lock, flags: c.flags, trigger: trigger, commit: commit})
}

// worded makes the remedies of an error name this command where they would name apply.
func (c *alteration) worded(err error) error {
	list, ok := diag.From(err)
	if !ok || errors.Is(err, state.ErrLocked) {
		return err
	}
	list = slices.Clone(list)
	for i := range list {
		for _, flag := range []string{"-allow-unreachable", "-auto-approve"} {
			list[i].Remedy = strings.ReplaceAll(list[i].Remedy, "stowage apply "+flag, "stowage "+c.words+" "+flag)
		}
		if trigger, _, _ := strings.Cut(c.words, " "); list[i].Code == diag.CodeQuarantined && trigger == "rollback" {
			list[i].Remedy = "stowage history    to choose another release"
		}
		if list[i].Code == diag.CodeDeletionBudget {
			list[i].Remedy = "stowage " + c.words + "    without -auto-approve, to be asked\nstowage { deletion_budget = \"100%\" }"
		}
		if list[i].Code == diag.CodeNotApproved {
			list[i].Remedy, _, _ = strings.Cut(list[i].Remedy, "\n") // saving the plan is for apply alone
		}
	}
	return list.Err()
}

// applied is what the latest release wants, for a change of what runs as it is.
func (c *alteration) applied(ctx context.Context) (reconcile.Wanted, state.Release, error) {
	w, r, err := c.pass(nil).Applied(ctx, c.own)
	if errors.Is(err, reconcile.ErrNothingApplied) {
		err = diag.Diagnostic{Code: diag.CodeNoSuch, Summary: "There is no release yet",
			Detail: capital(err.Error()) + ", so nothing runs that could be changed.", Remedy: "stowage apply", Affected: "Nothing was changed."}
	}
	return w, r, err
}

// findWorkload returns the workload that a person means by "web" or "workload.web", among those of a fleet.
func findWorkload(f *fleet.Fleet, arg string) (*fleet.Workload, error) {
	name := fleet.WorkloadName(strings.TrimPrefix(strings.TrimPrefix(arg, "workload."), "job."))
	var have []string
	for i := range f.Workloads {
		if f.Workloads[i].Name == name {
			return &f.Workloads[i], nil
		}
		have = append(have, string(f.Workloads[i].Name))
	}
	d := diag.Diagnostic{Code: diag.CodeNoSuch, Summary: "No such workload",
		Detail: "Nothing of the name " + string(name) + " was applied.", Remedy: "stowage status", Affected: "Nothing was changed."}
	if len(have) > 0 {
		slices.Sort(have)
		d.Detail += " There are: " + strings.Join(have, ", ") + "."
	}
	return nil, d
}
