package reconcile_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/providers/fake"
	"github.com/stowage-run/stowage/reconcile"
	"github.com/stowage-run/stowage/state"
)

// five is an override that sets 5 replicas where the configuration asks for 3.
func five() *state.Override {
	return &state.Override{Workload: "web", Replicas: 5, Configured: 3, Who: "ann@laptop", Since: epoch}
}

// TestScaleKilledAnywhere: whoever sets a number of replicas and is killed has set it or has not, and the next apply of the
// configuration makes the fleet so.
func TestScaleKilledAnywhere(t *testing.T) {
	f := shop(3, "a", "b", "c")
	s := scenario{name: "scale", hosts: []fleet.HostName{"a", "b", "c"}, before: f, after: f, opt: reconcile.Options{Override: five()}}
	calls, records := s.size(t)
	set, not := 0, 0
	for _, at := range points(calls, records) {
		r, k := s.start(t, at)
		_, _ = r.run(f, s.opt) // the process dies
		if !k.dead {
			t.Fatalf("%v: not killed", at)
		}
		k.rest(r)
		snap, want := r.load(), 3
		_, made := snap.Overrides["web"]
		if made {
			want, set = 5, set+1
		} else {
			not++
		}
		if released := snap.Release == 2; made != released {
			t.Errorf("%v: override recorded %v, release recorded %v", at, made, released)
		}
		r.must(f, reconcile.Options{})
		r.settled(shop(want, "a", "b", "c"))
		r.empty(f)
	}
	if set == 0 || not == 0 {
		t.Errorf("%d times set, %d times not: the test does not test what it says", set, not)
	}
}

// TestOverrideLasts: it counts in plans of the configuration, of what runs and of an older release, and is dropped for good when it
// ends, by a plan that changes nothing as well.
func TestOverrideLasts(t *testing.T) {
	hosts := []fleet.HostName{"a", "b", "c"}
	f := shop(3, hosts...)
	r := newRig(t, hosts...)
	now := epoch
	r.pass.Now = func() time.Time { return now }
	r.must(f, reconcile.Options{})
	made := five()
	made.Until = epoch.Add(2 * time.Hour)
	r.must(f, reconcile.Options{Override: made})
	r.settled(shop(5, hosts...))
	r.empty(f)
	r.must(with(f, "bar"), reconcile.Options{})
	r.settled(shop(5, hosts...))

	own := reconcile.Wanted{Fleet: with(f, "bar"), Config: "test"}
	first, err := state.LoadRelease(r.ctx, r.store, 1)
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.pass.Plan(r.ctx, own.Of(first), reconcile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Overrides) != 1 || p.Desired.Workloads[0].Replicas != 5 {
		t.Errorf("the older release: overrides %v, %d replicas", p.Overrides, p.Desired.Workloads[0].Replicas)
	}

	if p := r.plan(f, reconcile.Options{Mode: plan.RefreshOnly}); len(p.Ended) != 0 {
		t.Errorf("a refresh ends %v", p.Ended)
	}
	now = epoch.Add(2 * time.Hour)
	if p := r.plan(own.Fleet, reconcile.Options{}); len(p.Ended) != 1 || len(p.Overrides) != 0 || p.Counts().Destroy != 2 {
		t.Errorf("when its time is up: ended %v, in force %v, %d destroyed", p.Ended, p.Overrides, p.Counts().Destroy)
	}
	if p, err := r.pass.Plan(r.ctx, own.Of(first), reconcile.Options{}); err != nil || len(p.Ended) != 0 {
		t.Errorf("an older release says nothing of the configuration, and yet ends %v (%v)", p.Ended, err)
	}
	r.must(own.Fleet, reconcile.Options{})
	if got := r.load().Overrides; len(got) != 0 {
		t.Errorf("left: %v", got)
	}
	r.settled(shop(3, hosts...))
	r.empty(own.Fleet)
}

