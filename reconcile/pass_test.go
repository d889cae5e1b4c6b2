package reconcile_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/reconcile"
	"github.com/stowage-run/stowage/state"
	"github.com/stowage-run/stowage/state/bolt"
	"github.com/stowage-run/stowage/state/memory"
)

func TestLifeOfAFleet(t *testing.T) {
	t.Run("memory", func(t *testing.T) { life(t, memory.New()) })
	t.Run("bolt", func(t *testing.T) {
		s, err := bolt.Open(t.TempDir(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		life(t, s)
	})
}

func life(t *testing.T, s state.Store) {
	r := newRig(t, "a", "b", "c")
	r.open(s)
	f := shop(3, "a", "b", "c")
	f.Networks = []fleet.Network{{Name: "app", Driver: "bridge"}}
	f.Volumes = []fleet.Volume{{Name: "data", Driver: "local", PerReplica: true}}
	f.Workloads = append(f.Workloads, workload("db", 1))
	f.Workloads[1].Spec.Networks = []fleet.NetworkName{"app"}
	f.Workloads[1].Spec.Mounts = []fleet.Mount{{Target: "/data", Kind: fleet.MountVolume, Volume: "data"}}
	f.Workloads[0].DependsOn = []fleet.Addr{"workload.db"}
	sortWorkloads(f)

	step := func(name string, f *fleet.Fleet, o reconcile.Options, done plan.Counts) {
		t.Helper()
		rep := r.must(f, o)
		if d := cmp.Diff(done, rep.Done); d != "" {
			t.Errorf("%s: done (-want +got):\n%s", name, d)
		}
		r.settled(f)
		r.empty(f)
	}
	step("create", f, reconcile.Options{}, plan.Counts{Add: 6})
	step("nothing", f, reconcile.Options{}, plan.Counts{})

	more := *f
	more.Workloads = append([]fleet.Workload(nil), f.Workloads...)
	more.Workloads[1].Replicas = 5
	step("scale up", &more, reconcile.Options{}, plan.Counts{Add: 2})
	step("scale down", f, reconcile.Options{}, plan.Counts{Destroy: 2})
	step("replace", with(f, "bar"), reconcile.Options{}, plan.Counts{Replace: 1})

	r.must(&fleet.Fleet{Name: "shop", Hosts: f.Hosts}, reconcile.Options{Mode: plan.Destroy, Volumes: true})
	bare := &fleet.Fleet{Name: "shop", Hosts: f.Hosts}
	r.settled(bare)
	r.empty(bare)
	if s := r.load(); len(s.Volumes)+len(s.Networks)+len(s.Hosts)+len(s.Specs)+len(s.Workloads) != 0 {
		t.Errorf("left in the record after destroy: %+v", s)
	}
}
