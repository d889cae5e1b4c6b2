package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// TestSettle: who has a slot beside whose container a rollout that was cut off has put another one.
func TestSettle(t *testing.T) {
	good, bad := fleet.Workload{Name: "web"}, fleet.Workload{Name: "web"}
	good.Spec.Image.Ref, bad.Spec.Image.Ref = "web:1", "web:2"
	id := fleet.ReplicaID{Workload: "web"}
	for _, c := range []struct {
		name    string
		want    fleet.Workload
		status  state.RolloutStatus
		proven  bool
		gone    bool        // the recorded container
		phase   fleet.Phase // of the one before it
		inOrder string      // who has the slot, and then who is left over
		intent  bool        // that of its removal stands for the one before it
	}{
		{name: "on the way back", want: good, status: state.RolloutBack, phase: fleet.PhaseRunning, inOrder: "old new", intent: true},
		{name: "on the way back, the new one gone", want: good, status: state.RolloutBack, gone: true, phase: fleet.PhaseRunning, inOrder: "old", intent: true},
		{name: "going on", want: bad, status: state.RolloutRunning, phase: fleet.PhaseRunning, inOrder: "new old"},
		{name: "proven", want: good, status: state.RolloutBack, proven: true, phase: fleet.PhaseRunning, inOrder: "new old"},
		{name: "the old one has ended", want: good, status: state.RolloutBack, phase: fleet.PhaseExited, inOrder: "new old"},
		{name: "no rollout", want: good, status: state.RolloutDone, phase: fleet.PhaseRunning, inOrder: "new old"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rec := &state.Replica{Replica: id, Generation: 2, Host: "h1", Container: "new", Revision: bad.Spec.Digest(), Proven: c.proven}
			held := Holding{Replica: id, Presence: Gone, Host: "h1", Record: rec, Last: 2}
			if !c.gone {
				held.Presence, held.Container = Seen, &fleet.Container{ID: "new", Identity: fleet.Identity{Replica: id, Generation: 2}}
			}
			old := &fleet.Container{ID: "old", Name: "shop-web-0-g1", Phase: c.phase, Identity: fleet.Identity{Replica: id, Generation: 1}}
			inv := Inventory{
				Slots: []Holding{held}, Leftovers: []Leftover{{"h1", old}},
				Intents: []Interrupted{{Intent: &state.Intent{Host: "h1", Kind: string(KindRemove), Object: "shop-web-0-g1"}, Known: true}},
			}
			snap := &state.Snapshot{Rollouts: map[fleet.WorkloadName]state.Rollout{"web": {Workload: "web", To: bad.Spec.Digest(), Status: c.status}}}
			inv.Settle(&fleet.Fleet{Workloads: []fleet.Workload{c.want}}, snap)
			got := ""
			if h := inv.Slots[0]; h.Container != nil {
				got = h.Container.ID
			}
			for _, l := range inv.Leftovers {
				got += " " + l.Container.ID
			}
			if d := cmp.Diff(c.inOrder, got); d != "" {
				t.Errorf("who has the slot, and who is left (-want +got):\n%s", d)
			}
			if stands := inv.Intents[0].Container == old; stands != c.intent {
				t.Errorf("the intent stands for the old one: got %v, want %v", stands, c.intent)
			}
		})
	}
}
