package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stowage-run/stowage/apply"
	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/reconcile"
	"github.com/stowage-run/stowage/state"
)

func newRollback(a *app) *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "rollback [flags] [RELEASE]",
		Short: "Go back to an older release",
		Long: `Plans, asks, and makes the fleet what it was in an older release: its workloads with the very images that they had,
its volumes, networks and outputs, on the hosts of today's configuration. Without a number that is the last release
before the current one that wanted something else and went well; 'stowage history' lists them. Data in volumes is not
touched. It makes a new release, and the configuration stays what it is: change it too, or the next apply goes
forward again.

Exit status: 0 done; 1 error; 3 partly done: the rest is owed to hosts that did not answer
(-allow-unreachable); 4 it did not become healthy, and was taken back; 5 the state is locked by somebody else.`,
		Args: args(0, 1, "at most the number of a release, from 'stowage history'"),
		RunE: func(cmd *cobra.Command, words []string) error {
			var n fleet.Release
			if len(words) == 1 {
				i, err := strconv.Atoi(words[0])
				if err != nil || i < 1 {
					return usageError(cmd, fmt.Sprintf("%q is not the number of a release: 'stowage history' lists them", words[0]))
				}
				n = fleet.Release(i)
			}
			return a.withAlteration(cmd, &f, words, func(ctx context.Context, c *alteration) error { return c.rollback(ctx, n) })
		},
	}
	f.addAsked(a, cmd)
	return cmd
}

// rollback goes back to a release; 0: to the last good one that differs.
func (c *alteration) rollback(ctx context.Context, n fleet.Release) error {
	snap, err := c.recorded(ctx)
	if err != nil {
		return err
	}
	releases, err := state.Releases(ctx, c.store)
	if err != nil {
		return err
	}
	current := releaseOf(releases, snap.Release)
	var target *state.Release
	if n == 0 {
		target, err = c.lastGood(ctx, snap, releases)
	} else if target = releaseOf(releases, n); target == nil {
		err = noSuchRelease(releases, n)
	}
	if err != nil {
		return err
	}
	if !c.flags.asJSON {
		fmt.Fprintf(c.out, "Going back to release %d, made %s by %s (%s).\n\n", target.Number, when(target.Made), target.Who, target.Why)
	}
	done, err := c.run(ctx, c.own.Of(*target), reconcile.Options{}, target.Commit)
	var secret *apply.SecretError
	switch {
	case errors.As(err, &secret):
		return otherSecret(secret, target.Number)
	case err == nil && done && !c.flags.asJSON:
		c.sayUndone(target, current)
	}
	return err
}

// releaseOf returns the release with a number, or nil.
func releaseOf(all []state.Release, n fleet.Release) *state.Release {
	for i := range all {
		if all[i].Number == n {
			return &all[i]
		}
	}
	return nil
}

// lastGood is the last release before the current one that wants something else and whose plan ended well. One that wanted
// nothing at all, as a destroy does, is not what anybody means by going back. A rollback that was cut off is finished first: who
// repeats the command means the same.
func (c *alteration) lastGood(ctx context.Context, snap *state.Snapshot, releases []state.Release) (*state.Release, error) {
	numbers := plan.Override(c.own.Fleet, snap, nil, c.now())
	var now *fleet.Fleet
	for i := len(releases) - 1; i >= 0; i-- {
		r := &releases[i]
		if r.Number > snap.Release {
			continue
		}
		result, err := c.resultOf(ctx, r)
		switch {
		case err != nil:
			return nil, err
		case r.Number == snap.Release && r.Why == "rollback" && (result == state.PlanRunning || result == state.PlanInterrupted):
			return r, nil
		case r.Number == snap.Release:
			now = numbers.On(&r.Fleet)
		case result != state.PlanDone, quarantinedIn(r, snap), len(r.Fleet.Workloads) == 0:
		case now == nil || reconcile.Differs(*now, *numbers.On(&r.Fleet)):
			return r, nil
		}
	}
	return nil, diag.Diagnostic{Code: diag.CodeNoSuch, Summary: "There is no release to go back to",
		Detail: "No release before the current one wanted something else and went well.", Remedy: "stowage history", Affected: "Nothing was changed."}
}

