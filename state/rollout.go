package state

import (
	"slices"
	"time"

	"github.com/stowage-run/stowage/fleet"
)

// RolloutStatus is where a rollout is.
type RolloutStatus string

// The states of a rollout. From RolloutRunning it goes to RolloutDone, or, when a gate fails, by the workload's on_failure to
// RolloutBack or RolloutPaused. RolloutBack ends as RolloutTaken, or, when the way back fails as well, as RolloutHalted.
const (
	RolloutRunning RolloutStatus = "running" // or cut off
	RolloutCanary  RolloutStatus = "canary"  // its canaries are healthy and wait for a promotion
	RolloutPaused  RolloutStatus = "paused"  // by a person, or by on_failure = "pause"
	RolloutBack    RolloutStatus = "back"    // a gate has failed; the workload is being taken back to what was good
	RolloutTaken   RolloutStatus = "taken-back"
	RolloutHalted  RolloutStatus = "halted" // the way back failed too, or there was none: it takes a person
	RolloutDone    RolloutStatus = "done"
)

// Rollout is how the latest change of a workload goes out. It is what makes a rollout a matter of record and not of a process:
// whoever looks next goes on from here.
type Rollout struct {
	Workload fleet.WorkloadName `json:"workload"`
	Release  fleet.Release      `json:"release"` // that made it
	To       fleet.Revision     `json:"to"`
	Status   RolloutStatus      `json:"status"`
	Why      string             `json:"why,omitempty"`      // it is where it is: "web[3] on h1 was not healthy within 5m0s: GET /healthz: 503"
	Promoted bool               `json:"promoted,omitempty"` // the canaries are
	Failed   bool               `json:"failed,omitempty"`   // a gate or a hook has failed: it was not a person who paused or cancelled it
	Ran      []fleet.HookKind   `json:"ran,omitempty"`      // hooks that have ended, and are not run again in this rollout
	Started  time.Time          `json:"started"`
	Changed  time.Time          `json:"changed"`

	// Good is the workload as it was when all of it was last healthy, and GoodRelease its release: the way back. Nil where
	// nothing good was there before.
	Good        *fleet.Workload `json:"good,omitempty"`
	GoodRelease fleet.Release   `json:"good_release,omitempty"`

	// New is what goes out, where it has a hook to run when that fails: the way back no longer knows it otherwise.
	New *fleet.Workload `json:"new,omitempty"`
}

// Due returns the hook that has to run since the rollout has failed, and has not; nil: none. r.New is what it belongs to.
func (r Rollout) Due() *fleet.Hook {
	switch {
	case !r.Failed || r.New == nil || slices.Contains(r.Ran, fleet.HookOnFailure):
		return nil
	case r.Status == RolloutBack, r.Status == RolloutHalted, r.Status == RolloutPaused:
		return r.New.Hook(fleet.HookOnFailure)
	}
	return nil
}

// Quarantined reports whether a revision has failed and is not to be tried again before it changes.
func (r Rollout) Quarantined(v fleet.Revision) bool {
	if r.To != v {
		return false
	}
	switch r.Status {
	case RolloutBack, RolloutTaken, RolloutHalted:
		return true
	}
	return false
}

// Under reports whether the rollout still has something to do by itself.
func (r Rollout) Under() bool { return r.Status == RolloutRunning || r.Status == RolloutBack }
