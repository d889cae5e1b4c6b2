package reconcile_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stowage-run/stowage/apply"
	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/providers/fake"
	"github.com/stowage-run/stowage/reconcile"
	"github.com/stowage-run/stowage/state"
)

// codeOf is the code of the first message in an error.
func codeOf(err error) diag.Code {
	l, _ := diag.From(err)
	if len(l) == 0 {
		return ""
	}
	return l[0].Code
}

func TestUnreachableHost(t *testing.T) {
	r := newRig(t, "a", "b", "c")
	f := shop(6, "a", "b", "c")
	r.must(f, reconcile.Options{})
	before := r.where()
	r.world.Host("b").SetDown(true)

	_, err := r.run(with(f, "new"), reconcile.Options{})
	if got := codeOf(err); got != diag.CodeUnreachable || !errors.Is(err, providers.ErrUnreachable) {
		t.Fatalf("apply with a silent host: %v, want %s", err, diag.CodeUnreachable)
	}
	if d := cmp.Diff(before, r.where()); d != "" {
		t.Fatalf("a refused apply changed something:\n%s", d)
	}

	rep, err := r.runAs(with(f, "new"), reconcile.Options{}, reconcile.ApplyOptions{AllowUnreachable: true})
	if err != nil || rep.Result != state.PlanPartly {
		t.Fatalf("got %+v, %v", rep, err)
	}
	if len(rep.Debts) != 1 || rep.Debts[0].Host != "b" || len(rep.Debts[0].Steps) == 0 {
		t.Errorf("debts: %+v", rep.Debts)
	}
	if s := r.load(); len(s.Debts) != 1 {
		t.Errorf("recorded debts: %+v", s.Debts)
	}
	if rep.Done.Replace != 4 {
		t.Errorf("replaced %d on the hosts that answer, want 4", rep.Done.Replace)
	}
	if strings.Count(r.where(), "b g1 running") != 2 {
		t.Errorf("the silent host's replicas were not left alone:\n%s", r.where())
	}

	r.world.Host("b").SetDown(false)
	r.must(with(f, "new"), reconcile.Options{})
	r.settled(with(f, "new"))
	r.empty(with(f, "new"))
	if s := r.load(); len(s.Debts) != 0 {
		t.Errorf("debts after the host is back: %+v", s.Debts)
	}
}

// TestHostLostMidway: the host answers at first. What is not done there becomes debt; others go on.
func TestHostLostMidway(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, "a", "b")
			f := shop(8, "a", "b")
			var once sync.Once
			r.world.SetHook(fake.Hook{Before: func(c fake.Call) error {
				if c.Op == fake.OpStart && c.Host == "b" {
					once.Do(func() { r.world.Host("b").SetDown(true) })
				}
				return nil
			}})
			start := time.Now()
			rep, err := r.runAs(f, reconcile.Options{}, reconcile.ApplyOptions{AllowUnreachable: allowed, PerHost: 1})
			want := state.PlanFailed
			if allowed {
				want = state.PlanPartly
			}
			if err != nil || rep.Result != want {
				t.Fatalf("got %+v, %v; want %s", rep, err, want)
			}
			if took := time.Since(start); took > 40*time.Second {
				t.Errorf("took %s", took)
			}
			if rep.Done.Add != 4 || len(rep.Debts) != 1 || rep.Debts[0].Host != "b" || len(rep.Debts[0].Steps) != 4 {
				t.Errorf("done %+v, debts %+v", rep.Done, rep.Debts)
			}
			r.world.SetHook(fake.Hook{})
			r.world.Host("b").SetDown(false)
			r.must(f, reconcile.Options{})
			r.settled(f)
			r.empty(f)
		})
	}
}

// TestConnectionBlip: a host that is away for less than the patience has cost nothing but time.
func TestConnectionBlip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "a")
		f := shop(4, "a")
		n := 0
		r.world.SetHook(fake.Hook{Before: func(c fake.Call) error {
			if c.Op == fake.OpStart {
				if n++; n == 2 {
					r.world.Host("a").SetDown(true)
					time.AfterFunc(5*time.Second, func() { r.world.Host("a").SetDown(false) })
				}
			}
			return nil
		}})
		r.apply.PerHost = 1
		r.must(f, reconcile.Options{})
		r.world.SetHook(fake.Hook{})
		r.settled(f)
		r.empty(f)
	})
}

