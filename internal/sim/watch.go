package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers/fake"
)

// watch is the witness. It knows the world as it is, what is recorded and what people have asked for; of how the product decides it
// knows nothing.
type watch struct {
	tell   func(format string, args ...any)
	world  *fake.World
	ledger *ledger
	bounds map[fleet.WorkloadName]*bounds
	moves  bool // replicas may have to leave their hosts
	limits bool // limits have changed

	env     map[string]string                     // of a container, by id: what it does
	failed  map[fleet.WorkloadName]fleet.Revision // what was declared when a rollout failed
	fleet   *fleet.Fleet                          // as declared now
	made    map[string]string                     // ids by container's name
	cut     map[string]bool                       // names that a process was about to run when it was killed: they are tried again
	taken   map[fleet.ReplicaID]bool              // slots that serve no longer through our own doing
	away    map[fleet.HostName]bool               // hosts that were silent since the last rest
	pass    int                                   // plans made so far
	banned  map[ban]int                           // since which pass
	broken  []string
	before  map[fleet.ReplicaID]bool // who served before the call under way
	reached int                      // checks made
}

// ban is a revision that has failed.
type ban struct {
	workload fleet.WorkloadName
	revision fleet.Revision
}

func newWatch(w *fake.World) *watch {
	return &watch{
		world: w, ledger: newLedger(), bounds: map[fleet.WorkloadName]*bounds{}, env: map[string]string{}, failed: map[fleet.WorkloadName]fleet.Revision{}, made: map[string]string{}, cut: map[string]bool{},
		taken: map[fleet.ReplicaID]bool{}, away: map[fleet.HostName]bool{}, banned: map[ban]int{},
	}
}

func (w *watch) bad(format string, args ...any) {
	if said := fmt.Sprintf(format, args...); len(w.broken) < 20 && !slices.Contains(w.broken, said) {
		w.broken = append(w.broken, said)
		w.tell("BROKEN: %s", said)
	}
}

// standing is one container of the fleet.
type standing struct {
	fleet.Container
	host *fake.Host
}

func (s standing) live() bool {
	return s.Phase == fleet.PhaseRunning || s.Phase == fleet.PhasePaused || s.Phase == fleet.PhaseRestarting
}

// ours lists the fleet's containers.
func (w *watch) ours() (all []standing) {
	for _, h := range w.world.Hosts() {
		for _, c := range h.Containers() {
			if c.Identity.Fleet != "" {
				all = append(all, standing{c, h})
			}
		}
	}
	return all
}

// serves reports whether a container does its work at this moment.
func (w *watch) serves(s standing) bool {
	if s.Phase != fleet.PhaseRunning {
		return false
	}
	return well(w.what(s), time.Since(s.Started))
}

// what is how a container behaves.
func (w *watch) what(s standing) string {
	what, ok := w.env[s.ID]
	if !ok {
		what = behaves(s.host.Env(s.Name)[behaviour])
		w.env[s.ID] = what
	}
	return what
}

// serving is which slots have a container that does its work.
func (w *watch) serving(all []standing) map[fleet.ReplicaID]bool {
	m := map[fleet.ReplicaID]bool{}
	for _, s := range all {
		if w.serves(s) {
			m[s.Identity.Replica] = true
		}
	}
	return m
}

// looks is called right before a call takes effect.
func (w *watch) looks() {
	all := w.ours()
	w.before = w.serving(all)
	for id := range w.before {
		delete(w.taken, id)
	}
	for _, s := range all { // what has served meanwhile is no longer our doing
		if s.Phase == fleet.PhaseRunning && served(w.what(s), time.Since(s.Started)) {
			delete(w.taken, s.Identity.Replica)
		}
	}
}

// sees is called right after a call of ours took effect, or did not.
func (w *watch) sees(c fake.Call) {
	all := w.ours()
	after := w.serving(all)
	for id := range w.before {
		if !after[id] && !slices.ContainsFunc(all, func(s standing) bool { // another one of it has failed by itself
			return s.Identity.Replica == id && s.Phase == fleet.PhaseRunning && served(w.what(s), time.Since(s.Started))
		}) {
			w.taken[id] = true
		}
	}
	if c.Op == fake.OpCreate {
		w.creation(c)
	}
	w.account(all)
	w.count(all)
}

