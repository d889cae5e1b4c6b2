package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/reconcile"
	"github.com/stowage-run/stowage/state"
	"github.com/stowage-run/stowage/state/memory"
)

// TestLastGood: where a rollback without a number goes. A release is written as what it wants (image, or none), why it was made, and
// how its plan ended; the last one is the current.
func TestLastGood(t *testing.T) {
	for _, c := range []struct {
		name, releases, quarantined string
		override                    bool
		want                        fleet.Release
	}{
		{"nothing was made", "", "", false, 0},
		{"the first", "a apply done", "", false, 0},
		{"the one before", "a apply done\nb apply done", "", false, 1},
		{"the same is none", "a apply done\nb apply done\nb restart done", "", false, 1},
		{"what failed is none", "a apply done\nb apply failed\nc apply done", "", false, 1},
		{"what was cut off is none", "a apply done\nb apply running\nc apply done", "", false, 1},
		{"what was done in part is none", "a apply done\nb apply partly\nc apply done", "", false, 1},
		{"a plan that is not recorded is none", "a apply done\nb apply -\nc apply done", "", false, 1},
		{"what is quarantined is none", "a apply done\nb apply done\na cancel done", "b", false, 0},
		{"after a destroy", "a apply done\nb apply done\n- destroy done", "", false, 2},
		{"not to a destroy", "a apply done\n- destroy done\nb apply done", "", false, 1},
		{"there and back", "a apply done\nb apply done\na rollback done", "", false, 2},
		{"one that was cut off is finished", "a apply done\nb apply done\na rollback running", "", false, 3},
		{"and so is one that was interrupted", "a apply done\nb apply done\na rollback interrupted", "", false, 3},
		{"another number of replicas is another release", "a apply done\nb apply done\nb*5 apply done", "", false, 2},
		{"but not where it is an override", "a apply done\nb apply done\nb*5 scale done", "", true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := memory.New()
			var changes state.Changes
			for i, line := range strings.Split(c.releases, "\n") {
				word := strings.Fields(line)
				if len(word) == 0 {
					continue
				}
				r := state.Release{Number: fleet.Release(i + 1), Plan: fmt.Sprint("p", i), Why: word[1]}
				if word[0] != "-" {
					r.Fleet.Workloads = []fleet.Workload{wanted(word[0])}
				}
				changes.PutRelease(r)
				if word[2] != "-" {
					changes.PutPlan(state.PlanRecord{ID: r.Plan, Release: r.Number, Result: state.PlanResult(word[2])})
				}
			}
			if c.quarantined != "" {
				w := wanted(c.quarantined)
				changes.PutRollout(state.Rollout{Workload: w.Name, To: w.Spec.Digest(), Status: state.RolloutTaken})
			}
			if c.override {
				changes.PutOverride(state.Override{Workload: "web", Replicas: 5, Configured: 3})
			}
			if err := state.NewWriter(s, 0).Commit(t.Context(), changes); err != nil {
				t.Fatal(err)
			}
			a := &alteration{
				session: &session{app: &app{now: time.Now}, store: s},
				own:     reconcile.Wanted{Fleet: &fleet.Fleet{Workloads: []fleet.Workload{wanted("b")}}},
			}
			snap, err := a.recorded(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			releases, err := state.Releases(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			got, err := a.lastGood(t.Context(), snap, releases)
			switch {
			case c.want == 0 && err == nil:
				t.Errorf("got release %d, want none", got.Number)
			case c.want != 0 && (err != nil || got.Number != c.want):
				t.Errorf("got %v, error %v, want release %d", got, err, c.want)
			}
		})
	}
}

// wanted is a workload of an image, with 3 replicas or as many as follow the star.
func wanted(text string) fleet.Workload {
	image, count, _ := strings.Cut(text, "*")
	w := fleet.Workload{Name: "web", Mode: fleet.Replicated, Replicas: 3, Spec: fleet.Spec{Image: fleet.Image{Ref: image, ID: "sha256:" + image}}}
	if count != "" {
		w.Replicas = int(count[0] - '0')
	}
	return w
}