// TestStop: after the first Ctrl-C what is under way is finished and recorded, and nothing else is started.
func TestStop(t *testing.T) {
	r := newRig(t, "a")
	f := shop(9, "a")
	stop := make(chan struct{})
	started := 0
	r.world.SetHook(fake.Hook{Before: func(c fake.Call) error {
		if c.Op == fake.OpCreate {
			if started++; started == 3 {
				close(stop)
			}
		}
		return nil
	}})
	rep, err := r.runAs(f, reconcile.Options{}, reconcile.ApplyOptions{Stop: stop, PerHost: 1})
	if err != nil || rep.Result != state.PlanInterrupted {
		t.Fatalf("got %+v, %v", rep, err)
	}
	s := r.load()
	if len(s.Intents) != 0 || len(s.Replicas) != rep.Steps || rep.Steps+len(rep.Skipped) != 9 || rep.Steps < 3 {
		t.Errorf("%d steps done, %d skipped, %d recorded, intents %v", rep.Steps, len(rep.Skipped), len(s.Replicas), s.Intents)
	}
	ps, err := state.Plans(t.Context(), r.store)
	if err != nil || ps[len(ps)-1].Result != state.PlanInterrupted {
		t.Errorf("plan records %+v, %v", ps, err)
	}
	r.world.SetHook(fake.Hook{})
	r.must(f, reconcile.Options{})
	r.settled(f)
}

// TestCancel: after the second Ctrl-C we are gone at once, and the intent tells the next plan what to look for.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "a")
		f := shop(4, "a")
		r.world.Inject(fake.Fault{Op: fake.OpStart, Kind: fake.Hang, Times: 1})
		ctx, cancel := context.WithCancel(t.Context())
		r.ctx = ctx
		time.AfterFunc(time.Minute, cancel)
		start := time.Now()
		rep, err := r.runAs(f, reconcile.Options{}, reconcile.ApplyOptions{PerHost: 1})
		if err != nil || rep.Result != state.PlanInterrupted {
			t.Fatalf("got %+v, %v", rep, err)
		}
		if took := time.Since(start); took > time.Minute+time.Second {
			t.Errorf("left %s after the second Ctrl-C", took-time.Minute)
		}
		r.ctx = t.Context()
		if s := r.load(); len(s.Intents) != 1 {
			t.Errorf("intents: %v", s.Intents)
		}
		r.must(f, reconcile.Options{})
		r.settled(f)
	})
}

// TestBrokenLock: who has lost the lock starts nothing more and writes nothing more.
func TestBrokenLock(t *testing.T) {
	r := newRig(t, "a")
	f := shop(9, "a")
	n := 0
	r.world.SetHook(fake.Hook{Before: func(c fake.Call) error {
		if c.Op == fake.OpCreate {
			if n++; n == 3 {
				h, err := r.store.Holder(t.Context())
				if err != nil {
					t.Error(err)
				}
				if err := r.store.BreakLock(t.Context(), h.ID); err != nil {
					t.Error(err)
				}
			}
		}
		return nil
	}})
	rep, err := r.runAs(f, reconcile.Options{}, reconcile.ApplyOptions{PerHost: 1})
	if !errors.Is(err, state.ErrFenced) {
		t.Fatalf("got %+v, %v; want ErrFenced", rep, err)
	}
	if c := r.world.Counts()[fake.OpCreate]; c > 4 {
		t.Errorf("%d creates, want at most those under way", c)
	}
	r.world.SetHook(fake.Hook{})
	r.must(f, reconcile.Options{})
	r.settled(f)
}

// TestLimit: never more than eight calls at once on a host, and as many as that where there is enough to do.
func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "a", "b")
		var mu sync.Mutex
		now, most := map[fleet.HostName]int{}, map[fleet.HostName]int{}
		r.world.SetHook(fake.Hook{
			Before: func(c fake.Call) error {
				mu.Lock()
				now[c.Host]++
				most[c.Host] = max(most[c.Host], now[c.Host])
				mu.Unlock()
				time.Sleep(time.Millisecond) // of the bubble: every other call gets its turn meanwhile
				return nil
			},
			After: func(c fake.Call, err error) error {
				mu.Lock()
				now[c.Host]--
				mu.Unlock()
				return err
			},
		})
		f := shop(60, "a", "b")
		r.must(f, reconcile.Options{})
		for h, n := range most {
			if n != apply.DefaultPerHost {
				t.Errorf("at most %d calls at once on %s, want %d", n, h, apply.DefaultPerHost)
			}
		}
	})
}

