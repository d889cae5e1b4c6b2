package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

func newShow(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show [flags] [FILE|RELEASE|PLAN]",
		Short: "Show a saved plan, a release, or the record",
		Long: `Without an argument: what is recorded. With the name of a file: the plan saved in it.
With a number: that release. With the id of a plan: what came of it.`,
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

func (s *session) showRelease(cmd *cobra.Command, n fleet.Release, asJSON bool) error {
	r, err := state.LoadRelease(cmd.Context(), s.store, n)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(s.out, r)
	}
	fmt.Fprintf(s.out, "Release %d, made %s by %s (%s)\nplan %s\nconfiguration %s\n", r.Number, r.Made.Local().Format(time.DateTime), r.Who, r.Why, r.Plan, r.Config)
	if r.Commit != "" {
		fmt.Fprintf(s.out, "commit %s\n", r.Commit)
	}
	for _, w := range r.Fleet.Workloads {
		fmt.Fprintf(s.out, "  %s  %s x%d  %s\n", fleet.WorkloadAddr(w.Name), w.Spec.Image.Ref, w.Replicas, w.Spec.Digest().Short())
	}
	return nil
}

func (s *session) showPlanRecord(cmd *cobra.Command, id string, asJSON bool) error {
	r, err := state.LoadPlan(cmd.Context(), s.store, id)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(s.out, r)
	}
	fmt.Fprintf(s.out, "Plan %s, of release %d: %s\n%s by %s at %s, ended %s\n%s\n", r.ID, r.Release, r.Result, r.Trigger, r.Who,
		r.Started.Local().Format(time.DateTime), r.Ended.Local().Format(time.DateTime), r.Summary)
	for _, e := range r.Errors {
		fmt.Fprintf(s.out, "  %s\n", e)
	}
	return nil
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
