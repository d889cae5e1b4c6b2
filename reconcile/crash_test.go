package reconcile_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/providers/fake"
	"github.com/stowage-run/stowage/reconcile"
	"github.com/stowage-run/stowage/state"
	"github.com/stowage-run/stowage/state/memory"
)

// point is where a process dies: at the nth change that it makes on a host, or at the nth record that it
// writes or deletes; before the change, or after it and before the process learns of it.
//
// Records are counted, not transactions: which records share one depends on who is quicker, their number does not.
type point struct {
	store bool
	n     int
	after bool
}

func (p point) String() string {
	what, when := "call", "before"
	if p.store {
		what = "record"
	}
	if p.after {
		when = "after"
	}
	return fmt.Sprintf("%s %s %d", when, what, p.n)
}

// killer ends a process at a point and watches, all the time, that nothing of ours is unaccounted for.
type killer struct {
	rig    *rig
	at     point
	cancel context.CancelFunc

	mu     sync.Mutex
	calls  int
	target int // the number of the call at the point
	ops    int
	dead   bool
	next   *memory.Store // what is left after death
	made   map[string]string
	broken []string
}

// watch makes k the rig's killer. The zero point never comes.
func (k *killer) watch(r *rig, at point) {
	k.rig, k.at, k.calls, k.target, k.ops, k.dead, k.next = r, at, 0, 0, 0, false, nil
	r.ctx, k.cancel = context.WithCancel(r.t.Context())
	s := r.store.(*memory.Store)
	s.BeforeCommit = func(t state.Txn) error { k.commit(s, t, false); return nil }
	s.AfterCommit = func(t state.Txn) error { k.commit(s, t, true); k.account(s); return nil }
	r.world.SetHook(fake.Hook{
		Before: func(c fake.Call) error { return k.call(s, c, nil, false) },
		After:  func(c fake.Call, err error) error { k.note(s, c, err); return k.call(s, c, err, true) },
	})
}

// die is the end of the process.
func (k *killer) die(s *memory.Store) {
	k.dead = true
	k.next = s.Crash()
	k.cancel()
}

func (k *killer) commit(s *memory.Store, t state.Txn, after bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := len(t.Put) + len(t.Delete)
	if !after {
		k.ops += n
	}
	if !k.dead && k.at.store && k.at.after == after && k.ops >= k.at.n && k.ops-n < k.at.n {
		k.die(s)
	}
}

func (k *killer) call(s *memory.Store, c fake.Call, err error, after bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !after && c.Op.Mutates() {
		if k.calls++; k.calls == k.at.n {
			k.target = c.N
		}
	}
	if k.dead {
		if after {
			return err // it was on its way already
		}
		return gone(c)
	}
	if !k.at.store && c.Op.Mutates() && k.at.after == after && k.target == c.N {
		k.die(s)
		return gone(c)
	}
	return err
}

func gone(c fake.Call) error {
	if c.Op.Mutates() {
		return providers.ErrUnknown
	}
	return providers.ErrUnreachable
}

// note checks that no generation is used twice.
func (k *killer) note(s *memory.Store, c fake.Call, err error) {
	if c.Op != fake.OpCreate || err != nil {
		return
	}
	if seen, ok := k.rig.world.Host(c.Host).Container(c.Object); ok {
		k.mu.Lock()
		if was := k.made[c.Object]; was != "" && was != seen.ID {
			k.broken = append(k.broken, fmt.Sprintf("%s was made twice", c.Object))
		}
		k.made[c.Object] = seen.ID
		k.mu.Unlock()
	}
	k.account(s)
}

// account checks that each container of ours has a record or an intent. Those that are seen both before and
// after the state is read had to have one in it.
func (k *killer) account(s *memory.Store) {
	ours := func() map[string]fleet.Container {
		m := map[string]fleet.Container{}
		for _, h := range k.rig.world.Hosts() {
			for _, c := range h.Containers() {
				if c.Identity.Fleet != "" {
					m[c.ID] = c
				}
			}
		}
		return m
	}
	before := ours()
	snap, err := state.Load(context.Background(), s)
	if err != nil {
		return // dead
	}
	known := map[string]bool{}
	for _, r := range snap.Replicas {
		known[r.Container] = true
	}
	for _, i := range snap.Intents {
		known[i.Object] = true
	}
	after := ours()
	for id, c := range before {
		made := fleet.ContainerName("shop", c.Identity.Replica, c.Identity.Generation) // somebody may have renamed it
		if _, still := after[id]; still && !known[id] && !known[c.Name] && !known[made] {
			k.mu.Lock()
			k.broken = append(k.broken, fmt.Sprintf("%s has neither a record nor an intent", c.Name))
			k.mu.Unlock()
		}
	}
}

// rest lets the watched process be the last one.
func (k *killer) rest(r *rig) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r.world.SetHook(fake.Hook{})
	k.cancel()
	r.ctx = r.t.Context()
	if k.dead {
		r.open(k.next)
		return
	}
	s := r.store.(*memory.Store)
	s.BeforeCommit, s.AfterCommit = nil, nil
}

// scenario is a fleet that is as it should be, and a change of mind.
type scenario struct {
	name   string
	hosts  []fleet.HostName
	before *fleet.Fleet // nil: nothing was ever applied
	after  *fleet.Fleet
	opt    reconcile.Options
}

