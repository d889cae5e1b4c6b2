package main

import (
	"fmt"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/internal/plaintext"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/state"
)

// rolloutStatus is a rollout that is not done, or was not done well.
type rolloutStatus struct {
	Workload    fleet.WorkloadName  `json:"workload"`
	Status      state.RolloutStatus `json:"status"`
	Release     fleet.Release       `json:"release"`
	To          fleet.Revision      `json:"to"`
	New         int                 `json:"on_new_revision"`
	Wanted      int                 `json:"wanted"`
	GoodRelease fleet.Release       `json:"good_release,omitempty"`
	Quarantined bool                `json:"quarantined,omitempty"` // the revision is not tried again before it changes
	Why         string              `json:"why,omitempty"`
	Started     time.Time           `json:"started"`
	Changed     time.Time           `json:"changed"`
}

// overrideStatus is a number of replicas that somebody has set.
type overrideStatus struct {
	state.Override
	Expired bool `json:"expired,omitempty"` // its time is up, and the next apply drops it
}

// rolloutRows lists the rollouts that somebody should know of.
func rolloutRows(snap *state.Snapshot) (out []rolloutStatus) {
	for _, n := range sortedKeys(snap.Rollouts) {
		r := snap.Rollouts[n]
		if r.Status == state.RolloutDone {
			continue
		}
		row := rolloutStatus{Workload: n, Status: r.Status, Release: r.Release, To: r.To, Wanted: snap.Workloads[n].Replicas,
			GoodRelease: r.GoodRelease, Quarantined: r.Quarantined(r.To), Why: r.Why, Started: r.Started, Changed: r.Changed}
		have := 0
		for id, rec := range snap.Replicas {
			if id.Workload != n {
				continue
			}
			if have++; rec.Revision == r.To && rec.Container != "" {
				row.New++
			}
		}
		if snap.Workloads[n].Mode == fleet.Global {
			row.Wanted = have
		}
		out = append(out, row)
	}
	return out
}

// overrideRows lists the overrides as of a moment.
func overrideRows(snap *state.Snapshot, now time.Time) (out []overrideStatus) {
	for _, n := range sortedKeys(snap.Overrides) {
		o := snap.Overrides[n]
		out = append(out, overrideStatus{o, o.Expired(now)})
	}
	return out
}

// printRollouts writes which rollouts are under way, wait for somebody or have failed, and which numbers are not the
// configuration's.
func (s *session) printRollouts(r *statusReport) {
	c := s.color()
	for i := range r.Rollouts {
		x := &r.Rollouts[i]
		head := c.yellow("Rollout:")
		if x.Quarantined {
			head = c.red("Quarantined:")
		}
		fmt.Fprintf(s.out, "%s workload.%s %s\n", head, x.Workload, x.text(r.Locked != nil))
		if x.Why != "" {
			fmt.Fprintf(s.out, "  because %s\n", plaintext.Line(x.Why))
		}
		for _, line := range x.ways(r.Locked != nil) {
			fmt.Fprintf(s.out, "  %s\n", line)
		}
	}
	for _, o := range r.Overrides {
		if o.Expired {
			fmt.Fprintf(s.out, "%s that of workload.%s (%d replicas instead of %d, by %s) has ended, and the next apply drops it.\n",
				c.yellow("Override:"), o.Workload, o.Replicas, o.Configured, o.Who)
			continue
		}
		fmt.Fprintf(s.out, "%s %s\n", c.yellow("Override:"), plan.OverrideText(o.Override, s.now().Local()))
	}
	if len(r.Rollouts)+len(r.Overrides) > 0 {
		fmt.Fprintln(s.out)
	}
}

// text is where a rollout is, in a line.
func (x *rolloutStatus) text(locked bool) string {
	far := fmt.Sprintf("%d of %d replicas are new", x.New, x.Wanted)
	switch x.Status {
	case state.RolloutRunning:
		if locked {
			return fmt.Sprintf("goes to release %d: %s", x.Release, far)
		}
		return fmt.Sprintf("was cut off on its way to release %d: %s", x.Release, far)
	case state.RolloutCanary:
		return fmt.Sprintf("waits for a promotion to release %d: %s", x.Release, far)
	case state.RolloutPaused:
		return fmt.Sprintf("is paused on its way to release %d: %s", x.Release, far)
	case state.RolloutBack:
		return fmt.Sprintf("is on its way back to release %d: the change of release %d failed or was cancelled", x.GoodRelease, x.Release)
	case state.RolloutTaken:
		return fmt.Sprintf("was taken back to release %d: the change of release %d (%s) is not tried again as it is", x.GoodRelease, x.Release, x.To.Short())
	}
	return fmt.Sprintf("is halted: the change of release %d (%s) failed, and there is no way back", x.Release, x.To.Short())
}

// ways are what a person can do about a rollout. There is nothing while somebody is at it.
func (x *rolloutStatus) ways(locked bool) []string {
	to := func(verb, does string) string { return fmt.Sprintf("stowage %s %s    %s", verb, x.Workload, does) }
	cancel := to("cancel", "goes back")
	switch {
	case locked:
		return nil
	case x.Status == state.RolloutCanary:
		return []string{to("promote", "lets the others follow"), cancel}
	case x.Status == state.RolloutPaused:
		return []string{to("resume", "goes on"), cancel}
	case x.Status == state.RolloutRunning:
		return []string{"stowage apply    goes on", cancel}
	case x.Status == state.RolloutBack:
		return []string{"stowage apply    goes on with that"}
	}
	return []string{"Change it and apply, or try the same again with: stowage apply -force"}
}
