package reconcile_test

import (
	"context"
	"testing"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/providers/fake"
	"github.com/stowage-run/stowage/reconcile"
)

// file returns a copy of the fleet whose first workload has a file that is reloaded by a signal.
func file(f *fleet.Fleet, content string) *fleet.Fleet {
	g := with(f, "x")
	g.Workloads[0].Spec.Files = []fleet.File{{
		Path: "/etc/app.conf", Content: fleet.Text{Plain: content}, Mode: 0o644, OnChange: "signal:HUP",
	}}
	return g
}

// onNetwork returns a copy of the fleet whose first workload is on a network.
func onNetwork(f *fleet.Fleet) *fleet.Fleet {
	g := with(f, "x")
	g.Networks = []fleet.Network{{Name: "app", Driver: "bridge"}}
	g.Workloads[0].Spec.Networks = []fleet.NetworkName{"app"}
	return g
}

// image returns a copy of the fleet whose first workload has another image.
func image(f *fleet.Fleet, ref string) *fleet.Fleet {
	g := with(f, "x")
	g.Workloads[0].Spec.Image.Ref = ref
	return g
}

// TestLostAnswers breaks the connection in each kind of call once, before and after its effect: the same
// apply looks, and ends as if nothing had been.
func TestLostAnswers(t *testing.T) {
	one := shop(1, "a")
	none := &fleet.Fleet{Name: "shop", Hosts: one.Hosts}
	limits := with(one, "x")
	limits.Workloads[0].Spec.Limits.Memory = 64 * fleet.MiB
	destroy := reconcile.Options{Mode: plan.Destroy, Volumes: true}
	rich := scenarios()[0].after
	name := "shop-web-0-g1"

	for _, c := range []struct {
		op     fake.Op
		before *fleet.Fleet
		drift  func(*rig, *fake.Host)
		after  *fleet.Fleet
		opt    reconcile.Options
	}{
		{op: fake.OpPull, after: image(one, "example.com/other:1"), drift: func(r *rig, _ *fake.Host) {
			r.world.Registry().Push("example.com/other:1", fake.NewImage("other"))
		}},
		{op: fake.OpImport, after: image(one, "built:here"), drift: func(r *rig, _ *fake.Host) {
			r.world.Host("here").AddImage("built:here", fake.NewImage("built"))
			r.pass.Local = func(ctx context.Context) (providers.Engine, error) {
				return r.world.Engine(ctx, fleet.Host{Name: "here"})
			}
		}},
		{op: fake.OpCreate, after: one},
		{op: fake.OpStart, after: one},
		{op: fake.OpCreateNetwork, after: rich},
		{op: fake.OpCreateVolume, after: rich},
		{op: fake.OpStop, before: rich, after: none, opt: destroy},
		{op: fake.OpRemove, before: rich, after: none, opt: destroy},
		{op: fake.OpRemoveNetwork, before: rich, after: none, opt: destroy},
		{op: fake.OpRemoveVolume, before: rich, after: none, opt: destroy},
		{op: fake.OpUpdate, before: with(one, "x"), after: limits},
		{op: fake.OpStart, before: one, after: one, drift: func(_ *rig, h *fake.Host) { h.Stop(name) }},
		{op: fake.OpUnpause, before: one, after: one, drift: func(_ *rig, h *fake.Host) { h.Pause(name) }},
		{op: fake.OpRename, before: one, after: one, drift: func(_ *rig, h *fake.Host) { h.Rename(name, "oops") }},
		{op: fake.OpDisconnect, before: one, after: one, drift: func(_ *rig, h *fake.Host) { h.Connect(name, "foreign") }},
		{op: fake.OpConnectTo, before: onNetwork(one), after: onNetwork(one), drift: func(_ *rig, h *fake.Host) { h.Disconnect(name, "shop-app") }},
		{op: fake.OpWriteFiles, before: file(one, "1"), after: file(one, "2")},
		{op: fake.OpSignal, before: file(one, "1"), after: file(one, "2")},
	} {
		for kind, what := range map[fake.FaultKind]string{fake.CutBefore: "before", fake.CutAfter: "after"} {
			t.Run(string(c.op)+" cut "+what, func(t *testing.T) {
				hosts := []fleet.HostName{"a"}
				if len(c.after.Hosts) == 3 || c.before != nil && len(c.before.Hosts) == 3 {
					hosts = []fleet.HostName{"a", "b", "c"}
				}
				r := newRig(t, hosts...)
				if c.before != nil {
					r.must(c.before, reconcile.Options{})
				}
				if c.drift != nil {
					c.drift(r, r.world.Host("a"))
				}
				r.world.ResetCounts()
				r.world.Inject(fake.Fault{Op: c.op, Kind: kind, Times: 1})
				r.must(c.after, c.opt)
				if r.world.Counts()[c.op] == 0 {
					t.Fatalf("no %s was made", c.op)
				}
				r.settled(c.after)
				r.empty(c.after)
			})
		}
	}
}
