package reconcile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/providers/fake"
	"github.com/stowage-run/stowage/reconcile"
	"github.com/stowage-run/stowage/state"
)

const other = "example.com/other:1"

var allHosts = []fleet.HostName{"a", "b", "c", "d"}

// drawFleet makes a small fleet. What it draws has few values, so that consecutive fleets often share some.
func drawFleet(t *rapid.T) *fleet.Fleet {
	f := &fleet.Fleet{Name: "shop"}
	n := rapid.IntRange(1, len(allHosts)).Draw(t, "hosts")
	skip := rapid.IntRange(0, len(allHosts)-n).Draw(t, "first host")
	for _, h := range allHosts[skip : skip+n] {
		f.Hosts = append(f.Hosts, fleet.Host{
			Name: h, Address: string(h), Labels: map[string]string{"zone": string('x' + h[0]%2)},
			Cordon: rapid.IntRange(0, 9).Draw(t, "cordon") == 0, Drain: rapid.IntRange(0, 9).Draw(t, "drain") == 0,
		})
	}
	f.Networks = []fleet.Network{{Name: "app", Driver: "bridge"}}
	f.Volumes = []fleet.Volume{
		{Name: "data", Driver: "local", PerReplica: true},
		{Name: "shared", Driver: "local"},
	}
	for _, name := range []fleet.WorkloadName{"api", "db", "web"} {
		if rapid.IntRange(0, 3).Draw(t, string(name)) > 0 {
			f.Workloads = append(f.Workloads, drawWorkload(t, name, f.Hosts))
		}
	}
	return f
}

func drawWorkload(t *rapid.T, name fleet.WorkloadName, hosts []fleet.Host) fleet.Workload {
	w := workload(name, rapid.IntRange(0, 5).Draw(t, "replicas"))
	w.Spec.Ports[0].Policy = rapid.SampledFrom([]fleet.PortPolicy{fleet.PortInternal, fleet.PortAuto, fleet.PortAuto, fleet.PortFixed}).Draw(t, "port")
	if w.Spec.Ports[0].Policy == fleet.PortFixed {
		w.Spec.Ports[0].Host = uint16(8000 + len(name))
		w.Replicas = min(w.Replicas, len(hosts))
	}
	odd := func(what string) bool { return rapid.IntRange(0, 3).Draw(t, what) == 0 }
	if odd("image") {
		w.Spec.Image.Ref = other
	}
	if odd("env") {
		w.Spec.Env = map[string]fleet.Text{"FOO": {Plain: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "FOO")}}
	}
	if odd("network") {
		w.Spec.Networks = []fleet.NetworkName{"app"}
	}
	if odd("volume") {
		w.Spec.Mounts = []fleet.Mount{{Target: "/data", Kind: fleet.MountVolume, Volume: rapid.SampledFrom([]fleet.VolumeName{"data", "shared"}).Draw(t, "which volume")}}
	}
	if odd("limits") {
		w.Spec.Limits.Memory = fleet.Bytes(rapid.IntRange(1, 2).Draw(t, "memory")) * fleet.GiB
	}
	if odd("file") {
		w.Spec.Files = []fleet.File{{
			Path: "/etc/f", Mode: 0o644, Content: fleet.Text{Plain: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "content")},
			OnChange: rapid.SampledFrom([]string{"restart", "signal:HUP", "none"}).Draw(t, "on_change"),
		}}
	}
	if odd("placement") {
		w.Placement.Hosts = []fleet.HostName{rapid.SampledFrom(hosts).Draw(t, "only on").Name}
	}
	if odd("spread") {
		w.Placement.Spread = []string{"zone"}
	}
	if odd("max_per_host") {
		w.Placement.MaxPerHost = 2
	}
	if name == "web" && odd("depends_on") {
		w.DependsOn = []fleet.Addr{"workload.db"}
	}
	return w
}