func TestEndsAtOnce(t *testing.T) {
	r := newRig(t, "a", "b")
	bad := fake.NewImage("bad")
	bad.Program = func(p fake.Process) fake.Outcome {
		for range 12 {
			if _, err := p.Stdout.Write([]byte("no config\n")); err != nil {
				t.Error(err)
			}
		}
		return fake.Outcome{Exited: true, Status: 3}
	}
	for _, h := range r.world.Hosts() {
		h.AddPulled("example.com/bad:1", bad)
	}
	f := shop(2, "a", "b")
	r.must(f, reconcile.Options{})
	rep, err := r.run(image(f, "example.com/bad:1"), reconcile.Options{})
	if err != nil || rep.Result != state.PlanFailed || len(rep.Failures) != 1 {
		t.Fatalf("got %+v, %v", rep, err)
	}
	var ended *apply.NotRunningError
	if !errors.As(rep.Failures[0].Err, &ended) || ended.ExitCode != 3 || len(ended.Logs) != 10 {
		t.Errorf("got %+v", rep.Failures[0].Err)
	}
	if !strings.Contains(r.where(), "g1 running") {
		t.Errorf("the second replica was taken down after the first one failed:\n%s", r.where())
	}
	r.must(f, reconcile.Options{})
	r.settled(f)
	r.empty(f)
}

// TestMoveToBadHost: what is to take the place of a running container and does not run itself, takes no place.
func TestMoveToBadHost(t *testing.T) {
	r := newRig(t, "a", "b")
	f := shop(2, "a", "b")
	r.must(f, reconcile.Options{})
	r.world.Inject(fake.Fault{Op: fake.OpStart, Host: "a", Err: providers.ErrPortTaken})
	rep, err := r.run(without(f, "b"), reconcile.Options{})
	if err != nil || rep.Result != state.PlanFailed {
		t.Fatalf("got %+v, %v", rep, err)
	}
	if got, want := r.where(), "web[0] a g1 running\nweb[1] b g1 running"; got != want {
		t.Errorf("after a move that failed:\n%s\nwant:\n%s", got, want)
	}
	r.settled(f)
	r.world.ClearFaults()
	r.must(without(f, "b"), reconcile.Options{})
	r.settled(without(f, "b"))
}

