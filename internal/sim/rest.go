package sim

import (
	"strings"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// rest checks what must hold when nothing is left to do: containers = records = what is wanted.
func (w *watch) rest(f *fleet.Fleet) {
	w.strangers()
	for _, in := range w.ledger.intents {
		if id, ok := in.Addr.Replica(); ok && w.waits(id.Workload) {
			continue
		}
		w.bad("at rest there is an intent to %s %s on %s", in.Kind, in.Object, in.Host)
	}
	held := map[fleet.ReplicaID]standing{}
	for _, s := range w.ours() {
		id := s.Identity.Replica
		if other, ok := held[id]; ok && !w.waits(id.Workload) {
			w.bad("at rest %s has two containers: %s on %s and %s on %s", id, other.Name, other.host.Name(), s.Name, s.host.Name())
		}
		held[id] = s
		rec, ok := w.ledger.replicas[state.ReplicaKey(id)]
		if w.waits(id.Workload) {
			continue
		}
		if !ok || rec.Container != s.ID || rec.Host != s.host.Name() || rec.Generation != s.Identity.Generation {
			w.bad("at rest %s on %s is recorded as %+v", s.Name, s.host.Name(), rec)
		}
	}
	for _, r := range w.ledger.replicas {
		if _, ok := held[r.Replica]; !ok && r.Container != "" && !w.waits(r.Replica.Workload) {
			w.bad("at rest %s is recorded and not there", r.Replica)
		}
	}
	for i := range f.Workloads {
		w.restOf(&f.Workloads[i], held)
	}
}

// waits reports whether a workload is left as it stands until somebody says how to go on.
func (w *watch) waits(name fleet.WorkloadName) bool {
	s := w.ledger.rollouts[name].Status
	return s == state.RolloutHalted || s == state.RolloutPaused
}

// restOf checks one workload.
func (w *watch) restOf(x *fleet.Workload, held map[fleet.ReplicaID]standing) {
	r, ok := w.ledger.rollouts[x.Name]
	if ok && (r.Status == state.RolloutRunning || r.Status == state.RolloutBack) {
		w.bad("at rest the rollout of %s is %s", x.Name, r.Status)
	}
	if w.waits(x.Name) || ok && r.Status == state.RolloutCanary {
		return
	}
	want := x
	if ok && r.Status == state.RolloutTaken && r.Good != nil && w.failed[x.Name] == x.Spec.Digest() {
		want = r.Good
	}
	for id := range held {
		if id.Workload == x.Name && int(id.Slot) >= want.Replicas {
			w.bad("at rest %s is there, of %d", id, want.Replicas)
		}
	}
	for i := range want.Replicas {
		id := fleet.ReplicaID{Workload: x.Name, Slot: fleet.Slot(i)}
		s, ok := held[id]
		if !ok {
			w.bad("at rest %s is not there, of %d", id, want.Replicas)
			continue
		}
		spec, _, _ := s.host.Request(s.Name)
		if spec.Env[behaviour] != want.Spec.Env[behaviour] || spec.Image.Ref != want.Spec.Image.Ref {
			w.bad("at rest %s runs %s of %s, and not %s of %s", id, spec.Env[behaviour].Plain, spec.Image.Ref, want.Spec.Env[behaviour].Plain, want.Spec.Image.Ref)
		}
		if s.Phase != fleet.PhaseRunning && behaves(spec.Env[behaviour].Plain) != exits {
			w.bad("at rest %s is %s", id, s.Phase)
		}
	}
}

// leaves reports whether a change may make replicas leave their hosts.
func leaves(said string) bool {
	for _, word := range []string{"drain", "hosts", "port"} {
		if strings.Contains(said, word) {
			return true
		}
	}
	return false
}