// meddle does something to one of the fleet's containers that a person might.
func meddle(t *rapid.T, r *rig) string {
	type place struct {
		h *fake.Host
		c fleet.Container
	}
	var all []place
	for _, h := range r.world.Hosts() {
		for _, c := range h.Containers() {
			if c.Identity.Fleet != "" {
				all = append(all, place{h, c})
			}
		}
	}
	if len(all) == 0 {
		return ""
	}
	p := all[rapid.IntRange(0, len(all)-1).Draw(t, "container")]
	what := rapid.SampledFrom([]string{"stop", "kill", "remove", "pause", "rename", "update", "connect", "reboot"}).Draw(t, "drift")
	switch what {
	case "stop":
		p.h.Stop(p.c.Name)
	case "kill":
		p.h.Kill(p.c.Name)
	case "remove":
		p.h.Remove(p.c.Name)
	case "pause":
		if p.c.Phase == fleet.PhaseRunning {
			p.h.Pause(p.c.Name)
		}
	case "rename":
		p.h.Rename(p.c.Name, p.c.Name+"-x")
	case "update":
		p.h.Update(p.c.Name, fleet.Limits{Memory: 3 * fleet.GiB}, fleet.RestartNo)
	case "connect":
		p.h.Connect(p.c.Name, "foreign")
	case "reboot":
		p.h.Reboot()
		for _, name := range r.hosts { // its owner starts it again
			if c, ok := r.world.Host(name).Container("stranger"); ok && c.Phase != fleet.PhaseRunning {
				r.world.Host(name).Start("stranger")
			}
		}
	}
	return what + " " + p.c.Name
}

// TestAnything applies random fleets one after the other, while people and hosts misbehave in between.
func TestAnything(t *testing.T) {
	applied, refused := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t, allHosts...)
		k := &killer{made: map[string]string{}}
		for _, h := range r.world.Hosts() {
			h.AddPulled(other, fake.NewImage("other"))
		}
		for range rapid.IntRange(1, 5).Draw(rt, "edits") {
			f := drawFleet(rt)
			k.forget(r.load())
			var log []string
			for range rapid.IntRange(0, 3).Draw(rt, "drifts") {
				log = append(log, meddle(rt, r))
			}
			var down fleet.HostName
			if rapid.IntRange(0, 3).Draw(rt, "outage") == 0 {
				down = rapid.SampledFrom(allHosts).Draw(rt, "down")
				silent(rt, r, k, f, down)
			}
			k.forget(r.load())
			k.watch(r, point{})
			rep, err := r.run(f, reconcile.Options{})
			k.rest(r)
			if len(k.broken) > 0 {
				rt.Fatalf("after %v: %v", log, k.broken)
			}
			if _, people := diag.From(err); people {
				refused++
				continue // it cannot be placed; what stands stays
			}
			applied++
			if err != nil || rep.Result != state.PlanDone {
				rt.Fatalf("after %v: %+v, %v", log, rep, err)
			}
			if p := r.problems(f); len(p) > 0 {
				rt.Fatalf("after %v, %s down:\n%s", log, down, strings.Join(p, "\n"))
			}
			p, err := r.pass.Plan(t.Context(), reconcile.Wanted{Fleet: f, Config: "test"}, reconcile.Options{})
			if err != nil || !p.Empty() {
				rt.Fatalf("after %v: plan after apply: %v\n%s", log, err, describe(p))
			}
		}
	})
	if t.Logf("%d applied, %d refused", applied, refused); applied < refused {
		t.Error("most fleets were refused: the test does not test what it says")
	}
}

// forget drops what is known of slots that are no longer recorded: they were given up, and count from 1 again.
func (k *killer) forget(s *state.Snapshot) {
	for name := range k.made {
		kept := false
		for id := range s.Replicas {
			kept = kept || strings.HasPrefix(name, fmt.Sprintf("shop-%s-%d-g", id.Workload, id.Slot))
		}
		if !kept {
			delete(k.made, name)
		}
	}
}

