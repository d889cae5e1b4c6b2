package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stowage-run/stowage/diag"
)

func newForceUnlock(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "force-unlock [flags] ID",
		Short: "Take the state's lock from its holder",
		Long: `Takes the lock from the holder with this ID, as a refused command showed it. A holder that still runs is
shut out: it can record nothing any more. A dead process's lock is free without this.`,
		Args: args(1, 1, "the ID of a lock"),
		RunE: func(cmd *cobra.Command, words []string) error {
			ctx := cmd.Context()
			s, err := a.openSession(ctx, &a.vars)
			if err != nil {
				return err
			}
			defer s.close()
			h, err := s.store.Holder(ctx)
			if err != nil {
				return err
			}
			if h == nil || h.ID != words[0] {
				return diag.Diagnostic{Code: diag.CodeLocked, Summary: "Nobody holds that lock",
					Detail: fmt.Sprintf("The state is not locked under %q.", words[0]), Affected: "Nothing was changed."}
			}
			if !force {
				question := fmt.Sprintf("Do you really want to take the lock from %s (pid %d, %s)?", h.Who, h.PID, h.Operation)
				if err := a.approve(question, "If it still runs, it can record nothing any more."); err != nil {
					return err
				}
			}
			if err := s.store.BreakLock(ctx, words[0]); err != nil {
				return err
			}
			fmt.Fprintln(a.out, "The lock is free.")
			return nil
		},
	}
	a.vars.add(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "do not ask")
	return cmd
}
