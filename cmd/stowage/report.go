package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/stowage-run/stowage/apply"
	"github.com/stowage-run/stowage/config"
	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/state"
)

// printReport writes the last lines of an apply.
func (s *session) printReport(ctx context.Context, p *plan.Plan, r *apply.Report, d *config.Desired) {
	c := s.color()
	head := c.green("Apply complete!")
	switch r.Result {
	case state.PlanPartly:
		head = c.yellow("Applied in part.")
	case state.PlanFailed:
		head = c.red("Apply failed.")
	case state.PlanInterrupted:
		head = c.yellow("Apply interrupted.")
	}
	if p.Mode == plan.Destroy && r.Result == state.PlanDone {
		head = c.green("Destroy complete!")
	}
	n := r.Done
	var extra string
	for _, x := range []struct {
		n    int
		word string
	}{{n.Replace, "replaced"}, {n.Move, "moved"}, {n.Adopt, "adopted"}} {
		if x.n > 0 {
			extra += fmt.Sprintf("%d %s, ", x.n, x.word)
		}
	}
	fmt.Fprintf(s.out, "\n%s Resources: %s%d added, %d changed, %d destroyed.\n", c.bold(head), extra, n.Add, n.Change, n.Destroy)
	for _, debt := range r.Debts {
		fmt.Fprintf(s.out, "Owed to %s, which could not be asked (%s):\n", debt.Host, debt.Why)
		for _, line := range debt.Steps {
			fmt.Fprintf(s.out, "  %s\n", line)
		}
	}
	if kept := s.keptVolumes(ctx); p.Mode == plan.Destroy && len(kept) > 0 {
		fmt.Fprintf(s.out, "Kept, with their data: %s. 'stowage destroy -volumes' destroys them too.\n", strings.Join(kept, ", "))
	}
	if r.Result == state.PlanDone && p.Mode == plan.Normal {
		s.printOutputs(d)
	}
}

// keptVolumes names the volumes that a destroy left.
func (s *session) keptVolumes(ctx context.Context) []string {
	snap, err := s.recorded(ctx)
	if err != nil {
		return nil // the destroy itself is done; what it left is a line of comfort
	}
	var out []string
	for _, v := range snap.Volumes {
		out = append(out, fmt.Sprintf("%s (%s on %s)", fleet.VolumeAddr(v.Name), v.Engine, v.Host))
	}
	return out
}

// printOutputs writes the outputs after an apply.
func (s *session) printOutputs(d *config.Desired) {
	if len(d.Fleet.Outputs) == 0 {
		return
	}
	fmt.Fprintf(s.out, "\n%s\n\n", s.color().bold("Outputs:"))
	for _, o := range d.Fleet.Outputs {
		value := string(o.Value)
		switch {
		case o.Sensitive:
			value = "<sensitive>"
		case o.Unknown:
			value = "(not known)"
		}
		fmt.Fprintf(s.out, "%s = %s\n", o.Name, value)
	}
}

// mostFailures bounds how many failures are printed: after the first few they say the same.
const mostFailures = 8

// failureDiagnostics turns the failed and unknown steps of an apply into messages.
func failureDiagnostics(r *apply.Report) diag.List {
	var list diag.List
	for _, f := range r.Failures {
		if !toldWithRollout(r, f) {
			list = append(list, failureDiagnostic(f))
		}
	}
	for _, f := range r.Unknown {
		list = append(list, diag.Diagnostic{Code: diag.CodeStepUnknown, Summary: "Nobody knows whether a step took effect",
			Detail: fmt.Sprintf("%s of %s on host %s: %v.\nThe state keeps a note of it, and the next plan looks at how it ended.", f.Step.Kind, f.Step.Addr, f.Step.Host, f.Err),
			Remedy: "stowage apply"})
	}
	if n := len(list) - mostFailures; n > 0 {
		list = append(list[:mostFailures], diag.Diagnostic{Code: diag.CodeStepFailed, Summary: fmt.Sprintf("And %d more", n)})
	}
	if r.Result == state.PlanInterrupted {
		list = append(list, diag.Diagnostic{Code: diag.CodeInterrupted, Summary: "The apply was interrupted",
			Detail: "What was in flight was finished and recorded; the rest was not begun.", Remedy: "stowage apply",
			Affected: fmt.Sprintf("%d steps were done, %d were not.", r.Steps, len(r.Skipped))})
	}
	return list
}

// toldWithRollout reports whether a failure is told with its rollout's: several replicas of a batch fail alike, and that is told
// once, with what became of it.
func toldWithRollout(r *apply.Report, f apply.Failure) bool {
	var sick *apply.UnhealthyError
	var ended *apply.NotRunningError
	var hook *apply.FailedError
	id, ok := f.Step.Addr.Replica()
	for _, x := range r.Rollouts {
		if x.Err != nil && (errors.Is(f.Err, x.Err) || ok && id.Workload == x.Workload && (errors.As(f.Err, &sick) || errors.As(f.Err, &ended) || errors.As(f.Err, &hook))) {
			return true
		}
	}
	return false
}

// failureDiagnostic is one failed step.
func failureDiagnostic(f apply.Failure) diag.Diagnostic {
	d := errorDiagnostic(f.Err)
	where := fmt.Sprintf("%s of %s on host %q.", capital(string(f.Step.Kind)), f.Step.Addr, f.Step.Host)
	var notRunning *apply.NotRunningError
	if errors.As(f.Err, &notRunning) {
		d = diag.Diagnostic{Code: diag.CodeNotRunning, Summary: "A container ended as soon as it was started", Detail: capital(f.Err.Error()) + "."}
		if len(notRunning.Logs) > 0 {
			d.Detail += "\nThe last lines of its output:\n  " + strings.Join(notRunning.Logs, "\n  ")
		}
		d.Remedy = fmt.Sprintf("stowage logs %s", f.Step.Addr.Name())
	}
	var failed *apply.FailedError
	if errors.As(f.Err, &failed) {
		d = diag.Diagnostic{Code: diag.CodeJobFailed, Summary: fmt.Sprintf("%s failed", f.Step.Addr), Detail: capital(f.Err.Error()) + ".",
			Remedy: fmt.Sprintf("stowage logs %s\nstowage apply   to run it again, once it can succeed", f.Step.Addr.Name())}
		if len(failed.Logs) > 0 {
			d.Detail += "\nThe last lines of its output:\n  " + strings.Join(failed.Logs, "\n  ")
		}
	}
	if d.Code == diag.CodeInternal {
		d.Code, d.Summary = diag.CodeStepFailed, "A step failed"
	}
	d.Detail = where + "\n" + d.Detail
	return d
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func pid() int { return os.Getpid() }

// envInt reads a number from the environment; 0 where there is none.
func envInt(a *app, name string) int {
	n, err := strconv.Atoi(a.env(name))
	if err != nil {
		return 0
	}
	return n
}