// faulted is called after something happened that is not our doing, to a container or to all of a host's.
func (w *watch) faulted(h fleet.HostName, hit func(standing) bool) {
	for _, s := range w.ours() {
		if s.host.Name() == h && hit(s) {
			delete(w.taken, s.Identity.Replica)
		}
	}
}

// silent is called when a host does not answer: what was taken there and is not there again yet will not come while it is silent, and
// people have said to go on without it.
func (w *watch) silent(h fleet.HostName) {
	w.away[h] = true
	for _, r := range w.ledger.replicas {
		if r.Host == h {
			delete(w.taken, r.Replica)
		}
	}
}

// creation checks a container that was just made: its generation is new, and its revision not one that has failed.
func (w *watch) creation(c fake.Call) {
	seen, ok := w.world.Host(c.Host).Container(c.Object)
	if !ok || seen.Identity.Fleet == "" {
		return
	}
	if was := w.made[c.Object]; was != "" && was != seen.ID && !w.cut[c.Object] {
		w.bad("%s was made twice", c.Object)
	}
	again := w.made[c.Object] == seen.ID || w.cut[c.Object]
	w.made[c.Object] = seen.ID
	id := seen.Identity
	if since, ok := w.banned[ban{id.Replica.Workload, id.Revision}]; ok && since < w.pass && !again {
		w.bad("%s is of revision %s, which has failed before", c.Object, id.Revision.Short())
	}
}

// account checks that each container has a record or an intent, and that strangers are untouched.
func (w *watch) account(all []standing) {
	w.reached++
	for _, s := range all {
		if w.ledger.known[s.ID] == 0 && w.ledger.known[s.Name] == 0 {
			w.bad("%s on %s has neither a record nor an intent", s.Name, s.host.Name())
		}
	}
}

// count checks the numbers: who is missing through our doing, who is there beyond what is wanted, who is there twice.
func (w *watch) count(all []standing) {
	live := map[fleet.WorkloadName]int{}
	slots := map[fleet.ReplicaID]int{}
	for _, s := range all {
		if !s.live() {
			continue
		}
		slots[s.Identity.Replica]++
		if !w.away[s.host.Name()] {
			live[s.Identity.Replica.Workload]++
		}
	}
	missing := map[fleet.WorkloadName]int{}
	for id := range w.taken {
		if b := w.bounds[id.Workload]; b != nil && int(id.Slot) < b.least {
			missing[id.Workload]++
		}
	}
	for name, b := range w.bounds {
		if missing[name] > b.unavailable {
			w.bad("%d replicas of %s are missing through our own doing, and %d may", missing[name], name, b.unavailable)
		}
		if live[name] > b.most+b.surge {
			w.bad("%d replicas of %s are live: %d wanted, %d more allowed", live[name], name, b.most, b.surge)
		}
	}
	for id, n := range slots {
		if b := w.bounds[id.Workload]; n > 1 && b != nil && b.single {
			w.bad("%s has %d live containers and is exclusive", id, n)
		}
	}
}

// strangers checks that what is not ours is untouched.
func (w *watch) strangers() {
	for _, h := range w.world.Hosts() {
		c, ok := h.Container(stranger)
		if !ok || c.Phase != fleet.PhaseRunning || c.Restarts > 0 {
			w.bad("%s: the stranger's container is gone or was touched", h.Name())
		}
		if !slices.Contains(h.Volumes(), theirs) || !slices.Contains(h.Networks(), theirs) {
			w.bad("%s: a stranger's volume or network is gone", h.Name())
		}
	}
}

// forget drops what is known of slots that are given up: they count from 1 again.
func (w *watch) forget() {
	kept := map[fleet.ReplicaID]bool{}
	for _, r := range w.ledger.replicas {
		kept[r.Replica] = true
	}
	for _, in := range w.ledger.intents {
		if id, ok := in.Addr.Replica(); ok {
			kept[id] = true
		}
	}
	for _, s := range w.ours() {
		kept[s.Identity.Replica] = true
	}
	names := map[string]bool{}
	for id := range kept {
		for g := range fleet.Generation(100) {
			names[fleet.ContainerName("shop", id, g)] = true
		}
	}
	for name := range w.made {
		if !names[name] {
			delete(w.made, name)
		}
	}
}