func scenarios() []scenario {
	abc := []fleet.HostName{"a", "b", "c"}
	rich := func(n int) *fleet.Fleet {
		f := shop(n, abc...)
		f.Networks = []fleet.Network{{Name: "app", Driver: "bridge"}}
		f.Volumes = []fleet.Volume{{Name: "data", Driver: "local", PerReplica: true}}
		f.Workloads[0].Spec.Networks = []fleet.NetworkName{"app"}
		f.Workloads = append(f.Workloads, workload("db", 1))
		f.Workloads[1].Spec.Mounts = []fleet.Mount{{Target: "/data", Kind: fleet.MountVolume, Volume: "data"}}
		f.Workloads[0].DependsOn = []fleet.Addr{"workload.db"}
		sortWorkloads(f)
		return f
	}
	none := &fleet.Fleet{Name: "shop", Hosts: shop(0, abc...).Hosts}
	limits := shop(3, abc...)
	limits.Workloads[0].Spec.Limits.Memory = 64 * fleet.MiB
	return []scenario{
		{name: "create", hosts: abc, after: rich(5)},
		{name: "scale up", hosts: abc, before: shop(2, abc...), after: shop(6, abc...)},
		{name: "scale down", hosts: abc, before: shop(6, abc...), after: shop(2, abc...)},
		{name: "replace", hosts: abc, before: shop(3, abc...), after: with(shop(3, abc...), "bar")},
		{name: "update", hosts: abc, before: shop(3, abc...), after: limits},
		{name: "move", hosts: abc, before: shop(6, abc...), after: shop(6, "a", "b")},
		{name: "destroy", hosts: abc, before: rich(4), after: none, opt: reconcile.Options{Mode: plan.Destroy, Volumes: true}},
	}
}

// start makes a rig in which the scenario's change is about to be applied, and a killer that watches.
func (s scenario) start(t *testing.T, at point) (*rig, *killer) {
	t.Helper()
	r := newRig(t, s.hosts...)
	if s.before != nil {
		r.must(s.before, reconcile.Options{})
	}
	k := &killer{made: map[string]string{}}
	for _, h := range r.world.Hosts() {
		for _, c := range h.Containers() {
			k.made[c.Name] = c.ID
		}
	}
	k.watch(r, at)
	return r, k
}

// survives dies at a point, and again at others if there are any, then lets one more process finish. It reports
// how many deaths there were.
func (s scenario) survives(t *testing.T, points ...point) (deaths int) {
	t.Helper()
	r, k := s.start(t, points[0])
	for i := range points {
		if i > 0 {
			k.watch(r, points[i])
		}
		_, err := r.run(s.after, s.opt)
		if k.dead {
			deaths++
		} else if err != nil {
			t.Errorf("%s %v: not killed, and yet: %v", s.name, points, err)
		}
		k.rest(r)
	}
	k.watch(r, point{})
	rep, err := r.run(s.after, s.opt)
	if err != nil || rep.Result != state.PlanDone {
		t.Errorf("%s %v: the process after it ended with %+v, %v", s.name, points, rep, err)
		return deaths
	}
	k.rest(r)
	problems := append(r.problems(s.after), k.broken...)
	if p := r.plan(s.after, reconcile.Options{}); !p.Empty() {
		problems = append(problems, "the plan after it is not empty:\n"+describe(p))
	}
	if len(problems) > 0 {
		t.Errorf("%s %v:\n  %s", s.name, points, strings.Join(problems, "\n  "))
	}
	return deaths
}

// size is how many calls and records an unharmed run makes.
func (s scenario) size(t *testing.T) (calls, records int) {
	t.Helper()
	r, k := s.start(t, point{})
	rep, err := r.run(s.after, s.opt)
	if err != nil || rep.Result != state.PlanDone {
		t.Fatalf("%s: %+v, %v", s.name, rep, err)
	}
	k.rest(r)
	if len(k.broken) > 0 {
		t.Errorf("%s: %v", s.name, slices.Compact(k.broken))
	}
	return k.calls, k.ops
}

// points is every point of a run of that size.
func points(calls, records int) []point {
	var all []point
	for _, after := range []bool{false, true} {
		for n := 1; n <= calls; n++ {
			all = append(all, point{false, n, after})
		}
		for n := 1; n <= records; n++ {
			all = append(all, point{true, n, after})
		}
	}
	return all
}

func TestKilledAnywhere(t *testing.T) {
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			calls, records := s.size(t)
			if calls == 0 || records < 2*calls {
				t.Fatalf("%d calls and %d records: each call takes an intent and its removal", calls, records)
			}
			all, deaths := points(calls, records), 0
			for _, p := range all {
				deaths += s.survives(t, p)
			}
			if deaths != len(all) {
				t.Errorf("%d of %d points killed: the test does not test what it says", deaths, len(all))
			}
			t.Logf("%d calls, %d records, %d deaths", calls, records, deaths)
		})
	}
}

func TestKilledTwice(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, s := range scenarios() {
		calls, records := s.size(t)
		all, deaths := points(calls, records), 0
		for range 40 {
			second := all[rnd.IntN(len(all))]
			second.n = 1 + rnd.IntN(max(1, second.n/2)) // there is less left to do
			deaths += s.survives(t, all[rnd.IntN(len(all))], second)
		}
		if deaths < 50 {
			t.Errorf("%s: only %d deaths in 40 runs that were to die twice", s.name, deaths)
		}
	}
}
