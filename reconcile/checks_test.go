package reconcile_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/reconcile"
)

// Checks are asked once for each plan that is to be carried out, after it was made, and fail it.
func TestChecks(t *testing.T) {
	r := newRig(t, "web1", "web2")
	f := shop(2, "web1", "web2")
	r.must(f, reconcile.Options{})
	var asked []fleet.Survival
	w := reconcile.Wanted{Fleet: f, Config: "test", Checks: []func(fleet.Survival) diag.List{
		func(s fleet.Survival) diag.List {
			asked = append(asked, s)
			return diag.List{{Code: diag.CodeCheck, Summary: "A check does not hold", Detail: "No."}}
		},
		func(fleet.Survival) diag.List { return nil },
	}}
	for _, c := range []struct {
		name  string
		o     reconcile.Options
		asked int
		err   string
	}{
		{"normal", reconcile.Options{}, 1, "A check does not hold: No."},
		{"destroy", reconcile.Options{Mode: plan.Destroy}, 0, "<nil>"},
		{"refresh only", reconcile.Options{Mode: plan.RefreshOnly}, 0, "<nil>"},
		{"what if", reconcile.Options{Suppose: &reconcile.Supposition{Lose: []fleet.HostName{"web1"}}}, 0, "<nil>"},
	} {
		asked = nil
		_, err := r.pass.Plan(r.ctx, w, c.o)
		if got := fmt.Sprint(err); got != c.err {
			t.Errorf("%s: got %s, want %s", c.name, got, c.err)
		}
		if len(asked) != c.asked {
			t.Errorf("%s: asked %d times, want %d", c.name, len(asked), c.asked)
		}
	}
	w.Checks = w.Checks[1:]
	p, err := r.pass.Plan(r.ctx, w, reconcile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&fleet.Survival{Hosts: 2}, p.Survival); d != "" {
		t.Errorf("two replicas on two hosts, -want +got:\n%s", d)
	}
}
