package plan

import (
	"slices"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// guards binds the plan to the records it relies on: the fleet's identity, the latest release, the overrides, and every
// record that a step changes.
func (m *maker) guards() {
	keys := make([]state.Key, 0, len(m.list)+2)
	keys = append(keys, state.MetaKey(), state.LatestKey())
	for i := range m.list {
		r := &m.list[i].Record
		switch {
		case r.PutReplica != nil:
			keys = append(keys, state.ReplicaKey(r.PutReplica.Replica))
		case r.DeleteReplica != nil:
			keys = append(keys, state.ReplicaKey(*r.DeleteReplica))
		case r.PutVolume != nil:
			keys = append(keys, state.VolumeKey(r.PutVolume.Host, r.PutVolume.Engine))
		case r.DeleteVolume != nil:
			keys = append(keys, state.VolumeKey(r.DeleteVolume.Host, r.DeleteVolume.Engine))
		case r.PutNetwork != nil:
			keys = append(keys, state.NetworkKey(r.PutNetwork.Host, r.PutNetwork.Engine))
		case r.DeleteNetwork != nil:
			keys = append(keys, state.NetworkKey(r.DeleteNetwork.Host, r.DeleteNetwork.Engine))
		case r.DeleteHost != "":
			keys = append(keys, state.HostKey(r.DeleteHost))
		}
		for _, op := range r.DeleteIntents {
			keys = append(keys, state.IntentKey(op))
		}
	}
	for i := range m.plan.Changes {
		if a := m.plan.Changes[i].Addr; ofReplicas(a) {
			if _, ok := m.byName[fleet.WorkloadName(a.Name())]; ok {
				keys = append(keys, state.WorkloadKey(fleet.WorkloadName(a.Name())))
			}
		}
	}
	for _, o := range m.plan.Overrides {
		keys = append(keys, state.OverrideKey(o.Workload))
	}
	for _, o := range m.plan.Ended {
		keys = append(keys, state.OverrideKey(o.Workload))
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	m.plan.Guards = make([]Guard, 0, len(keys))
	for _, k := range keys {
		m.plan.Guards = append(m.plan.Guards, Guard{Key: k, Serial: m.snap.Serials[k]})
	}
}