func TestPlanRunsOnceAndGoesStale(t *testing.T) {
	r := newRig(t, "a", "b")
	f := shop(2, "a", "b")
	first, second := r.plan(f, reconcile.Options{}), r.plan(f, reconcile.Options{})
	do := func(p *plan.Plan) error {
		l, err := r.store.Lock(t.Context(), state.Holder{ID: "x"}, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Unlock()
		_, err = r.pass.Apply(t.Context(), p, nil, l, reconcile.ApplyOptions{})
		return err
	}
	if err := do(first); err != nil {
		t.Fatal(err)
	}
	if err := do(first); codeOf(err) != diag.CodeUsedPlan || !errors.Is(err, apply.ErrUsed) {
		t.Errorf("second time: %v", err)
	}
	if err := do(second); codeOf(err) != diag.CodeStalePlan || !errors.Is(err, apply.ErrStale) {
		t.Errorf("the other plan: %v", err)
	}
	other := newRig(t, "a", "b")
	foreign := other.plan(f, reconcile.Options{})
	foreign.Fleet = "somebody"
	if err := do(foreign); codeOf(err) != diag.CodeForeignPlan {
		t.Errorf("a foreign plan: %v", err)
	}
	sealed := r.plan(with(f, "y"), reconcile.Options{})
	sealed.Sealed = []fleet.Fingerprint{"hmac-sha256:00"}
	if err := do(sealed); codeOf(err) != diag.CodeSecret {
		t.Errorf("a plan with a secret that is not there: %v", err)
	}
	r.settled(f)
}

func TestNoRefresh(t *testing.T) {
	r := newRig(t, "a", "b")
	f := shop(4, "a", "b")
	f.Networks = []fleet.Network{{Name: "app", Driver: "bridge"}}
	f.Volumes = []fleet.Volume{{Name: "data", Driver: "local", PerReplica: true}}
	f.Workloads[0].Spec.Networks = []fleet.NetworkName{"app"}
	f.Workloads[0].Spec.Mounts = []fleet.Mount{{Target: "/d", Kind: fleet.MountVolume, Volume: "data"}}
	f.Workloads[0].Spec.Limits.Memory = fleet.GiB
	r.must(f, reconcile.Options{})
	r.world.ResetCounts()
	if p := r.plan(f, reconcile.Options{NoRefresh: true}); !p.Empty() || len(p.Drift) > 0 {
		t.Errorf("not empty:\n%s", describe(p))
	}
	if n := r.world.Counts()[fake.OpObserve]; n != 0 {
		t.Errorf("looked at %d hosts", n)
	}
	p := r.plan(with(f, "y"), reconcile.Options{NoRefresh: true})
	if got := p.Counts().Replace; got != 4 {
		t.Errorf("replaces %d, want 4:\n%s", got, describe(p))
	}
}

func TestRebuild(t *testing.T) {
	r := newRig(t, "a", "b")
	f := shop(4, "a", "b")
	f.Networks = []fleet.Network{{Name: "app", Driver: "bridge"}}
	f.Volumes = []fleet.Volume{{Name: "data", Driver: "local", PerReplica: true}}
	f.Workloads[0].Spec.Networks = []fleet.NetworkName{"app"}
	f.Workloads[0].Spec.Mounts = []fleet.Mount{{Target: "/d", Kind: fleet.MountVolume, Volume: "data"}}
	r.must(f, reconcile.Options{})
	was := r.load()

	lost := newRig(t)
	lost.ids.Store(1000)
	lost.world, lost.pass.Hosts, lost.hosts = r.world, r.world, r.hosts
	lost.meta()
	if _, err := lost.run(f, reconcile.Options{}); codeOf(err) != diag.CodeStateLost {
		t.Fatalf("apply on a lost state: %v", err)
	}
	l, err := lost.store.Lock(t.Context(), state.Holder{ID: "x"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, err := lost.pass.Rebuild(t.Context(), reconcile.RebuildRequest{Fleet: f, Lock: l, Random: zeros{}})
	l.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if got.Meta.ID != was.Meta.ID || len(got.Replicas) != 4 || len(got.Volumes) != 4 || len(got.Networks) != 2 || len(got.NoSpec) != 0 {
		t.Errorf("rebuilt: %+v", got)
	}
	now := lost.load()
	why := cmpopts.IgnoreFields(state.Replica{}, "Reason") // which no label keeps
	if d := cmp.Diff(was.Replicas, now.Replicas, why); d != "" {
		t.Errorf("replicas (-was +now):\n%s", d)
	}
	if d := cmp.Diff(was.Volumes, now.Volumes); d != "" {
		t.Errorf("volumes (-was +now):\n%s", d)
	}
	if d := cmp.Diff(was.Hosts, now.Hosts); d != "" {
		t.Errorf("hosts (-was +now):\n%s", d)
	}
	p := lost.plan(f, reconcile.Options{})
	if n := p.Counts(); n != (plan.Counts{}) {
		t.Errorf("the plan after it is not empty:\n%s", describe(p))
	}
	lost.must(f, reconcile.Options{})
	lost.settled(f)
	lost.empty(f)
}

func TestRebuildChoosesNobody(t *testing.T) {
	r := newRig(t, "a", "b")
	f := shop(1, "a", "b")
	r.must(f, reconcile.Options{})
	other := newRig(t)
	other.ids.Store(1000)
	other.world, other.pass.Hosts, other.hosts = r.world, r.world, r.hosts
	id := fleet.ID("00000000-0000-4000-8000-999999999999")
	in := fleet.Instance{Fleet: id, FleetName: "shop", Replica: fleet.ReplicaID{Workload: "api", Slot: 0}, Generation: 1}
	r.world.Host("b").AddForeign(fake.Foreign{Name: in.ContainerName(), Labels: in.Labels(fleet.Spec{}, "")})
	l, err := other.store.Lock(t.Context(), state.Holder{ID: "x"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Unlock()
	if _, err := other.pass.Rebuild(t.Context(), reconcile.RebuildRequest{Fleet: f, Lock: l, Random: zeros{}}); codeOf(err) != diag.CodeStateLost {
		t.Errorf("two fleets: %v", err)
	}
	got, err := other.pass.Rebuild(t.Context(), reconcile.RebuildRequest{Fleet: f, ID: id, Lock: l, Random: zeros{}})
	if err != nil || got.Meta.ID != id || len(got.Replicas) != 1 || len(got.NoSpec) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}