// silent applies a fleet while a host does not answer: nothing of it is touched, and what stands there is made nowhere else.
func silent(rt *rapid.T, r *rig, k *killer, f *fleet.Fleet, down fleet.HostName) {
	host := r.world.Host(down)
	there := host.Containers()
	was := r.load()
	host.SetDown(true)
	defer host.SetDown(false)
	k.watch(r, point{})
	rep, err := r.runAs(f, reconcile.Options{}, reconcile.ApplyOptions{AllowUnreachable: true})
	k.rest(r)
	if _, people := diag.From(err); people {
		return
	}
	if err != nil || rep.Result != state.PlanDone && rep.Result != state.PlanPartly {
		rt.Fatalf("%s down: %+v, %v", down, rep, err)
	}
	if len(k.broken) > 0 {
		rt.Fatalf("%s down: %v\n%s", down, k.broken, strings.Join(r.last, "\n"))
	}
	if now := host.Containers(); !slices.EqualFunc(there, now, func(a, b fleet.Container) bool { return a.ID == b.ID && a.Phase == b.Phase }) {
		rt.Fatalf("%s was down, and its containers changed", down)
	}
	if !slices.ContainsFunc(f.Hosts, func(h fleet.Host) bool { return h.Name == down }) {
		return // who takes a silent host out of the file says that it will not come back
	}
	snap := r.load()
	for id, rec := range was.Replicas {
		if rec.Host == down && rec.Container != "" && snap.Replicas[id].Container != rec.Container {
			rt.Fatalf("%s stands on %s, which is down, and is recorded as %+v", id, down, snap.Replicas[id])
		}
	}
	for _, h := range r.world.Hosts() {
		if h.Name() == down {
			continue
		}
		for _, c := range h.Containers() {
			if rec, ok := was.Replicas[c.Identity.Replica]; c.Identity.Fleet != "" && ok && rec.Host == down && rec.Container != "" && c.Phase == fleet.PhaseRunning {
				rt.Fatalf("%s runs on %s while %s, where it stands, is down", c.Name, h.Name(), down)
			}
		}
	}
}

// TestOnlyWhatThePlanSays compares the calls that change something with the steps of the plan.
func TestOnlyWhatThePlanSays(t *testing.T) {
	calls := map[plan.Kind][]fake.Op{
		plan.KindPull: {fake.OpPull}, plan.KindSend: {fake.OpImport},
		plan.KindCreateNetwork: {fake.OpCreateNetwork}, plan.KindRemoveNetwork: {fake.OpRemoveNetwork},
		plan.KindCreateVolume: {fake.OpCreateVolume}, plan.KindRemoveVolume: {fake.OpRemoveVolume},
		plan.KindRun: {fake.OpCreate, fake.OpStart}, plan.KindStart: {fake.OpStart}, plan.KindStop: {fake.OpStop},
		plan.KindRemove: {fake.OpRemove}, plan.KindUnpause: {fake.OpUnpause}, plan.KindRename: {fake.OpRename},
		plan.KindConnect: {fake.OpConnectTo}, plan.KindDisconnect: {fake.OpDisconnect}, plan.KindUpdate: {fake.OpUpdate},
		plan.KindWriteFiles: {fake.OpWriteFiles}, plan.KindSignal: {fake.OpSignal},
	}
	for _, s := range scenarios() {
		r := newRig(t, s.hosts...)
		if s.before != nil {
			r.must(s.before, reconcile.Options{})
		}
		want := map[string]int{}
		for _, step := range r.plan(s.after, s.opt).Steps {
			for _, op := range calls[step.Kind] {
				want[fmt.Sprint(step.Host, " ", op)]++
			}
		}
		got := map[string]int{}
		done := make(chan string, 1000)
		r.world.SetHook(fake.Hook{Before: func(c fake.Call) error {
			if c.Op.Mutates() {
				done <- fmt.Sprint(c.Host, " ", c.Op)
			}
			return nil
		}})
		r.must(s.after, s.opt)
		close(done)
		for c := range done {
			got[c]++
		}
		for c, n := range want {
			if got[c] != n {
				t.Errorf("%s: %s: %d calls, %d steps", s.name, c, got[c], n)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: calls %v, steps %v", s.name, got, want)
		}
	}
}
