package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/stowage-run/stowage/fleet"
)

// drawFleet makes a small fleet out of another. Hosts come and go; most workloads stay as they were, the others change
// in every way that the model knows.
func drawFleet(t *rapid.T, label string, from fleet.Fleet) fleet.Fleet {
	f := fleet.Fleet{Name: testName, Networks: []fleet.Network{{Name: "app", Driver: "bridge"}, {Name: "db", Driver: "bridge"}}}
	f.Volumes = []fleet.Volume{{Name: "data", Driver: "local", PerReplica: true}, {Name: "shared", Driver: "local"}}
	hosts := rapid.IntRange(1, 3).Draw(t, label+" hosts")
	for i := range hosts {
		h := fleet.Host{Name: fleet.HostName(fmt.Sprintf("web%d", i+1)), Address: "10.0.0.1"}
		h.Drain = i > 0 && rapid.IntRange(0, 5).Draw(t, label+" drain") == 0
		f.Hosts = append(f.Hosts, h)
	}
	for _, n := range []fleet.WorkloadName{"api", "db", "web"} {
		old := slices.IndexFunc(from.Workloads, func(w fleet.Workload) bool { return w.Name == n })
		if how := rapid.IntRange(0, 3).Draw(t, label+" keeps "+string(n)); old >= 0 && how > 0 {
			w := from.Workloads[old]
			if how == 1 { // what changes in place
				w.Spec.Limits.Memory = rapid.SampledFrom([]fleet.Bytes{fleet.MiB, 2 * fleet.MiB}).Draw(t, label+" memory")
				content := rapid.SampledFrom([]string{"one", "two"}).Draw(t, label+" content")
				w.Spec.Files = []fleet.File{{Path: "/etc/a", Content: fleet.Text{Plain: content}, Mode: 0o644, OnChange: "restart"}}
			}
			f.Workloads = append(f.Workloads, w)
			continue
		}
		if rapid.IntRange(0, 4).Draw(t, label+" "+string(n)) > 0 {
			f.Workloads = append(f.Workloads, drawWorkload(t, label, n))
		}
	}
	return f
}

