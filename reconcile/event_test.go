package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/apply"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers/fake"
	"github.com/stowage-run/stowage/reconcile"
)

// TestEvents: what the observer is told, in order, of a pull that fails, one that lasts and one whose answer gets lost.
func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "a")
		r.apply.PerHost = 1
		f := shop(1, "a")
		f.Workloads = append(f.Workloads, workload("zeta", 1))
		f.Workloads[1].DependsOn = []fleet.Addr{"workload.web"}
		var got []string
		r.pass.Observe = func(e apply.Event) {
			s := fmt.Sprintf("%s %s %s after %s", e.Kind, e.Action, e.Addr, e.Elapsed.Truncate(time.Second))
			if e.Because != "" {
				s += ": " + string(e.Because)
			}
			if e.Kind == apply.EventDone && e.ID == "" {
				s += ": no id"
			}
			got = append(got, s)
		}
		slow := true
		r.world.SetHook(fake.Hook{Before: func(c fake.Call) error {
			if c.Op == fake.OpStart && slow {
				slow = false
				time.Sleep(25 * time.Second) // of the bubble
			}
			return nil
		}})
		r.world.Inject(fake.Fault{Op: fake.OpCreate, Kind: fake.CutAfter, Times: 1})
		r.world.Inject(fake.Fault{Op: fake.OpStart, Object: "shop-zeta-0-g1", Kind: fake.Fail, Times: 1})
		rep, err := r.run(f, reconcile.Options{})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{
			"started run workload.web[0] after 0s",
			"retry run workload.web[0] after 0s",
			"still run workload.web[0] after 10s",
			"still run workload.web[0] after 20s",
			"done run workload.web[0] after 25s",
			"started run workload.zeta[0] after 0s",
			"failed run workload.zeta[0] after 0s",
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("events (-want +got):\n%s", d)
		}
		if len(rep.Failures) != 1 || !strings.Contains(rep.Failures[0].Err.Error(), "injected") || rep.Steps != 1 || rep.Done.Add != 1 {
			t.Errorf("report: %+v", rep)
		}
	})
}
