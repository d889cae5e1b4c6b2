package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/internal/plaintext"
	"github.com/stowage-run/stowage/state"
)

func newShow(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show [flags] [FILE|RELEASE|PLAN]",
		Short: "Show a saved plan, a release, or the record",
		Long: `Without an argument: what is recorded. With the name of a file: the plan saved in it.
With a number: that release. With the id of a plan, or how it begins: what came of it.`,
		Args: args(0, 1, "at most one saved plan, release or plan id"),
		RunE: func(cmd *cobra.Command, names []string) error {
			if len(names) == 1 {
				if err := a.vars.takeFrom(names[0]); err != nil {
					return err
				}
			}
			s, err := a.openSession(cmd.Context(), &a.vars)
			if err != nil {
				return err
			}
			defer s.close()
			if len(names) == 0 {
				return s.showRecord(cmd, asJSON)
			}
			if _, err := os.Stat(names[0]); err == nil {
				return s.showSaved(cmd, names[0], asJSON)
			}
			if n, err := strconv.Atoi(names[0]); err == nil {
				return s.showRelease(cmd, fleet.Release(n), asJSON)
			}
			return s.showPlanRecord(cmd, names[0], asJSON)
		},
	}
	a.vars.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON, with Terraform's key names for plans")
	return cmd
}

func (s *session) showSaved(cmd *cobra.Command, file string, asJSON bool) error {
	p, err := s.readPlan(cmd, file)
	if err != nil {
		return err
	}
	if !asJSON {
		return s.showPlan(p, formatText)
	}
	b, err := p.JSON()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s\n", b)
	return err
}

// shownRelease is a release with how its plan ended.
type shownRelease struct {
	state.Release
	Applied *state.PlanRecord `json:"applied,omitempty"`
}

func (s *session) showRelease(cmd *cobra.Command, n fleet.Release, asJSON bool) error {
	ctx := cmd.Context()
	r, err := state.LoadRelease(ctx, s.store, n)
	if errors.Is(err, state.ErrNoRecord) {
		if p, err := s.planRecord(ctx, cmd.Flags().Arg(0)); err == nil {
			return s.showPlanRecord(cmd, p.ID, asJSON) // whose id begins with digits alone
		}
		all, err := state.Releases(ctx, s.store)
		if err != nil {
			return err
		}
		return noSuchRelease(all, n)
	}
	if err != nil {
		return err
	}
	shown := shownRelease{Release: r}
	switch p, err := state.LoadPlan(ctx, s.store, r.Plan); {
	case err == nil:
		shown.Applied = &p
	case !errors.Is(err, state.ErrNoRecord):
		return err
	}
	if asJSON {
		return writeJSON(s.out, shown)
	}
	s.printRelease(&shown)
	return nil
}

// printRelease writes a release for people.
func (s *session) printRelease(r *shownRelease) {
	fmt.Fprintf(s.out, "Release %d, made %s by %s (%s)\n", r.Number, when(r.Made), r.Who, r.Why)
	result := "not recorded"
	if p := r.Applied; p != nil {
		result = resultText(p.Result) + ": " + p.Summary
	}
	fmt.Fprintf(s.out, "  plan           %s, %s\n  configuration  %s\n", r.Plan, result, orDash(shortDigest(r.Config)))
	if r.Commit != "" {
		fmt.Fprintf(s.out, "  commit         %s\n", r.Commit)
	}
	if p := r.Applied; p != nil {
		for _, e := range p.Errors {
			fmt.Fprintf(s.out, "  error          %s\n", plaintext.Line(e))
		}
	}
	fmt.Fprintln(s.out)
	if len(r.Fleet.Workloads) == 0 {
		fmt.Fprintln(s.out, "It wants no workload.")
		return
	}
	s.table(func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "WORKLOAD\tREPLICAS\tIMAGE\tPIN\tREVISION")
		for i := range r.Fleet.Workloads {
			x := &r.Fleet.Workloads[i]
			count := fmt.Sprint(x.Replicas)
			if x.Mode == fleet.Global {
				count = "global"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", x.Addr(), count, x.Spec.Image.Ref, orDash(fmt.Sprintf("%.19s", x.Spec.Image.Pin())), x.Spec.Digest().Short())
		}
	})
}

func (s *session) showPlanRecord(cmd *cobra.Command, id string, asJSON bool) error {
	r, err := s.planRecord(cmd.Context(), id)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(s.out, r)
	}
	fmt.Fprintf(s.out, "Plan %s, of release %d: %s\n%s by %s at %s", r.ID, r.Release, resultText(r.Result), r.Trigger, r.Who, when(r.Started))
	if !r.Ended.IsZero() {
		fmt.Fprintf(s.out, ", ended %s", when(r.Ended))
	}
	fmt.Fprintf(s.out, "\n%s\n", r.Summary)
	for _, e := range r.Errors {
		fmt.Fprintf(s.out, "  %s\n", plaintext.Line(e))
	}
	return nil
}

// shortestPlan is how much of a plan's id has to be given: the history shows eight letters.
const shortestPlan = 4

// planRecord finds a plan by its id, or by how that begins.
func (s *session) planRecord(ctx context.Context, id string) (state.PlanRecord, error) {
	r, err := state.LoadPlan(ctx, s.store, id)
	if err == nil || !errors.Is(err, state.ErrNoRecord) {
		return r, err
	}
	plans, err := state.Plans(ctx, s.store)
	if err != nil {
		return r, err
	}
	var found []state.PlanRecord
	for _, p := range plans {
		if len(id) >= shortestPlan && strings.HasPrefix(p.ID, id) {
			found = append(found, p)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	d := diag.Diagnostic{Code: diag.CodeNoSuch, Summary: "No such file, release or plan",
		Detail: fmt.Sprintf("%q is no file here, no number of a release, and no plan that was carried out begins with it.", id), Remedy: "stowage history"}
	if len(found) > 1 {
		d.Summary, d.Detail = "More than one plan begins like that", fmt.Sprintf("%d plans begin with %q: give more of it.", len(found), id)
	}
	return r, d
}

func (s *session) showRecord(cmd *cobra.Command, asJSON bool) error {
	snap, err := s.recorded(cmd.Context())
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(s.out, recordJSON(snap))
	}
	fmt.Fprintf(s.out, "Fleet %s (%s), serial %d, release %d\n", snap.Meta.Name, snap.Meta.ID, snap.Serial, snap.Release)
	for _, line := range recordLines(snap) {
		fmt.Fprintln(s.out, line.text)
	}
	return nil
}