func drawWorkload(t *rapid.T, label string, n fleet.WorkloadName) fleet.Workload {
	pick := func(what string, words ...string) string {
		return rapid.SampledFrom(words).Draw(t, label+" "+string(n)+" "+what)
	}
	words := []string{string(n), "replicas=" + pick("replicas", "0", "1", "2", "3"), "env.A=" + pick("env", "1", "2")}
	for _, w := range []string{
		pick("image", "image=app:1#sha256:app1", "image=app:2#sha256:app2"),
		pick("memory", "", "memory=256MiB", "memory=512MiB"),
		pick("file", "", "file./etc/a=one:restart", "file./etc/a=two:restart", "file./etc/a=two:signal:HUP", "file./etc/a=one:none"),
		pick("network", "", "net=app", "net=db"),
		pick("port", "", "port.http=80:auto"),
		pick("volume", "", "", "volume./data=data"),
		pick("reserve", "reserve=1MiB", "reserve=2MiB"),
	} {
		if w != "" {
			words = append(words, w)
		}
	}
	if n == "web" && pick("depends", "", "yes") != "" {
		words = append(words, "depends=workload.db")
	}
	w, err := parseWorkload(words)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// sim is one run of the property: a model and what is wanted of it.
type sim struct {
	*model
	desired fleet.Fleet
	plans   int
	last    string // the plan made last
}

// plan makes the next plan for what is wanted.
func (s *sim) plan(t *rapid.T, o Options) *Plan {
	w := newWorld()
	w.desired = s.desired
	w.desired.Workloads = slices.Clone(s.desired.Workloads)
	for i := range w.desired.Workloads {
		img := w.desired.Workloads[i].Spec.Image
		w.answers.Registry[img.Ref] = RegistryAnswer{Digest: img.Digest}
	}
	for _, h := range s.desired.Hosts {
		s.host(h.Name)
	}
	w.snap, w.view = s.snap, s.view()
	s.plans++
	o.ID = fmt.Sprintf("plan-%d", s.plans)
	w.opts = o
	p, problems := w.planQuiet()
	if p == nil {
		t.Fatalf("no plan: %v", problems)
	}
	checkPlan(t, w, p)
	s.last = planText(p, nil)
	return p
}

// apply carries a plan out, in a random order that its needs allow, and is cut off after stop events; -1: never.
func (s *sim) apply(t *rapid.T, p *Plan, stop int) {
	s.begin(p)
	floor := map[fleet.WorkloadName]int{}
	for _, w := range p.Desired.Workloads {
		floor[w.Name] = min(s.running(w.Name), w.Replicas) - 1
	}
	events := 0
	cut := func() bool { events++; return stop >= 0 && events > stop }
	done := make([]bool, len(p.Steps))
	for range p.Steps {
		var ready []int
		for i := range p.Steps {
			if !done[i] && !slices.ContainsFunc(p.Steps[i].Needs, func(n int) bool { return !done[n] }) {
				ready = append(ready, i)
			}
		}
		if len(ready) == 0 {
			t.Fatalf("no step can go on")
		}
		step := &p.Steps[ready[rapid.IntRange(0, len(ready)-1).Draw(t, "next")]]
		if cut() {
			return
		}
		s.intend(p, step)
		if cut() {
			return
		}
		s.remote(p, step)
		for w, n := range floor {
			if s.running(w) < n {
				s.fail("%d of %s run, at least %d should, after %s", s.running(w), w, n, stepLine(step))
			}
		}
		if cut() {
			return
		}
		s.record(p, step)
		done[step.ID] = true
	}
}

// meddle does to a container what people do.
func (s *sim) meddle(t *rapid.T) {
	for _, n := range slices.Sorted(maps.Keys(s.hosts)) {
		h := s.hosts[n]
		for _, id := range slices.Sorted(maps.Keys(h.containers)) {
			c := h.containers[id]
			switch rapid.IntRange(0, 14).Draw(t, "meddle") {
			case 0:
				c.Phase, c.ExitCode = fleet.PhaseExited, 137
			case 1:
				c.Phase = fleet.PhasePaused
			case 2:
				c.Name = "renamed-" + id
			case 3:
				delete(h.containers, id)
			case 4:
				if c.Limits.Memory > 0 {
					c.Limits.Memory = 1 << 30
				}
			case 5:
				c.Networks = append(slices.Clone(c.Networks), "theirs")
			case 6:
				c.Networks = nil
			case 7:
				c.Restart = fleet.RestartNo
			}
		}
	}
}

func (s *sim) check(t *rapid.T) {
	t.Helper()
	s.strangers()
	if len(s.errs) > 0 {
		t.Fatalf("%s\nin the plan\n%s", s.errs[0], s.last)
	}
}

// TestConverges: whatever is wanted, whatever was cut off and whatever people did, one apply that comes to its end makes
// containers, records and what is wanted the same, and the plan after it is empty.
func TestConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &sim{model: newModel()}
		for round := range rapid.IntRange(1, 4).Draw(t, "rounds") {
			s.desired = drawFleet(t, fmt.Sprint("round ", round), s.desired)
			if rapid.Bool().Draw(t, "somebody meddles") {
				s.meddle(t)
			}
			for range rapid.IntRange(0, 2).Draw(t, "cut off") {
				before := s.desired
				s.desired = drawFleet(t, "cut", s.desired)
				p := s.plan(t, Options{})
				s.apply(t, p, rapid.IntRange(0, 3*len(p.Steps)).Draw(t, "after"))
				s.check(t)
				if rapid.Bool().Draw(t, "goes back") {
					s.desired = before
				}
			}
			s.apply(t, s.plan(t, Options{}), -1)
			s.check(t)
			if p := s.plan(t, Options{}); !p.Empty() || len(p.Drift) > 0 {
				t.Fatalf("the plan after apply is not empty:\n%s", planText(p, nil))
			}
			s.atRest(&s.desired)
			s.check(t)
		}
		p := s.plan(t, Options{Mode: Destroy})
		s.apply(t, p, -1)
		s.check(t)
		s.desired.Workloads, s.desired.Outputs = nil, nil
		s.atRest(&s.desired)
		s.check(t)
	})
}

