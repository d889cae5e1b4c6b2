package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/reconcile"
	"github.com/stowage-run/stowage/state"
)

func newScale(a *app) *cobra.Command {
	var f applyFlags
	var lasts time.Duration
	cmd := &cobra.Command{
		Use:   "scale [flags] WORKLOAD=N",
		Short: "Set a workload's number of replicas for a while",
		Long: `Puts a number of replicas in the place of the configuration's, at once. It counts in every plan, which says so,
until its time is up (-for), until the configuration's own number changes, or until 'stowage scale WORKLOAD=config'
ends it. Nothing else of the workload is changed.

Exit status: 0 done; 1 error; 3 partly done: the rest is owed to hosts that did not answer
(-allow-unreachable); 5 the state is locked by somebody else.`,
		Args: args(1, 1, "a workload and a number, such as web=5, or web=config"),
		RunE: func(cmd *cobra.Command, words []string) error {
			name, number, err := scaleArg(words[0])
			if err != nil {
				return usageError(cmd, err.Error())
			}
			switch {
			case cmd.Flags().Changed("for") && lasts <= 0:
				return usageError(cmd, "-for wants a time above 0, such as 2h")
			case lasts > 0 && number < 0:
				return usageError(cmd, fmt.Sprintf("-for goes with a number: %s=config ends an override for good", name))
			}
			return a.withAlteration(cmd, &f, words, func(ctx context.Context, c *alteration) error {
				return c.scale(ctx, name, number, lasts)
			})
		},
	}
	f.addAsked(a, cmd)
	cmd.Flags().DurationVar(&lasts, "for", 0, "let it count for so long, such as 2h; without it, until the configuration's number changes")
	return cmd
}

// mostReplicas is the configuration's own bound.
const mostReplicas = 10_000

// scaleArg reads web=5, and web=config: -1.
func scaleArg(text string) (name string, number int, err error) {
	at := strings.LastIndexByte(text, '=')
	if at < 1 {
		return "", 0, fmt.Errorf("%q does not say how many: write it as web=5, or web=config", text)
	}
	name, count := text[:at], text[at+1:]
	if count == "config" {
		return name, -1, nil
	}
	number, err = strconv.Atoi(count)
	if err != nil || number < 0 || number > mostReplicas {
		return "", 0, fmt.Errorf("%q is not a number of replicas: write it as %s=5, or %s=config for the configuration's own", count, name, name)
	}
	return name, number, nil
}

// scale makes the plan that sets a number of replicas, or the configuration's own where it is negative.
func (c *alteration) scale(ctx context.Context, name string, number int, lasts time.Duration) error {
	w, r, err := c.applied(ctx)
	if err != nil {
		return err
	}
	work, err := findWorkload(w.Fleet, name)
	if err != nil {
		return err
	}
	own, err := c.ownNumber(work)
	if err != nil {
		return err
	}
	made := &state.Override{Workload: work.Name, Replicas: number, Configured: own, Who: who(), Since: c.now().UTC()}
	if lasts > 0 {
		made.Until = made.Since.Add(lasts)
	}
	if number < 0 {
		snap, err := c.recorded(ctx)
		if err != nil {
			return err
		}
		if _, ok := snap.Overrides[work.Name]; !ok {
			return noOverride(snap, work)
		}
		made.Replicas = own
	}
	work.Replicas = made.Replicas
	c.flags.records = true
	_, err = c.run(ctx, w, reconcile.Options{Targets: []fleet.Addr{work.Addr()}, Override: made}, r.Commit)
	return err
}

// ownNumber is how many replicas of a workload the configuration asks for.
func (c *alteration) ownNumber(work *fleet.Workload) (int, error) {
	at := slices.IndexFunc(c.own.Fleet.Workloads, func(x fleet.Workload) bool { return x.Name == work.Name })
	d := diag.Diagnostic{Code: diag.CodeUsage, Summary: fmt.Sprintf("%s cannot be scaled", work.Addr()), Affected: "Nothing was changed."}
	switch {
	case at < 0:
		d.Detail = "The configuration does not declare it any more."
		d.Remedy = "stowage plan"
	case work.Job != nil:
		d.Detail = "It is a job, which runs to completion once a release."
	case work.Mode == fleet.Global, c.own.Fleet.Workloads[at].Mode == fleet.Global:
		d.Detail = "It is global: it has one replica on each host that its placement allows."
		d.Remedy = "Change its placement, or the hosts."
	default:
		return c.own.Fleet.Workloads[at].Replicas, nil
	}
	return 0, d
}

// noOverride says that there is nothing to end.
func noOverride(snap *state.Snapshot, work *fleet.Workload) error {
	d := diag.Diagnostic{Code: diag.CodeNoSuch, Summary: fmt.Sprintf("%s has no override", work.Addr()),
		Detail: "Its number of replicas is the configuration's already.", Remedy: "stowage status", Affected: "Nothing was changed."}
	if others := sortedKeys(snap.Overrides); len(others) > 0 {
		d.Detail += fmt.Sprintf(" There are overrides of: %s.", joined(others))
	}
	return d
}

// joined names things for people.
func joined[T ~string](names []T) string {
	var b strings.Builder
	for i, n := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(n))
	}
	return b.String()
}
