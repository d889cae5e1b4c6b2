package main

import (
	"context"
	"flag"
	"fmt"
	"os"
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
	ctx := t.Context()
	before, after := zones(t, "false"), zones(t, "true")
	world := fake.NewWorld(nil)
	for _, h := range before.Hosts {
		host := world.Host(h.Name)
		host.AddPulled("stowage-web:1", fake.NewImage("web"))
	}
	id := 0
	store := memory.New()
	pass := &reconcile.Pass{
		Store: store, Hosts: world, Registry: world.Registry(), Who: "test@here", Version: "test",
		Now:   func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) },
		NewID: func() string { id++; return fmt.Sprintf("00000000-0000-4000-8000-%012d", id) },
	}
	if _, err := state.EnsureMeta(ctx, store, "zones", pass.Now(), pass.NewID, zeros{}); err != nil {
		t.Fatal(err)
	}
	settle(ctx, t, pass, before)
	p, err := pass.Plan(ctx, reconcile.Wanted{Fleet: after, Config: "after"}, reconcile.Options{Stowage: true})
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
