package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/config"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers/fake"
	"github.com/stowage-run/stowage/reconcile"
	"github.com/stowage-run/stowage/state"
	"github.com/stowage-run/stowage/state/memory"
)

var update = flag.Bool("update", false, "write the drawing of docs/placement.md anew")

// The drawing of docs/placement.md is what `plan -var maintenance=true -format=svg` says of examples/zones, once that was
// applied without.
func TestPlacementDrawingIsTrue(t *testing.T) {
	pass := zonesApplied(t)
	p, err := pass.Plan(t.Context(), reconcile.Wanted{Fleet: zones(t, "true"), Config: "after"}, reconcile.Options{Stowage: true})
	if err != nil {
		t.Fatal(err)
	}
	const file = "../../docs/placement.svg"
	got := drawPlan(p)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("docs/placement.svg is not what examples/zones gives: make docs, and look at it (-want +got):\n%s", d)
	}
}

// What is lost is crossed out, what is added is marked, and what has no place stands on the quay, once.
func TestDrawingOfWhatIf(t *testing.T) {
	pass := zonesApplied(t)
	p, err := pass.Plan(t.Context(), reconcile.Wanted{Fleet: zones(t, "false"), Config: "before"}, reconcile.Options{
		Stowage: true,
		Suppose: &reconcile.Supposition{
			Lose: []fleet.HostName{`node["south1"]`},
			Add: []reconcile.Offer{{Host: fleet.Host{Labels: map[string]string{"zone": "east"},
				Capacity: fleet.Resources{CPU: 4 * fleet.Core, Memory: 8 * fleet.GiB}}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := string(drawPlan(p))
	for _, want := range []string{
		`<g class="hold lost" id="hold-node_5b__22_south1_22__5d_" data-host="node[&quot;south1&quot;]">`,
		`<g class="hold added" id="hold-new-1" data-host="new-1">`,
		`<title>web[4] on node[&quot;south1&quot;]: moves to `,
		`data-host="node[&quot;south1&quot;]" data-replica="db[1]"><title>db[1] on node[&quot;south1&quot;]: leaves`,
		`<g class="box waiting" data-replica="db[1]"><title>db[1]: waits for a place`,
		`<g class="box arriving bare" data-host="new-1" data-replica="agent[2]">`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the drawing lacks %s", want)
		}
	}
	if n := strings.Count(got, `data-replica="db[1]"`); n != 2 {
		t.Errorf("db[1] is drawn %d times, want where it was and on the quay", n)
	}
}

// zonesApplied is a world in which examples/zones was applied.
func zonesApplied(t *testing.T) *reconcile.Pass {
	t.Helper()
	before, world, id := zones(t, "false"), fake.NewWorld(nil), 0
	for _, h := range before.Hosts {
		world.Host(h.Name).AddPulled("stowage-web:1", fake.NewImage("web"))
	}
	pass := &reconcile.Pass{
		Store: memory.New(), Hosts: world, Registry: world.Registry(), Who: "test@here", Version: "test",
		Now:   func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) },
		NewID: func() string { id++; return fmt.Sprintf("00000000-0000-4000-8000-%012d", id) },
	}
	if _, err := state.EnsureMeta(t.Context(), pass.Store, "zones", pass.Now(), pass.NewID, zeros{}); err != nil {
		t.Fatal(err)
	}
	settle(t.Context(), t, pass, before)
	return pass
}

// zeros is a source of no randomness.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// zones is the fleet of examples/zones.
func zones(t *testing.T, maintenance string) *fleet.Fleet {
	t.Helper()
	c, diags := config.Load(t.Context(), config.Inputs{Dir: "../../examples/zones", Environ: []string{"STOWAGE_VAR_maintenance=" + maintenance}})
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	d, diags := c.Evaluate(t.Context(), func(string) fleet.Fingerprint { return "" })
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	return d.Fleet
}

// settle makes everything as the fleet says.
func settle(ctx context.Context, t *testing.T, pass *reconcile.Pass, f *fleet.Fleet) {
	t.Helper()
	lock, err := pass.Store.Lock(ctx, state.Holder{ID: pass.NewID(), Who: "test"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	p, err := pass.Plan(ctx, reconcile.Wanted{Fleet: f, Config: "before"}, reconcile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	report, err := pass.Apply(ctx, p, nil, lock, reconcile.ApplyOptions{Trigger: "test"})
	if err != nil || report.Result != state.PlanDone {
		t.Fatalf("apply: %v, %+v", err, report)
	}
}
