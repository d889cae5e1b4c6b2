package reconcile_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stowage-run/stowage/apply"
	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/providers/fake"
	"github.com/stowage-run/stowage/reconcile"
	"github.com/stowage-run/stowage/state"
	"github.com/stowage-run/stowage/state/memory"
)

// TestStillUnknown: the answer to a create is lost together with the host. Nobody knows, so the intent stays, what needs
// the step is skipped, and the next apply takes over what is there.
func TestStillUnknown(t *testing.T) {
	for _, kind := range []fake.FaultKind{fake.CutBefore, fake.CutAfter} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, "a")
			f := shop(1, "a")
			f.Workloads = append(f.Workloads, workload("zeta", 1))
			f.Workloads[1].DependsOn = []fleet.Addr{"workload.web"}
			r.world.Inject(fake.Fault{Op: fake.OpCreate, Kind: kind, Times: 1})
			var once sync.Once
			r.world.SetHook(fake.Hook{After: func(c fake.Call, err error) error {
				if c.Op == fake.OpCreate {
					once.Do(func() { r.world.Host("a").SetDown(true) })
				}
				return err
			}})
			rep, err := r.run(f, reconcile.Options{})
			if err != nil || rep.Result != state.PlanFailed {
				t.Fatalf("got %+v, %v", rep, err)
			}
			if len(rep.Unknown) != 1 || len(rep.Skipped) != 1 || rep.Skipped[0].Because != apply.BecauseNeeds {
				t.Errorf("unknown %v, skipped %v", rep.Unknown, rep.Skipped)
			}
			if in := r.load().Intents; len(in) != 1 || in[0].Object != "shop-web-0-g1" {
				t.Errorf("intents: %+v", in)
			}
			r.world.SetHook(fake.Hook{})
			r.world.Host("a").SetDown(false)
			r.must(f, reconcile.Options{})
			r.settled(f)
			r.empty(f)
		})
	}
}

// TestStateFull: what cannot be recorded is not done. The write fails at each place in turn, that of a result which
// takes the next step's intent along among them.
func TestStateFull(t *testing.T) {
	f := shop(6, "a", "b")
	for n := 1; ; n++ {
		r := newRig(t, "a", "b")
		r.meta()
		r.store.(*memory.Store).FailAt(n, state.ErrFull)
		rep, err := r.runAs(f, reconcile.Options{}, reconcile.ApplyOptions{PerHost: 1})
		if err == nil && rep.Result == state.PlanDone {
			if n < 4 {
				t.Errorf("only %d writes", n-1)
			}
			return
		}
		if !errors.Is(err, state.ErrFull) {
			t.Errorf("write %d: got %+v, %v; want ErrFull", n, rep, err)
		}
		known := map[string]bool{}
		snap := r.load()
		for _, rec := range snap.Replicas {
			known[rec.Container] = true
		}
		for _, i := range snap.Intents {
			known[i.Object] = true
		}
		for _, h := range r.world.Hosts() {
			for _, c := range h.Containers() {
				if c.Identity.Fleet != "" && !known[c.ID] && !known[c.Name] {
					t.Errorf("write %d: %s has neither a record nor an intent", n, c.Name)
				}
			}
		}
		r.must(f, reconcile.Options{})
		r.settled(f)
		if n > 50 {
			t.Fatal("never ends")
		}
	}
}

// TestFewTransactions: a result and the intent of the next step are written together, one transaction a container where
// there is much to do.
func TestFewTransactions(t *testing.T) {
	const replicas = 40
	r := newRig(t, "a")
	r.meta()
	n := 0
	r.store.(*memory.Store).AfterCommit = func(state.Txn) error { n++; return nil }
	f := shop(replicas, "a")
	if _, err := r.runAs(f, reconcile.Options{}, reconcile.ApplyOptions{PerHost: 1}); err != nil {
		t.Fatal(err)
	}
	r.settled(f)
	if most := replicas + 10; n > most {
		t.Errorf("got %d transactions for %d containers, want at most %d", n, replicas, most)
	}
}