// TestSilence: hosts that do not answer get no step and lose nothing; once they answer again, everything converges.
func TestSilence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &sim{model: newModel()}
		s.desired = drawFleet(t, "first", fleet.Fleet{})
		s.apply(t, s.plan(t, Options{}), -1)
		for round := range rapid.IntRange(1, 3).Draw(t, "rounds") {
			s.desired = drawFleet(t, fmt.Sprint("round ", round), s.desired)
			kept := map[string]bool{}
			for _, n := range slices.Sorted(maps.Keys(s.hosts)) {
				h := s.hosts[n]
				if h.silent = n != "web1" && rapid.IntRange(0, 1).Draw(t, "silent "+string(n)) == 0; h.silent {
					for id := range h.containers {
						kept[id] = true
					}
				}
			}
			before := maps.Clone(s.snap.Replicas)
			p := s.plan(t, Options{})
			s.apply(t, p, rapid.IntRange(-1, 3*len(p.Steps)).Draw(t, "after"))
			s.check(t)
			for n, h := range s.hosts {
				holdsRecorded := false
				for id := range h.containers {
					delete(kept, id)
				}
				for _, r := range before {
					holdsRecorded = holdsRecorded || r.Host == n && r.Container != ""
				}
				if h.silent && holdsRecorded && !slices.ContainsFunc(p.Skipped, func(k Skipped) bool { return k.Host == n }) {
					t.Fatalf("%s is silent and holds replicas, and the plan does not say so", n)
				}
			}
			if len(kept) > 0 {
				t.Fatalf("containers on silent hosts are gone: %v", kept)
			}
		}
		for _, h := range s.hosts {
			h.silent = false
		}
		s.apply(t, s.plan(t, Options{}), -1)
		s.check(t)
		if p := s.plan(t, Options{}); !p.Empty() {
			t.Fatalf("the plan after apply is not empty:\n%s", planText(p, nil))
		}
		s.atRest(&s.desired)
		s.check(t)
	})
}

// TestDeterministic: the order in which inputs come does not matter, and nothing handed in is changed.
func TestDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &sim{model: newModel()}
		s.desired = drawFleet(t, "first", fleet.Fleet{})
		s.apply(t, s.plan(t, Options{}), -1)
		s.meddle(t)
		s.desired = drawFleet(t, "second", s.desired)
		w := newWorld()
		w.desired, w.snap, w.view = s.desired, s.snap, s.view()
		for i := range w.desired.Workloads {
			w.answers.Registry[w.desired.Workloads[i].Spec.Image.Ref] = RegistryAnswer{Digest: w.desired.Workloads[i].Spec.Image.Digest}
		}
		pinned, notes, _ := Pin(&w.desired, &w.snap, w.view, w.answers)
		inv := Match(&w.snap, w.view)
		in := Input{
			Desired: pinned, Snapshot: &w.snap, View: w.view, Inventory: inv, Assignment: place(pinned, &inv, w.view),
			Images: notes, Answers: w.answers,
		}
		before := encoded(t, in)
		p, _ := Make(in)
		first := encoded(t, p)
		if after := encoded(t, in); !bytes.Equal(before, after) {
			t.Fatalf("the input was changed:\n%s\n%s", before, after)
		}
		f := *pinned
		f.Hosts, f.Workloads = shuffled(t, f.Hosts), shuffled(t, f.Workloads)
		f.Networks, f.Volumes = shuffled(t, f.Networks), shuffled(t, f.Volumes)
		in.Desired = &f
		in.Assignment.Placed = shuffled(t, in.Assignment.Placed)
		v := fleet.View{Hosts: map[fleet.HostName]fleet.Sighting{}}
		for n, h := range w.view.Hosts {
			o := *h.Observation
			o.Containers, o.Networks, o.Volumes = shuffled(t, o.Containers), shuffled(t, o.Networks), shuffled(t, o.Volumes)
			v.Hosts[n] = fleet.Sighting{Observation: &o}
		}
		in.View, in.Inventory = v, Match(&w.snap, v)
		p, _ = Make(in)
		if second := encoded(t, p); !bytes.Equal(first, second) {
			t.Fatalf("another order gives another plan:\n%s\n%s", first, second)
		}
	})
}

func encoded(t *rapid.T, v any) []byte {
	if in, ok := v.(Input); ok { // a snapshot's maps have keys that JSON has not
		v = []any{in.Desired, in.View, in.Assignment, in.Images, fmt.Sprintf("%+v", in.Snapshot.Replicas), in.Snapshot.Volumes, in.Snapshot.Networks}
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func shuffled[T any](t *rapid.T, l []T) []T {
	if len(l) < 2 {
		return l
	}
	return rapid.Permutation(l).Draw(t, "order")
}