// TestOverrideIsGuarded: a saved plan that counts on a number is stale when that was changed, though no release was made.
func TestOverrideIsGuarded(t *testing.T) {
	f := shop(3, "a", "b", "c")
	r := newRig(t, "a", "b", "c")
	r.must(f, reconcile.Options{Override: five()})
	saved := r.plan(with(f, "bar"), reconcile.Options{})
	other := five()
	other.Until = epoch.Add(time.Hour)
	var c state.Changes
	c.PutOverride(*other)
	if err := state.NewWriter(r.store, 0).Commit(r.ctx, c); err != nil {
		t.Fatal(err)
	}
	l, err := r.store.Lock(r.ctx, state.Holder{ID: "me"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Unlock()
	if _, err := r.pass.Apply(r.ctx, saved, nil, l, r.apply); err == nil {
		t.Error("the plan was applied")
	}
}

// TestOlderReleaseHasItsImages: going back brings the very images that a release had, though their tag stands for others by now.
func TestOlderReleaseHasItsImages(t *testing.T) {
	f := shop(2, "a", "b")
	r := newRig(t, "a", "b")
	own := reconcile.Wanted{Fleet: f, Config: "test"}
	if _, _, err := r.pass.Applied(r.ctx, own); !errors.Is(err, reconcile.ErrNothingApplied) {
		t.Errorf("before the first apply: got error %v, want ErrNothingApplied", err)
	}
	r.must(f, reconcile.Options{})
	newer := fake.NewImage("newer")
	newer.Created = epoch.Add(time.Hour)
	for _, h := range r.world.Hosts() {
		h.AddPulled(web, newer)
	}
	r.must(f, reconcile.Options{})
	images := func() map[string]bool {
		out := map[string]bool{}
		for _, h := range r.world.Hosts() {
			for _, c := range h.Containers() {
				if c.Identity.Fleet != "" {
					out[c.ImageID] = true
				}
			}
		}
		return out
	}
	if got := images(); len(got) != 1 || !got[newer.ID] {
		t.Fatalf("before: %v", got)
	}
	now, latest, err := r.pass.Applied(r.ctx, own)
	if err != nil || latest.Number != 2 || now.Fleet.Workloads[0].Spec.Image.Digest != newer.Digest {
		t.Errorf("applied is release %d, %+v, error %v", latest.Number, now.Fleet, err)
	}
	first, err := state.LoadRelease(r.ctx, r.store, 1)
	if err != nil {
		t.Fatal(err)
	}
	r.must(own.Of(first).Fleet, reconcile.Options{})
	if got, want := images(), fake.NewImage("web").ID; len(got) != 1 || !got[want] {
		t.Errorf("after: got %v, want %s alone", got, want)
	}
	r.settled(f)
}

// TestOverrideOfWhatIsHeld: a number that a person has set counts for what was good as well, to which a change that failed gave way;
// and what is held is said of workloads that a plan is about.
func TestOverrideOfWhatIsHeld(t *testing.T) {
	f := shop(3, "a", "b", "c")
	f.Workloads = append(f.Workloads, workload("xyz", 1))
	r := newRig(t, "a", "b", "c")
	r.must(f, reconcile.Options{})
	good := r.load().Workloads["web"]
	bad := with(f, "bar")
	r.must(bad, reconcile.Options{})
	var c state.Changes
	c.PutRollout(state.Rollout{
		Workload: "web", Release: 2, To: r.load().Workloads["web"].Spec.Digest(), Status: state.RolloutTaken, Why: "bad", Good: &good, GoodRelease: 1,
	})
	if err := state.NewWriter(r.store, 0).Commit(r.ctx, c); err != nil {
		t.Fatal(err)
	}
	p := r.plan(bad, reconcile.Options{Override: five()})
	if w := p.Desired.Workloads[0]; w.Replicas != 5 || w.Spec.Digest() != good.Spec.Digest() || len(p.Held) != 1 {
		t.Errorf("got %d replicas of %s, held %v, want 5 of %s, held", w.Replicas, w.Spec.Digest(), p.Held, good.Spec.Digest())
	}
	if p := r.plan(bad, reconcile.Options{Targets: []fleet.Addr{"workload.xyz"}}); len(p.Held) != 0 {
		t.Errorf("a plan of another workload holds %v", p.Held)
	}
	if p := r.plan(bad, reconcile.Options{Excludes: []fleet.Addr{"workload.web"}}); len(p.Held) != 0 {
		t.Errorf("a plan without the workload holds %v", p.Held)
	}
}
