package plan

import (
	"fmt"
	"slices"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/internal/sim/bug"
	"github.com/stowage-run/stowage/state"
)

// Hold puts what is recorded of rollouts in the place of what is wanted. A revision that failed, and has not changed since, gives way
// to what was last good; a workload whose rollout is paused is frozen as it stands, and of one whose canaries wait only that is said.
// pinned is not changed. With force what failed is tried again.
func Hold(pinned *fleet.Fleet, s *state.Snapshot, force bool) (to *fleet.Fleet, held []Held, frozen map[fleet.WorkloadName]bool) {
	to, frozen = pinned, map[fleet.WorkloadName]bool{}
	for i := range pinned.Workloads {
		w := &pinned.Workloads[i]
		r, ok := s.Rollouts[w.Name]
		if !ok || r.To != w.Spec.Digest() || force || bug.QuarantineForgotten {
			continue // whatever became of an older change: a newer one wins
		}
		h := Held{Workload: w.Name, Revision: r.To, Status: r.Status, Why: r.Why, Release: r.Release, Good: r.GoodRelease}
		switch {
		case r.Status == state.RolloutPaused, r.Quarantined(r.To) && r.Good == nil, r.Status == state.RolloutHalted:
			frozen[w.Name], h.Frozen = true, true
		case r.Quarantined(r.To):
			if to == pinned {
				copied := *pinned
				copied.Workloads = slices.Clone(pinned.Workloads)
				to = &copied
			}
			to.Workloads[i] = *r.Good
		case r.Status == state.RolloutCanary: // what is not a canary is left as it is, see canaries
		default:
			continue
		}
		held = append(held, h)
	}
	return to, held, frozen
}

// goesOut says what of a workload goes out with the plan, and which way leads back.
func (m *maker) goesOut(w *work) Rollout {
	if m.opt.Mode != Normal || !gated(w.want) || w.want.Job != nil || w.blocked || m.frozen(w.name) {
		return Rollout{}
	}
	rec, ok := m.snap.Rollouts[w.name]
	r := Rollout{To: w.rev, OnFailure: w.want.Update.OnFailure, Canaries: w.waits, Partial: w.partial()}
	switch {
	case ok && rec.Status == state.RolloutBack && rec.Good != nil && rec.Good.Spec.Digest() == w.rev:
		r.Back, r.Goes = true, true
	case ok && rec.To == w.rev && rec.Under():
		r.Goes = true
		r.Good, r.GoodRelease = rec.Good, rec.GoodRelease
	case w.old == nil:
	case w.old.Spec.Digest() == w.rev:
		return Rollout{} // it is what it was, and only moves, grows or shrinks
	case ok && rec.Status != state.RolloutDone:
		r.Good, r.GoodRelease = rec.Good, rec.GoodRelease // what came after it was never good
	default:
		r.Good, r.GoodRelease = w.old, m.snap.Release
		if ok {
			r.GoodRelease = rec.Release
		}
	}
	return r
}

// partial reports whether a replica is to change, and not by this plan: it was not asked for, or its host is silent.
func (w *work) partial() bool {
	for i := range w.slots {
		if s := &w.slots[i]; s.left && s.wanted() && !s.waits && (s.have == nil || s.have.Revision() != w.rev) {
			return true
		}
	}
	return false
}

// promoted reports whether an update with canaries may go on beyond them.
func (m *maker) promoted(w *work) bool {
	u := w.want.Update
	if u.Canary == 0 || u.AutoPromote {
		return true
	}
	rec, ok := m.snap.Rollouts[w.name]
	if !ok || w.old == nil {
		return w.old == nil // of the first deployment nothing old is left to compare with
	}
	return rec.To == w.rev && rec.Promoted || rec.Status == state.RolloutBack || rec.To != w.rev && w.old.Spec.Digest() == w.rev
}

// canaries returns the part of a chain that may go now: all of it, or what is missing of the canaries.
func (m *maker) canaries(w *work, chain []*slot) []*slot {
	if m.promoted(w) {
		return chain
	}
	have := 0
	for i := range w.slots {
		if s := &w.slots[i]; s.wanted() && s.have != nil && s.have.Presence == Seen && s.have.Revision() == w.rev {
			have++
		}
	}
	var now []*slot
	for _, s := range chain {
		if s.delta == nil {
			now = append(now, s) // it only moves
		} else if have < w.want.Update.Canary {
			now, have = append(now, s), have+1
		} else {
			s.left, s.waits, s.action, w.waits = true, true, "", true
		}
	}
	return now
}

// said is the part of a rollout's line that says when a replica counts and what happens when one does not.
func (m *maker) safety(w *work, r Rollout) string {
	if r.To == "" {
		return ""
	}
	u := w.want.Update
	s := "each healthy"
	if u.MinHealthyTime > 0 && w.most > 0 {
		s += " for " + u.MinHealthyTime.String()
	}
	if u.HealthyDeadline > 0 {
		s += " within " + u.HealthyDeadline.String()
	}
	switch {
	case r.Back:
		s += "; this is the way back to what was good"
	case u.OnFailure == fleet.FailurePause:
		s += ", else it pauses"
	case u.OnFailure == fleet.FailureContinue:
		s += ", else it goes on all the same"
	case r.Good != nil:
		s += fmt.Sprintf(", else all of it goes back to release %d", r.GoodRelease)
	}
	if r.Canaries {
		s += fmt.Sprintf("; the others wait for `stowage promote %s`", w.name)
	}
	return s
}

// frozen reports whether a workload waits for a person and is left as it stands.
func (m *maker) frozen(n fleet.WorkloadName) bool {
	return slices.ContainsFunc(m.in.Held, func(h Held) bool { return h.Frozen && h.Workload == n })
}
