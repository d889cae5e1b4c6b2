package reconcile_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stowage-run/stowage/apply"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/providers/fake"
	"github.com/stowage-run/stowage/reconcile"
	"github.com/stowage-run/stowage/state"
	"github.com/stowage-run/stowage/state/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a world, a state and what works on both, as one process has them.
type rig struct {
	t     testing.TB
	world *fake.World
	hosts []fleet.HostName // with strangers on them
	store state.Store
	ids   *atomic.Int64 // of everything that is given an id; it goes on after a crash
	pass  *reconcile.Pass
	apply reconcile.ApplyOptions
	ctx   context.Context
	last  []string // the plans so far, and what stood then, for failures
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// zeros is a source of no randomness.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

const web = "example.com/web:1"

// newRig makes a world of hosts that all have the image web, with strangers' things on them.
func newRig(t testing.TB, hosts ...fleet.HostName) *rig {
	t.Helper()
	return newRigOf(t, nil, fake.NewImage("web"), hosts...)
}

// newRigOf is newRig with the world's clock and the image.
func newRigOf(t testing.TB, clock func() time.Time, image fake.Image, hosts ...fleet.HostName) *rig {
	t.Helper()
	w := fake.NewWorld(clock, hosts...)
	for _, h := range w.Hosts() {
		h.AddPulled(web, image)
		h.AddForeign(fake.Foreign{Name: "stranger", Volumes: []string{"theirs"}})
		h.AddNetwork("foreign", nil)
	}
	r := &rig{t: t, world: w, hosts: hosts, ids: &atomic.Int64{}, ctx: t.Context(), apply: reconcile.ApplyOptions{Trigger: "test"}}
	r.open(memory.New())
	return r
}

// open is what a new process does: it opens the state and knows nothing else.
func (r *rig) open(s state.Store) {
	r.t.Helper()
	r.store = s
	r.pass = &reconcile.Pass{
		Store: s, Hosts: r.world, Registry: r.world.Registry(),
		Now: func() time.Time { return epoch },
		NewID: func() string {
			return fmt.Sprintf("00000000-0000-4000-8000-%012d", r.ids.Add(1))
		},
		Who: "test@here", Version: "test",
	}
}

func (r *rig) meta() state.Meta {
	r.t.Helper()
	m, err := state.EnsureMeta(r.ctx, r.store, "shop", epoch, r.pass.NewID, zeros{})
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

// plan makes a plan, which must succeed.
func (r *rig) plan(f *fleet.Fleet, o reconcile.Options) *plan.Plan {
	r.t.Helper()
	r.meta()
	p, err := r.pass.Plan(r.ctx, reconcile.Wanted{Fleet: f, Config: "test"}, o)
	if err != nil {
		r.t.Fatalf("plan: %v", err)
	}
	return p
}

// run makes a plan and carries it out, as one process does.
func (r *rig) run(f *fleet.Fleet, o reconcile.Options) (*apply.Report, error) {
	return r.runAs(f, o, r.apply)
}

func (r *rig) runAs(f *fleet.Fleet, o reconcile.Options, ao reconcile.ApplyOptions) (*apply.Report, error) {
	l, err := r.store.Lock(r.ctx, state.Holder{ID: r.pass.NewID(), Who: "test"}, 0)
	if err != nil {
		return nil, err
	}
	defer l.Unlock()
	if _, err := state.EnsureMeta(r.ctx, r.store, "shop", epoch, r.pass.NewID, zeros{}); err != nil {
		return nil, err
	}
	p, err := r.pass.Plan(r.ctx, reconcile.Wanted{Fleet: f, Config: "test"}, o)
	if err != nil {
		return nil, err
	}
	r.last = append(r.last, describe(p)+"with:\n"+r.where()+"\n")
	return r.pass.Apply(r.ctx, p, nil, l, ao)
}

// must runs to the result "done".
func (r *rig) must(f *fleet.Fleet, o reconcile.Options) *apply.Report {
	r.t.Helper()
	rep, err := r.run(f, o)
	if err != nil {
		r.t.Fatalf("apply: %v", err)
	}
	if rep.Result != state.PlanDone {
		r.t.Fatalf("apply ended as %s: failures %v, unknown %v, skipped %v", rep.Result, rep.Failures, rep.Unknown, rep.Skipped)
	}
	return rep
}

func (r *rig) load() *state.Snapshot {
	r.t.Helper()
	s, err := state.Load(r.ctx, r.store)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// settled checks all that must hold when an apply has ended well: containers = records = desired.
func (r *rig) settled(f *fleet.Fleet) {
	r.t.Helper()
	for _, problem := range r.problems(f) {
		r.t.Error(problem)
	}
}

// problems lists what is not as it must be at rest.
func (r *rig) problems(f *fleet.Fleet) []string {
	snap := r.load()
	var out []string
	bad := func(format string, a ...any) { out = append(out, fmt.Sprintf(format, a...)) }
	if len(snap.Intents) > 0 {
		bad("open intents: %v", snap.Intents)
	}
	desired := map[fleet.ReplicaID]bool{}
	for _, w := range f.Workloads {
		for i := range w.Replicas {
			desired[fleet.ReplicaID{Workload: w.Name, Slot: fleet.Slot(i)}] = true
		}
	}
	for id := range desired {
		if rec, ok := snap.Replicas[id]; !ok || rec.Container == "" {
			bad("%s: no record, or a vacant one: %+v", id, rec)
		}
	}
	for id := range snap.Replicas {
		if !desired[id] {
			bad("%s: recorded, not desired", id)
		}
	}
	seen := map[fleet.ReplicaID]int{}
	for _, h := range r.world.Hosts() {
		for _, c := range h.Containers() {
			if c.Identity.Fleet != snap.Meta.ID {
				continue
			}
			id := c.Identity.Replica
			seen[id]++
			rec := snap.Replicas[id]
			switch {
			case !desired[id]:
				bad("%s on %s: an orphan", c.Name, h.Name())
			case rec.Container != c.ID || rec.Host != h.Name() || rec.Generation != c.Identity.Generation:
				bad("%s on %s: the record says %+v", c.Name, h.Name(), rec)
			case snap.Workloads[id.Workload].Job != nil:
				if c.Phase != fleet.PhaseExited || !rec.Proven {
					bad("%s on %s is %s, and recorded as completed: %v", c.Name, h.Name(), c.Phase, rec.Proven)
				}
			case c.Phase != fleet.PhaseRunning:
				bad("%s on %s: %s", c.Name, h.Name(), c.Phase)
			}
		}
		if slices.Contains(r.hosts, h.Name()) {
			out = append(out, strangers(h)...)
		}
	}
	for id := range desired {
		if seen[id] != 1 {
			bad("%s: %d containers", id, seen[id])
		}
	}
	for _, w := range f.Workloads {
		if rev := snap.Workloads[w.Name].Spec.Digest(); w.Replicas > 0 {
			for i := range w.Replicas {
				if got := snap.Replicas[fleet.ReplicaID{Workload: w.Name, Slot: fleet.Slot(i)}].Revision; got != rev {
					bad("%s[%d]: revision %s, want %s", w.Name, i, got.Short(), rev.Short())
				}
			}
		}
	}
	for _, rec := range snap.Replicas {
		if _, ok := snap.Specs[rec.Revision]; !ok {
			bad("%s: no spec of revision %s", rec.Replica, rec.Revision.Short())
		}
		if _, ok := snap.Hosts[rec.Host]; !ok {
			bad("%s: host %s is not recorded", rec.Replica, rec.Host)
		}
	}
	slices.Sort(out)
	return out
}

// strangers checks that what is not ours is untouched.
func strangers(h *fake.Host) []string {
	c, ok := h.Container("stranger")
	if !ok || c.Phase != fleet.PhaseRunning {
		return []string{fmt.Sprintf("%s: the stranger's container is gone or does not run", h.Name())}
	}
	if !slices.Contains(h.Volumes(), "theirs") {
		return []string{fmt.Sprintf("%s: the stranger's volume is gone", h.Name())}
	}
	if !slices.Contains(h.Networks(), "foreign") {
		return []string{fmt.Sprintf("%s: the stranger's network is gone", h.Name())}
	}
	return nil
}

// empty checks that there is nothing left to do.
func (r *rig) empty(f *fleet.Fleet) {
	r.t.Helper()
	if p := r.plan(f, reconcile.Options{}); !p.Empty() {
		r.t.Errorf("plan after apply is not empty:\n%s", describe(p))
	}
}

// describe lists a plan's steps, one a line.
func describe(p *plan.Plan) string {
	var b strings.Builder
	for _, c := range p.Changes {
		fmt.Fprintf(&b, "change %s %s (%s) %s %s\n", c.Action, c.Addr, c.Reason, c.From, c.Host)
	}
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "%d %s %s on %s (%s) needs %v\n", s.ID, s.Kind, s.Addr, s.Host, s.Reason, s.Needs)
	}
	for _, d := range p.Drift {
		fmt.Fprintf(&b, "drift %s on %s: %s\n", d.Addr, d.Host, d.What)
	}
	return b.String()
}

// where lists the fleet's containers, one a line: "web[0] web1 g1".
func (r *rig) where() string {
	var lines []string
	for _, h := range r.world.Hosts() {
		for _, c := range h.Containers() {
			if c.Identity.Fleet != "" {
				lines = append(lines, fmt.Sprintf("%s[%d] %s g%d %s", c.Identity.Replica.Workload, c.Identity.Replica.Slot,
					h.Name(), c.Identity.Generation, c.Phase))
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// shop is a fleet of hosts with one workload.
func shop(replicas int, hosts ...fleet.HostName) *fleet.Fleet {
	f := &fleet.Fleet{Name: "shop", Workloads: []fleet.Workload{workload("web", replicas)}}
	slices.Sort(hosts)
	for _, h := range hosts {
		f.Hosts = append(f.Hosts, fleet.Host{Name: h, Address: string(h)})
	}
	return f
}

func workload(name fleet.WorkloadName, replicas int) fleet.Workload {
	return fleet.Workload{
		Name: name, Mode: fleet.Replicated, Replicas: replicas, PullPolicy: fleet.PullMissing, StopTimeout: 10 * time.Second,
		Spec: fleet.Spec{
			Image: fleet.Image{Ref: web}, Restart: fleet.RestartAlways,
			Ports: []fleet.Port{{Name: "http", Container: 80, Policy: fleet.PortAuto, Protocol: "tcp"}},
		},
	}
}

// with returns a copy of the fleet whose first workload's environment has FOO=v.
func with(f *fleet.Fleet, v string) *fleet.Fleet {
	g := *f
	g.Workloads = slices.Clone(f.Workloads)
	g.Workloads[0].Spec.Env = maps.Clone(g.Workloads[0].Spec.Env)
	if g.Workloads[0].Spec.Env == nil {
		g.Workloads[0].Spec.Env = map[string]fleet.Text{}
	}
	g.Workloads[0].Spec.Env["FOO"] = fleet.Text{Plain: v}
	return &g
}

// without returns a copy of the fleet that lacks a host.
func without(f *fleet.Fleet, h fleet.HostName) *fleet.Fleet {
	g := *f
	g.Hosts = slices.DeleteFunc(slices.Clone(f.Hosts), func(x fleet.Host) bool { return x.Name == h })
	return &g
}

func sortWorkloads(f *fleet.Fleet) {
	slices.SortFunc(f.Workloads, func(a, b fleet.Workload) int { return cmp.Compare(a.Name, b.Name) })
}