// TestManyGuards: a plan relies on more records than one transaction can have conditions.
func TestManyGuards(t *testing.T) {
	r := newRig(t, "a", "b", "c")
	f := shop(300, "a", "b", "c")
	r.must(f, reconcile.Options{})
	p := r.plan(with(f, "new"), reconcile.Options{})
	if len(p.Guards) <= state.MaxTxnOps {
		t.Fatalf("%d guards", len(p.Guards))
	}
	last := p.Guards[len(p.Guards)-1]
	for _, g := range p.Guards {
		if r, ok := g.Key.Replica(); ok && r.Slot > 200 {
			last = g
		}
	}
	id, ok := last.Key.Replica()
	if !ok {
		t.Fatalf("%s is no replica's", last.Key)
	}
	l, err := r.store.Lock(t.Context(), state.Holder{ID: "x"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Unlock()
	var c state.Changes
	rec := r.load().Replicas[id]
	rec.Generation++
	c.PutReplica(rec)
	if err := state.NewWriter(r.store, l.Epoch()).Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	r.world.ResetCounts()
	if _, err := r.pass.Apply(t.Context(), p, nil, l, reconcile.ApplyOptions{}); codeOf(err) != diag.CodeStalePlan {
		t.Errorf("got %v, want %s", err, diag.CodeStalePlan)
	}
	for op, n := range r.world.Counts() {
		if op.Mutates() && n > 0 {
			t.Errorf("%d of %s", n, op)
		}
	}
}

// TestRefreshOnly: the record follows what is there, and no host is changed.
func TestRefreshOnly(t *testing.T) {
	r := newRig(t, "a", "b")
	f := shop(4, "a", "b")
	r.must(f, reconcile.Options{})
	r.world.Host("a").Remove("shop-web-0-g1")
	r.world.Host("b").Stop("shop-web-1-g1")
	before := r.where()
	release := r.load().Release
	r.world.ResetCounts()
	if rep := r.must(f, reconcile.Options{Mode: plan.RefreshOnly}); rep.Steps == 0 {
		t.Error("nothing was recorded")
	}
	for op, n := range r.world.Counts() {
		if op.Mutates() && n > 0 {
			t.Errorf("%d of %s", n, op)
		}
	}
	if got := r.where(); got != before {
		t.Errorf("changed:\n%s\nwas:\n%s", got, before)
	}
	s := r.load()
	if rec := s.Replicas[fleet.ReplicaID{Workload: "web", Slot: 0}]; rec.Container != "" {
		t.Errorf("the removed container is still recorded: %+v", rec)
	}
	if s.Release != release {
		t.Errorf("release %d, was %d: a refresh makes none", s.Release, release)
	}
	if p := r.plan(f, reconcile.Options{Mode: plan.RefreshOnly}); len(p.Steps) > 0 {
		t.Errorf("not empty:\n%s", describe(p))
	}
	r.must(f, reconcile.Options{})
	r.settled(f)
}

// TestTargets: a plan with targets leaves the others alone, also where they would have to change.
func TestTargets(t *testing.T) {
	r := newRig(t, "a", "b")
	f := shop(2, "a", "b")
	f.Workloads = append(f.Workloads, workload("zeta", 2))
	r.must(f, reconcile.Options{})
	g := with(f, "new")
	g.Workloads[1].Replicas = 3
	r.must(g, reconcile.Options{Targets: []fleet.Addr{"workload.zeta"}})
	s := r.load()
	if len(s.Replicas) != 5 || s.Replicas[fleet.ReplicaID{Workload: "web"}].Generation != 1 {
		t.Errorf("recorded:\n%s", r.where())
	}
	r.must(g, reconcile.Options{})
	r.settled(g)
	r.empty(g)
	if _, err := r.run(g, reconcile.Options{Targets: []fleet.Addr{"workload.nix"}}); codeOf(err) != diag.CodeTarget {
		t.Errorf("a target that names nothing: %v", err)
	}
}
