package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/reconcile"
	"github.com/stowage-run/stowage/state"
)

// TestSteeringRefused: what each command says of a rollout in each state; "ok" where it may.
func TestSteeringRefused(t *testing.T) {
	const want = `
pause   running    ok
pause   canary     ok
pause   paused     The rollout of workload.web is paused: stowage resume web
pause   back       The rollout of workload.web is being taken back already: stowage apply    goes on with that
pause   taken-back workload.web has no rollout under way: Change the workload, or: stowage apply -force   to try the same again
pause   halted     The rollout of workload.web is halted: Change the workload, or: stowage apply -force   to try the same again
pause   done       workload.web has no rollout under way: stowage status
resume  running    The rollout of workload.web was cut off: stowage apply    goes on with it
resume  canary     The rollout of workload.web waits for a promotion: stowage promote web
resume  paused     ok
resume  back       The rollout of workload.web is being taken back already: stowage apply    goes on with that
resume  taken-back workload.web has no rollout under way: Change the workload, or: stowage apply -force   to try the same again
resume  halted     The rollout of workload.web is halted: Change the workload, or: stowage apply -force   to try the same again
resume  done       workload.web has no rollout under way: stowage status
promote running    The rollout of workload.web was cut off: stowage apply    goes on with it
promote canary     ok
promote paused     The rollout of workload.web is paused: stowage resume web
promote back       The rollout of workload.web is being taken back already: stowage apply    goes on with that
promote taken-back workload.web has no rollout under way: Change the workload, or: stowage apply -force   to try the same again
promote halted     The rollout of workload.web is halted: Change the workload, or: stowage apply -force   to try the same again
promote done       workload.web has no rollout under way: stowage status
cancel  running    ok
cancel  canary     ok
cancel  paused     ok
cancel  back       The rollout of workload.web is being taken back already: stowage apply    goes on with that
cancel  taken-back workload.web has no rollout under way: Change the workload, or: stowage apply -force   to try the same again
cancel  halted     The rollout of workload.web is halted: Change the workload, or: stowage apply -force   to try the same again
cancel  done       workload.web has no rollout under way: stowage rollback
`
	said := func(err error) string {
		if err == nil {
			return "ok"
		}
		list, _ := diag.From(err)
		if list[0].Code != diag.CodeNoRollout || list[0].Affected == "" || list[0].Detail == "" {
			t.Errorf("incomplete: %+v", list[0])
		}
		return list[0].Summary + ": " + list[0].Remedy
	}
	var got strings.Builder
	good := fleet.Workload{Name: "web"}
	for _, st := range steerings() {
		for _, status := range []state.RolloutStatus{
			state.RolloutRunning, state.RolloutCanary, state.RolloutPaused, state.RolloutBack, state.RolloutTaken, state.RolloutHalted, state.RolloutDone,
		} {
			r := state.Rollout{Workload: "web", Release: 7, Status: status, Why: "bad", Good: &good, GoodRelease: 6}
			fmt.Fprintf(&got, "%-7s %-10s %s\n", st.verb, status, said(st.refusal("web", r, true)))
		}
		if err := st.refusal("web", state.Rollout{}, false); said(err) == "ok" {
			t.Errorf("%s: what was never recorded is steered", st.verb)
		}
		if st.verb == "cancel" {
			err := st.refusal("web", state.Rollout{Release: 1, Status: state.RolloutCanary}, true)
			if got := said(err); !strings.HasPrefix(got, "The rollout of workload.web has nothing to go back to") {
				t.Errorf("cancel of the first: %s", got)
			}
		}
	}
	if d := cmp.Diff(strings.TrimPrefix(want, "\n"), got.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestScaleRefused: what has no number of its own is not scaled.
func TestScaleRefused(t *testing.T) {
	f := &fleet.Fleet{Workloads: []fleet.Workload{
		{Name: "every", Mode: fleet.Global}, {Name: "migrate", Mode: fleet.Replicated, Replicas: 1, Job: &fleet.Job{}}, {Name: "web", Mode: fleet.Replicated, Replicas: 3},
	}}
	c := &alteration{own: reconcile.Wanted{Fleet: f}}
	for i, want := range []string{"workload.every cannot be scaled", "job.migrate cannot be scaled", ""} {
		n, err := c.ownNumber(&f.Workloads[i])
		if want == "" {
			if err != nil || n != 3 {
				t.Errorf("got %d, error %v, want 3", n, err)
			}
			continue
		}
		if list, ok := diag.From(err); !ok || list[0].Summary != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := c.ownNumber(&fleet.Workload{Name: "gone"}); err == nil {
		t.Error("what is no longer declared is scaled")
	}
}

// TestHistory: plans and releases are told together, the oldest first: a plan without a release, one that was cut off, a release
// whose plan is not recorded.
func TestHistory(t *testing.T) {
	at := func(n int) time.Time { return time.Date(2026, 1, 1, 0, n, 0, 0, time.UTC) }
	of := func(names ...fleet.WorkloadName) (f fleet.Fleet) {
		for i, n := range names {
			f.Workloads = append(f.Workloads, fleet.Workload{Name: n, Replicas: i})
		}
		return f
	}
	snap := &state.Snapshot{Release: 3, Rollouts: map[fleet.WorkloadName]state.Rollout{
		"web": {Workload: "web", Release: 2, To: "v1:x", Status: state.RolloutTaken, Why: "it ended"},
	}}
	releases := []state.Release{
		{Number: 1, Plan: "lost", Made: at(0), Why: "state rebuild", Fleet: of("api")},
		{Number: 2, Plan: "b", Made: at(2), Fleet: of("api", "web")},
		{Number: 3, Plan: "c", Made: at(3), Fleet: of("web")},
	}
	plans := []state.PlanRecord{
		{ID: "a", Started: at(1), Trigger: "apply", Result: state.PlanDone, Release: 2},
		{ID: "b", Started: at(2), Trigger: "apply", Result: state.PlanFailed, Summary: "0 to replace, 1 to add, 2 to destroy", Release: 2},
		{ID: "c", Started: at(3), Trigger: "rollback", Result: state.PlanRunning, Release: 3},
	}
	var got strings.Builder
	for _, e := range eventsOf(snap, releases, plans) {
		fmt.Fprintf(&got, "%d %v %s %s: %s %v\n", e.Release, e.Current, e.Why, resultText(e.Result), changedText(e), e.Failed)
	}
	want := `1 false state rebuild -: +api []
0 false apply done: - []
2 false apply failed: +web (1 to add, 2 to destroy) [workload.web: it ended]
3 true rollback running or cut off: -api ~web []
`
	if d := cmp.Diff(want, got.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