// resultOf is how a release's plan ended; empty where that is not recorded.
func (c *alteration) resultOf(ctx context.Context, r *state.Release) (state.PlanResult, error) {
	p, err := state.LoadPlan(ctx, c.store, r.Plan)
	if errors.Is(err, state.ErrNoRecord) {
		return "", nil
	}
	return p.Result, err
}

// quarantinedIn reports whether a release wants what has failed, or was cancelled, and would be refused.
func quarantinedIn(r *state.Release, snap *state.Snapshot) bool {
	for i := range r.Fleet.Workloads {
		w := &r.Fleet.Workloads[i]
		if x, ok := snap.Rollouts[w.Name]; ok && x.Quarantined(w.Spec.Digest()) {
			return true
		}
	}
	return false
}

// noSuchRelease names the releases that there are.
func noSuchRelease(releases []state.Release, n fleet.Release) error {
	d := diag.Diagnostic{Code: diag.CodeNoSuch, Summary: fmt.Sprintf("There is no release %d", n), Remedy: "stowage history"}
	if len(releases) == 0 {
		d.Detail = "No release is recorded."
		return d
	}
	var runs []string
	for i := 0; i < len(releases); {
		j := i
		for j+1 < len(releases) && releases[j+1].Number == releases[j].Number+1 {
			j++
		}
		run := fmt.Sprint(releases[i].Number)
		if j > i {
			run += fmt.Sprintf(" to %d", releases[j].Number)
		}
		runs = append(runs, run)
		i = j + 1
	}
	d.Detail = "Recorded are: " + strings.Join(runs, ", ") + "."
	return d
}

// otherSecret says that today's secrets do not give what a release was made with.
func otherSecret(e *apply.SecretError, n fleet.Release) error {
	return diag.Diagnostic{Code: diag.CodeSecret, Summary: fmt.Sprintf("A secret has another value than in release %d", n),
		Detail:   capital(e.Error()) + ". A release holds fingerprints of its secrets, and never their values, so going back needs the values of then.",
		Remedy:   "Give the secret its old value again where it is read from, then repeat this.\nOr change the rest of the configuration back, and: stowage apply",
		Affected: "Nothing was changed."}
}

// sayUndone says what the next apply would make of it.
func (c *alteration) sayUndone(target, current *state.Release) {
	note := c.color().yellow("Note:")
	if bare(target.Fleet) != bare(*c.own.Fleet) {
		fmt.Fprintf(c.out, "\n%s the configuration still says otherwise: the next 'stowage apply' would undo this. Change it back too.\n", note)
		return
	}
	if ref := moved(target, current); ref != "" {
		fmt.Fprintf(c.out, "\n%s the configuration says the same, but the tag of %s has moved since: the next 'stowage apply' may undo this.\n", note, ref)
	}
}

// moved is a reference that stood for another image in the current release than in an older one; empty: none did.
func moved(target, current *state.Release) string {
	if current == nil {
		return ""
	}
	pins := map[string]string{}
	for _, w := range current.Fleet.Workloads {
		pins[w.Spec.Image.Ref] = w.Spec.Image.Pin()
	}
	for _, w := range target.Fleet.Workloads {
		i := w.Spec.Image
		if now := pins[i.Ref]; now != "" && i.Pin() != "" && now != i.Pin() {
			return i.Ref
		}
	}
	return ""
}

// bare is what a configuration says of a fleet, as text: no pins, hosts and outputs.
func bare(f fleet.Fleet) string {
	f.Hosts, f.Outputs, f.Name = nil, nil, ""
	workloads := make([]fleet.Workload, len(f.Workloads))
	for i, w := range f.Workloads {
		w.Spec.Image = fleet.Image{Ref: w.Spec.Image.Ref}
		workloads[i] = w
	}
	f.Workloads = workloads
	b, err := json.Marshal(f)
	if err != nil {
		return "" // a fleet is data alone
	}
	return string(b)
}
