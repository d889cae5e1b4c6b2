package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/reconcile"
)

func newRestart(a *app) *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "restart [flags] WORKLOAD[N]",
		Short: "Replace the replicas of a workload as they are",
		Long: `Makes every replica of the workload anew, or the one that is named, as its 'update' block says: a few at a
time, each healthy before the next. What they are made from is what was last applied, image included; changes of
the configuration since then are for 'stowage apply'.

Exit status: 0 done; 1 error; 3 partly done: the rest is owed to hosts that did not answer
(-allow-unreachable); 5 the state is locked by somebody else.`,
		Args: args(1, 1, "a workload or a replica, such as web or web[2]"),
		RunE: func(cmd *cobra.Command, words []string) error {
			name, slot, err := replicaArg(words[0])
			if err != nil {
				return usageError(cmd, err.Error())
			}
			return a.withAlteration(cmd, &f, words, func(ctx context.Context, c *alteration) error {
				return c.restart(ctx, name, slot)
			})
		},
	}
	f.addAsked(a, cmd)
	return cmd
}

// restart replaces a workload's replicas, or the one in a slot.
func (c *alteration) restart(ctx context.Context, name fleet.WorkloadName, slot fleet.Slot) error {
	w, r, err := c.applied(ctx)
	if err != nil {
		return err
	}
	work, err := findWorkload(w.Fleet, string(name))
	if err != nil {
		return err
	}
	if work.Job != nil {
		return diag.Diagnostic{Code: diag.CodeUsage, Summary: "A job is not restarted",
			Detail: fmt.Sprintf("%s runs to completion once a release, and is not kept running.", work.Addr()), Affected: "Nothing was changed."}
	}
	addr := work.Addr()
	if slot >= 0 {
		addr = fleet.ReplicaID{Workload: name, Slot: slot}.Addr()
	}
	_, err = c.run(ctx, w, reconcile.Options{Targets: []fleet.Addr{addr}, Replaces: []fleet.Addr{addr}, Because: "a restart was asked for"}, r.Commit)
	return err
}
