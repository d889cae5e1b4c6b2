package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/stowage-run/stowage/apply"
	"github.com/stowage-run/stowage/config"
	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/reconcile"
	"github.com/stowage-run/stowage/state"
)

// applyFlags are the flags of apply and destroy beyond those of a plan.
type applyFlags struct {
	planningFlags
	autoApprove      bool
	allowUnreachable bool
	force            bool
	asJSON           bool
	records          bool // also a plan that changes nothing is carried out, for what it records
	parallelism      int
	lockTimeout      time.Duration
}

func (f *applyFlags) addTo(a *app, cmd *cobra.Command, modes bool) {
	f.add(cmd, modes)
	fs := cmd.Flags()
	fs.BoolVar(&f.autoApprove, "auto-approve", false, "do not ask")
	fs.BoolVar(&f.allowUnreachable, "allow-unreachable", false, "go on without hosts that do not answer, and record what is owed to them")
	if modes {
		fs.BoolVar(&f.force, "force", false, "try again what has failed and has not changed since")
	}
	fs.BoolVar(&f.asJSON, "json", false, "write one JSON object a line; wants -auto-approve or a saved plan")
	fs.IntVar(&f.parallelism, "parallelism", envInt(a, "STOWAGE_PARALLELISM"), "make at most `N` calls at once on one host (default 8)")
	fs.DurationVar(&f.lockTimeout, "lock-timeout", 0, "wait so long for the state's lock, such as 30s")
}

func newApply(a *app) *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply [flags] [FILE]",
		Short: "Make it so",
		Long: `Plans, asks, and carries the plan out. With FILE, a plan saved by 'stowage plan
-out=FILE', exactly that plan is carried out, once, without asking.

Exit status: 0 done; 1 error; 3 partly applied: the rest is owed to hosts that did
not answer (-allow-unreachable); 4 a change did not become healthy and was taken
back; 5 the state is locked by somebody else.`,
		Args: args(0, 1, "at most one saved plan"),
		RunE: func(cmd *cobra.Command, files []string) error {
			file := ""
			if len(files) == 1 {
				file = files[0]
			}
			return a.runApply(cmd, &f, file)
		},
	}
	f.addTo(a, cmd, true)
	return cmd
}

func newDestroy(a *app) *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "destroy [flags]",
		Short: "Remove everything of this fleet",
		Long: `Removes every replica and network of this fleet: 'stowage apply -destroy'.
Volumes and their data are kept unless -volumes is given. What is not this fleet's is not touched.`,
		Args: args(0, 0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.destroy = true
			return a.runApply(cmd, &f, "")
		},
	}
	f.addTo(a, cmd, false)
	return cmd
}

// runApply is apply and destroy.
func (a *app) runApply(cmd *cobra.Command, f *applyFlags, file string) error {
	o, err := f.options(cmd)
	if err != nil {
		return err
	}
	if err := f.check(cmd, file); err != nil {
		return err
	}
	ctx := cmd.Context()
	if err := f.takeFrom(file); err != nil {
		return err
	}
	s, err := a.openSession(ctx, &f.variableFlags)
	if err != nil {
		return err
	}
	defer s.close()
	o.Force = f.force
	lock, err := s.lock(ctx, cmd.Name(), f.lockTimeout)
	if err != nil {
		return err
	}
	defer lock.Unlock()

	w, d, err := s.wanted(ctx)
	if err != nil {
		return err
	}
	var p *plan.Plan
	if file != "" {
		p, err = s.readPlan(cmd, file)
	} else {
		p, err = s.planForApply(ctx, w, o, f)
	}
	if err != nil || p == nil {
		return err
	}
	return s.carryOut(ctx, p, errand{wanted: w, desired: d, lock: lock, flags: f, trigger: cmd.Name()})
}

// check refuses flags that do not fit together.
func (f *applyFlags) check(cmd *cobra.Command, file string) error {
	switch {
	case file != "" && (f.destroy || f.refreshOnly || !f.refresh || f.volumes || len(f.targets)+len(f.excludes)+len(f.replaces) > 0):
		return usageError(cmd, "a saved plan is carried out as it is: -destroy, -refresh-only, -target and the like belong to 'stowage plan'")
	case f.asJSON && file == "" && !f.autoApprove:
		return usageError(cmd, "-json cannot ask: give -auto-approve or a saved plan too")
	case f.parallelism < 0:
		return usageError(cmd, "-parallelism wants a number above 0")
	}
	return nil
}

// planForApply plans, shows the plan and asks. The plan is nil where there is nothing to do.
func (s *session) planForApply(ctx context.Context, w reconcile.Wanted, o reconcile.Options, f *applyFlags) (*plan.Plan, error) {
	p, quiet, err := s.planned(ctx, w, o)
	if err != nil {
		return nil, err
	}
	if err := s.showPlan(p, jsonOrText(f.asJSON)); err != nil {
		return nil, err
	}
	if err := quarantined(p); err != nil {
		return nil, err
	}
	if p.Empty() && len(p.Skipped) == 0 && (f.records || len(p.Ended) > 0 || s.owes(ctx)) {
		return p, nil // what was owed is settled, and an override or a rollout ends: applying nothing records that
	}
	if len(p.Skipped) > 0 && !f.allowUnreachable { // even where nothing is to be done: nobody knows whether that is so
		return nil, s.unreachable(p, quiet.errs, quiet.hosts)
	}
	if p.Empty() {
		if !f.asJSON {
			fmt.Fprintf(s.out, "\n%s\n", s.color().bold(s.color().green("Apply complete! Nothing to change.")))
		}
		return nil, nil
	}
	if !f.autoApprove {
		if err := s.approve(question(p)); err != nil {
			return nil, err
		}
	}
	return p, s.consent(ctx, p, f.autoApprove)
}

