package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// TestOverride: which overrides count, and what the plan's text says of each.
func TestOverride(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	base := state.Override{Workload: "web", Replicas: 5, Configured: 3, Who: "ann@laptop"}
	until := func(at time.Time) state.Override { o := base; o.Until = at; return o }
	sets := func(n int) *state.Override {
		return &state.Override{Workload: "web", Replicas: n, Configured: 3, Who: "bob@desk"}
	}
	for _, c := range []struct {
		name       string
		record     state.Override
		configured int // 0: the workload is not declared
		made       *state.Override
		replicas   int
		text       string
	}{
		{"without an end", base, 3, nil, 5, "Override: workload.web has 5 replicas instead of 3, by ann@laptop until the configuration's own number changes (stowage scale web=config ends it)"},
		{"today", until(now.Add(2 * time.Hour)), 3, nil, 5, "Override: workload.web has 5 replicas instead of 3, by ann@laptop until 14:00 UTC (stowage scale web=config ends it)"},
		{"another day", until(now.Add(26 * time.Hour)), 3, nil, 5, "Override: workload.web has 5 replicas instead of 3, by ann@laptop until 2026-01-03 14:00 UTC (stowage scale web=config ends it)"},
		{"its time is up", until(now), 3, nil, 3, "Override: that of workload.web (5 replicas, by ann@laptop) no longer counts: its time is up"},
		{"another number", base, 4, nil, 4, "Override: that of workload.web (5 replicas, by ann@laptop) no longer counts: the configuration's own number was changed from 3 to 4"},
		{"the same number in the end", base, 5, nil, 5, "Override: that of workload.web (5 replicas, by ann@laptop) no longer counts: the configuration's own number was changed from 3 to 5"},
		{"not declared", base, 0, nil, 0, "Override: that of workload.web (5 replicas, by ann@laptop) no longer counts: the workload is not in the configuration any more"},
		{"made", state.Override{}, 3, sets(1), 1, "Override: workload.web has 1 replica instead of 3, by bob@desk until the configuration's own number changes (stowage scale web=config ends it)"},
		{"made again", base, 3, sets(7), 7, "Override: workload.web has 7 replicas instead of 3, by bob@desk until the configuration's own number changes (stowage scale web=config ends it)"},
		{"ended", base, 3, sets(3), 3, "Override: that of workload.web (5 replicas, by ann@laptop) no longer counts: it was ended by bob@desk"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, s := &fleet.Fleet{}, &state.Snapshot{Overrides: map[fleet.WorkloadName]state.Override{}}
			if c.configured > 0 {
				f.Workloads = []fleet.Workload{{Name: "api", Replicas: 2}, {Name: "web", Replicas: c.configured}}
			}
			if c.record.Workload != "" {
				s.Overrides["web"] = c.record
			}
			n := Override(f, s, c.made, now)
			got := 0
			for _, w := range n.On(f).Workloads {
				if w.Name == "web" {
					got = w.Replicas
				}
			}
			if got != c.replicas {
				t.Errorf("got %d replicas, want %d", got, c.replicas)
			}
			p := Plan{Created: now, Overrides: n.InForce, Ended: n.Ended, Mode: Normal}
			first, _, _ := strings.Cut(p.Text(Style{}), "\n")
			if d := cmp.Diff(c.text, first); d != "" {
				t.Errorf("text (-want +got):\n%s", d)
			}
			if len(f.Workloads) > 0 && f.Workloads[1].Replicas != c.configured {
				t.Error("the fleet handed in was changed")
			}
		})
	}
}

// TestPinIsKept: an image that comes with its pin, as that of an older release does, stays what it is whatever the tag stands
// for by now, and is found under its pin where it has no tag any more.
func TestPinIsKept(t *testing.T) {
	for _, c := range []struct{ name, image, observed, want string }{
		{"by digest", "a:1#sha256:old", "web1 image a:1 id=i9 digest=sha256:new", "sha256:old pull"},
		{"by digest, there without its tag", "a:1#sha256:old", "web1 image a:1 id=i9 digest=sha256:new\nweb1 image a@sha256:old id=i1", "sha256:old"},
		{"by digest, with always", "a:1#sha256:old pull=always", "web1 image a:1 id=i9 digest=sha256:new", "sha256:old pull"},
		{"by id, there without its tag", "a:1#i1", "web1 image a:1 id=i9\nweb1 image i1 id=i1", "i1"},
		{"by id, here without its tag", "a:1#i1", "web1 image a:1 id=i9\nlocal a:1 id=i9\nlocal i1 id=i1", "i1 send"},
		{"by id, nowhere", "a:1#i1", "web1 image a:1 id=i9\nlocal a:1 id=i9", "S0701"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			for _, err := range []error{w.parseDesired("host web1\nworkload web image=" + c.image), w.parseObserved("web1\n" + c.observed)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			asked := map[string]bool{}
			for _, q := range Questions(&w.desired, &w.snap, w.view) {
				if q.Registry {
					t.Errorf("the registry is asked for %s", q.Ref)
				}
				asked[q.Ref] = true
			}
			for ref := range w.answers.Local {
				if !asked[ref] {
					delete(w.answers.Local, ref)
				}
			}
			p, diags := w.planQuiet()
			if p == nil {
				if !strings.HasPrefix(diags[0], c.want) {
					t.Errorf("got %v, want %s", diags, c.want)
				}
				return
			}
			got := p.Desired.Workloads[0].Spec.Image.Pin()
			for _, s := range p.Steps {
				if s.Kind == KindPull || s.Kind == KindSend {
					got += " " + string(s.Kind)
				}
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
