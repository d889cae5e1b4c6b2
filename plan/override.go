package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// Ended is an override that is no longer in force.
type Ended struct {
	state.Override
	Why string `json:"why"` // for people: "its time is up"
}

// Numbers are the numbers of replicas that people have set in place of the configuration's.
type Numbers struct {
	InForce []state.Override // sorted by workload
	Ended   []Ended          // likewise
}

// Override reads from the record which overrides are in force at a moment, held against the configuration's own numbers, and which
// have ended. made is one that the plan is to make, or to end where it sets the configuration's own number; nil: none.
func Override(configured *fleet.Fleet, s *state.Snapshot, made *state.Override, now time.Time) Numbers {
	var n Numbers
	own := make(map[fleet.WorkloadName]int, len(configured.Workloads))
	for _, w := range configured.Workloads {
		own[w.Name] = w.Replicas
	}
	for _, name := range slices.Sorted(maps.Keys(s.Overrides)) {
		o := s.Overrides[name]
		number, declared := own[name]
		switch {
		case made != nil && made.Workload == name:
			if made.Replicas == made.Configured {
				n.Ended = append(n.Ended, Ended{o, "it was ended by " + made.Who})
			}
		case !declared:
			n.Ended = append(n.Ended, Ended{o, "the workload is not in the configuration any more"})
		case o.Expired(now):
			n.Ended = append(n.Ended, Ended{o, "its time is up"})
		case !o.InForce(number, now):
			n.Ended = append(n.Ended, Ended{o, fmt.Sprintf("the configuration's own number was changed from %d to %d", o.Configured, number)})
		default:
			n.InForce = append(n.InForce, o)
		}
	}
	if made != nil && made.Replicas != made.Configured {
		n.InForce = append(n.InForce, *made)
		slices.SortFunc(n.InForce, func(a, b state.Override) int { return cmp.Compare(a.Workload, b.Workload) })
	}
	return n
}

// On returns the fleet with the numbers that are in force. The fleet handed in is not changed.
func (n Numbers) On(f *fleet.Fleet) *fleet.Fleet {
	out := f
	for _, o := range n.InForce {
		i := slices.IndexFunc(f.Workloads, func(w fleet.Workload) bool { return w.Name == o.Workload })
		if i < 0 || f.Workloads[i].Replicas == o.Replicas {
			continue
		}
		if out == f {
			copied := *f
			copied.Workloads = slices.Clone(f.Workloads)
			out = &copied
		}
		out.Workloads[i].Replicas = o.Replicas
	}
	return out
}

// overrides says which numbers are not the configuration's, in every plan until they are.
func (t *text) overrides() {
	for _, o := range t.plan.Overrides {
		t.printf("%s %s\n", t.style.change("Override:"), OverrideText(o, t.plan.Created))
	}
	for _, e := range t.plan.Ended {
		t.printf("%s that of workload.%s (%s, by %s) no longer counts: %s\n", t.style.change("Override:"), e.Workload, replicas(e.Replicas), e.Who, e.Why)
	}
	if len(t.plan.Overrides)+len(t.plan.Ended) > 0 {
		t.printf("\n")
	}
}

// OverrideText says what an override sets, who made it, until when it counts, and how to end it. The end is told in the time zone of
// now.
func OverrideText(o state.Override, now time.Time) string {
	until := "until the configuration's own number changes"
	if !o.Until.IsZero() {
		at := o.Until.In(now.Location())
		layout := "2006-01-02 15:04 MST"
		if at.Format(time.DateOnly) == now.Format(time.DateOnly) {
			layout = "15:04 MST"
		}
		until = "until " + at.Format(layout)
	}
	return fmt.Sprintf("workload.%s has %s instead of %d, by %s %s (stowage scale %s=config ends it)",
		o.Workload, replicas(o.Replicas), o.Configured, o.Who, until, o.Workload)
}