// question is what a person is asked before a plan is carried out.
func question(p *plan.Plan) (ask, detail string) {
	if p.Mode == plan.Destroy {
		return fmt.Sprintf("Do you really want to destroy everything of fleet %q?", p.Name),
			"Stowage will destroy all that is shown above. There is no undo."
	}
	return "Do you want to perform these actions?", "Stowage will perform the actions described above."
}

// unreachable says that an apply does not begin while hosts are silent, and what is the matter with each.
func (s *session) unreachable(p *plan.Plan, silent map[fleet.HostName]error, hosts int) error {
	const goOn = "stowage apply -allow-unreachable    to do the rest now and record what is owed"
	var list diag.List
	for _, h := range p.Skipped {
		d := diag.Diagnostic{Code: diag.CodeUnreachable, Summary: fmt.Sprintf("Host %q could not be asked", h.Host), Detail: h.Why}
		if err := silent[h.Host]; err != nil {
			d = errorDiagnostic(err)
		}
		s.point(&d, h.Host)
		if d.Remedy = strings.TrimSpace(d.Remedy + "\n" + goOn); d.Code == diag.CodeHostKeyChanged {
			d.Remedy = strings.TrimSuffix(d.Remedy, "\n"+goOn) // first it has to be known who that is
		}
		d.Affected = fmt.Sprintf("%d of %d hosts affected; nothing was changed.", len(p.Skipped), hosts)
		list = append(list, d)
	}
	return list.Err()
}

// lock takes the state's lock, saying so where that takes a while.
func (s *session) lock(ctx context.Context, operation string, wait time.Duration) (state.Lock, error) {
	h := state.Holder{ID: uuid.NewString(), Who: who(), PID: pid(), Operation: operation, Since: s.now().UTC(), Version: version()}
	const patience = 400 * time.Millisecond // Terraform's: shorter waits are not worth a line
	l, err := s.store.Lock(ctx, h, min(wait, patience))
	if errors.Is(err, state.ErrLocked) && wait > patience {
		fmt.Fprintln(s.err, "Acquiring state lock. This may take a few moments...")
		l, err = s.store.Lock(ctx, h, wait-patience)
	}
	return l, err
}

// errand is what a plan is carried out for, and how.
type errand struct {
	wanted  reconcile.Wanted
	desired *config.Desired
	lock    state.Lock
	flags   *applyFlags
	trigger string
	commit  string // that what is wanted is of; empty: the directory's
}

// carryOut applies a plan and says what came of it.
func (s *session) carryOut(ctx context.Context, p *plan.Plan, e errand) error {
	if p.Config != "" && p.Config != e.wanted.Config {
		return staleConfig()
	}
	if e.commit == "" {
		e.commit = gitCommit(ctx, s.dir)
	}
	view := newProgress(s, p, e.flags.asJSON)
	s.graceful.Store(true)
	defer s.graceful.Store(false)
	report, err := s.pass(view.event).Apply(ctx, p, e.wanted.Vault, e.lock, reconcile.ApplyOptions{
		Stop: s.stop, PerHost: e.flags.parallelism, AllowUnreachable: e.flags.allowUnreachable, Trigger: e.trigger, Commit: e.commit})
	view.close()
	if report == nil {
		return err
	}
	status := s.showReport(ctx, p, e, report, err)
	if err != nil {
		return status
	}
	return s.afterRollouts(ctx, p, e, report, status)
}

// staleConfig refuses a saved plan of another configuration.
func staleConfig() error {
	return diag.Diagnostic{Code: diag.CodeStalePlan, Summary: "Saved plan is stale",
		Detail: "The configuration, or the value of a variable or secret, is no longer what the plan was made from.",
		Remedy: "stowage plan -out=FILE", Affected: "Nothing was changed."}
}

// gitCommit is the commit of the configuration's directory, for the record; empty where it is in no repository.
func gitCommit(ctx context.Context, dir string) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "git", "-C", dir, "rev-parse", "HEAD").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// showReport prints how an apply ended and returns its exit status.
func (s *session) showReport(ctx context.Context, p *plan.Plan, e errand, r *apply.Report, err error) error {
	if e.flags.asJSON {
		if unread := newJSONStream(s.out, s.now).report(r); err == nil {
			err = unread
		}
	} else {
		s.printReport(ctx, p, r, e.desired)
	}
	s.printDiagnostics(failureDiagnostics(r))
	switch {
	case err != nil:
		return err
	case r.Result == state.PlanPartly:
		return exitStatus(exitPartly)
	case r.Result != state.PlanDone:
		return exitStatus(exitError)
	}
	return nil
}
