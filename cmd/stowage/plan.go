package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/internal/plaintext"
	"github.com/stowage-run/stowage/plan"
)

func newPlan(a *app) *cobra.Command {
	var f planningFlags
	var q supposeFlags
	var out string
	var shape formatFlags
	var detailed bool
	cmd := &cobra.Command{
		Use:   "plan [flags]",
		Short: "Show what would change",
		Long: `Looks at every host and shows what 'stowage apply' would change, to whom and why.
Nothing is changed, and no lock is taken.

With -lose, -lose-label, -drain and -add-host, which may be combined, it says instead what would
happen: what would move where, what would have no place, and how full the hosts would be.

Exit status: 0 done; 1 error; with -detailed-exitcode 2 where there are changes.`,
		Args: args(0, 0, "no argument; the configuration is that of the directory, or of -chdir=DIR"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.options(cmd)
			if err != nil {
				return err
			}
			as, err := shape.format(cmd)
			if err != nil {
				return err
			}
			o.Stowage = as == formatSVG
			if o.Suppose, err = q.supposition(cmd); err != nil {
				return err
			}
			if o.Suppose != nil && (out != "" || o.Mode != plan.Normal) {
				return usageError(cmd, "-lose, -lose-label, -drain and -add-host ask a question: with -out, -destroy or -refresh-only there is no answer")
			}
			ctx := cmd.Context()
			s, err := a.openSession(ctx, &f.variableFlags)
			if err != nil {
				return err
			}
			defer s.close()
			w, _, err := s.wanted(ctx)
			if err != nil {
				return err
			}
			p, quiet, err := s.planned(ctx, w, o)
			if err != nil {
				return err
			}
			for _, d := range s.aboutSilent(quiet) {
				d.Severity = diag.Warning
				s.printDiagnostics(diag.List{d})
			}
			if err := s.showPlan(p, as); err != nil {
				return err
			}
			if out != "" {
				if err := s.savePlan(cmd, p, out, as != formatText); err != nil {
					return err
				}
			} else if !p.Empty() && p.WhatIf == nil && as == formatText && a.env("STOWAGE_IN_AUTOMATION") == "" {
				fmt.Fprintf(a.out, "\n%s 'stowage apply' plans anew and asks; to carry out exactly this plan, save it with -out=FILE.\n", a.color().dim("Note:"))
			}
			if detailed && !p.Empty() {
				return exitStatus(exitChanges)
			}
			return nil
		},
	}
	f.add(cmd, true)
	q.define(cmd)
	cmd.Flags().StringVar(&out, "out", "", "save the plan in `FILE`, for 'stowage apply FILE'")
	shape.define(cmd, "write one JSON object a line: -format=json")
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit with 2 where there are changes")
	return cmd
}

// showPlan prints a plan and its warnings.
func (s *session) showPlan(p *plan.Plan, as format) error {
	if as == formatJSON {
		return newJSONStream(s.out, s.now).plan(p)
	}
	s.printDiagnostics(p.Warnings)
	if as == formatSVG {
		_, err := s.out.Write(drawPlan(p))
		return err
	}
	_, err := fmt.Fprint(s.out, s.cleanPlan(p))
	return err
}

// cleanPlan is a plan's text with what came from outside made safe, and coloured on a terminal.
func (a *app) cleanPlan(p *plan.Plan) string {
	if !a.color() {
		return plaintext.Clean(p.Text(plan.Style{}))
	}
	return recolor(plaintext.Clean(p.Text(markedStyle())))
}

func (s *session) savePlan(cmd *cobra.Command, p *plan.Plan, file string, quiet bool) error {
	meta, err := s.meta(cmd.Context())
	if err != nil {
		return err
	}
	b, err := plan.Encode(p, meta.SealKey)
	if err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	abs, err := filepath.Abs(file)
	if err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	if err := renameio.WriteFile(abs, b, 0o600, renameio.IgnoreUmask()); err != nil {
		return fmt.Errorf("save the plan: %w", err)
	}
	if !quiet {
		fmt.Fprintf(s.out, "\nSaved the plan to: %s\n\nTo carry out exactly this plan, run:\n    stowage apply %q\n", file, file)
	}
	return nil
}

// readPlan reads a saved plan of this fleet.
func (s *session) readPlan(cmd *cobra.Command, file string) (*plan.Plan, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	meta, err := s.meta(cmd.Context())
	if err != nil {
		return nil, err
	}
	head, err := plan.Peek(b)
	if err != nil {
		return nil, err
	}
	if head.Fleet != meta.ID {
		return nil, plan.ErrForeign
	}
	return plan.Decode(b, meta.SealKey)
}
