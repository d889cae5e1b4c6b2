package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/reconcile"
)

// planningFlags are the flags that shape a plan, shared by plan, apply and destroy.
type planningFlags struct {
	variableFlags
	destroy     bool
	refreshOnly bool
	refresh     bool
	volumes     bool
	targets     []string
	excludes    []string
	replaces    []string
	rebalance   bool
}

func (f *planningFlags) add(cmd *cobra.Command, modes bool) {
	f.variableFlags.add(cmd)
	fs := cmd.Flags()
	if modes {
		fs.BoolVar(&f.destroy, "destroy", false, "plan to remove everything")
		fs.BoolVar(&f.refreshOnly, "refresh-only", false, "only bring the record in line with what is there")
		fs.StringArrayVar(&f.replaces, "replace", nil, "replace the replica at `ADDR`; may be given again")
		fs.BoolVar(&f.rebalance, "rebalance", false, "also move replicas that could stay, as few as restore the spread")
	}
	fs.BoolVar(&f.refresh, "refresh", true, "look at the hosts; -refresh=false trusts the record")
	fs.BoolVar(&f.volumes, "volumes", false, "with -destroy: destroy volumes and their data too")
	fs.StringArrayVar(&f.targets, "target", nil, "only `ADDR` and what it needs; may be given again")
	fs.StringArrayVar(&f.excludes, "exclude", nil, "not `ADDR` nor what needs it; may be given again")
}

// options checks the flags against each other.
func (f *planningFlags) options(cmd *cobra.Command) (reconcile.Options, error) {
	o := reconcile.Options{Mode: plan.Normal, NoRefresh: !f.refresh, Volumes: f.volumes, Rebalance: f.rebalance}
	switch {
	case f.destroy && f.refreshOnly:
		return o, usageError(cmd, "-destroy and -refresh-only exclude each other")
	case f.destroy:
		o.Mode = plan.Destroy
	case f.refreshOnly:
		o.Mode = plan.RefreshOnly
	}
	switch {
	case f.refreshOnly && !f.refresh:
		return o, usageError(cmd, "-refresh-only and -refresh=false exclude each other")
	case f.volumes && !f.destroy:
		return o, usageError(cmd, "-volumes goes with -destroy: volumes are never deleted otherwise")
	case len(f.targets) > 0 && len(f.excludes) > 0:
		return o, usageError(cmd, "-target and -exclude exclude each other")
	case f.rebalance && o.Mode != plan.Normal:
		return o, usageError(cmd, "-rebalance goes with neither -destroy nor -refresh-only")
	case len(f.replaces) > 0 && f.destroy:
		return o, usageError(cmd, "-replace and -destroy exclude each other")
	}
	for _, x := range []struct {
		flag string
		in   []string
		out  *[]fleet.Addr
	}{{"target", f.targets, &o.Targets}, {"exclude", f.excludes, &o.Excludes}, {"replace", f.replaces, &o.Replaces}} {
		for _, s := range x.in {
			a, err := fleet.ParseAddr(s)
			if err != nil {
				return o, usageError(cmd, fmt.Sprintf("-%s: %v", x.flag, err))
			}
			*x.out = append(*x.out, a)
		}
	}
	return o, nil
}
