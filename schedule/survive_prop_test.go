package schedule

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/stowage-run/stowage/fleet"
)

// carriedOut is what stands once an assignment was carried out: what is placed, with its data where it mounts a volume of
// its host; what is refused is left alone, but what was displaced is removed. Some hosts are lost then.
func carriedOut(in Input, a fleet.Assignment, lost ...fleet.HostName) Input {
	s := newSlow(in)
	out := in
	out.Rebalance = false
	out.Current, out.Hosts = map[fleet.ReplicaID]Current{}, maps.Clone(in.Hosts)
	for _, r := range a.Refused {
		for _, slot := range r.Slots {
			id := fleet.ReplicaID{Workload: r.Workload, Slot: slot}
			displaced := slices.ContainsFunc(a.Displaced, func(g fleet.Gone) bool { return g.Replica == id })
			if c, ok := in.Current[id]; ok && !displaced {
				out.Current[id] = c
			}
		}
	}
	for _, p := range a.Placed {
		was := in.Current[p.Replica]
		if in.Frozen[p.Replica.Workload] {
			out.Current[p.Replica] = was
			continue
		}
		w := s.work(p.Replica.Workload)
		out.Current[p.Replica] = Current{
			Host: p.Host, HostPorts: p.HostPorts, Holds: len(s.own(w))+len(s.shared(w)) > 0 || w.Mode == fleet.Global,
			Unhealthy: was.Unhealthy && was.Host == p.Host,
		}
	}
	for _, n := range lost {
		f := out.Hosts[n]
		f.Lost = true
		out.Hosts[n] = f
	}
	return out
}

// deltaByPlace says what a loss changes by placing everything again.
func deltaByPlace(place placer, in Input, a fleet.Assignment, lost ...fleet.HostName) (moved map[fleet.ReplicaID]fleet.HostName, refused, displaced []fleet.ReplicaID) {
	b := place(carriedOut(in, a, lost...))
	at := map[fleet.ReplicaID]fleet.HostName{}
	for _, p := range a.Placed {
		at[p.Replica] = p.Host
	}
	moved = map[fleet.ReplicaID]fleet.HostName{}
	for _, p := range b.Placed {
		if at[p.Replica] != p.Host {
			moved[p.Replica] = p.Host
		}
	}
	for _, id := range refusedIn(b.Refused) {
		if !isRefused(a, id) {
			refused = append(refused, id)
		}
	}
	for _, g := range b.Displaced {
		displaced = append(displaced, g.Replica)
	}
	return moved, refused, displaced
}

func refusedIn(rs []fleet.Refusal) []fleet.ReplicaID {
	var out []fleet.ReplicaID
	for _, r := range rs {
		for _, slot := range r.Slots {
			out = append(out, fleet.ReplicaID{Workload: r.Workload, Slot: slot})
		}
	}
	slices.SortFunc(out, fleet.ReplicaID.Compare)
	return out
}

// TestLoseIsPlace compares the quick answer with the slow scheduler's placement of the same loss.
func TestLoseIsPlace(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := drawMix(rt, everything)
		rt.Log(text)
		in := parse(t, text)
		s := Stand(in)
		before := Place(in)
		a := s.Assignment()
		at := map[fleet.ReplicaID]fleet.HostName{}
		for _, p := range a.Placed {
			at[p.Replica] = p.Host
		}
		for range 3 {
			var lost []fleet.HostName
			for _, h := range in.Fleet.Hosts {
				if rapid.IntRange(0, 2).Draw(rt, "lost "+string(h.Name)) == 0 {
					lost = append(lost, h.Name)
				}
			}
			d := s.Lose(lost)
			moved, refused, displaced := deltaByPlace(slowPlace, in, a, lost...)
			got := map[fleet.ReplicaID]fleet.HostName{}
			for _, p := range d.Placed {
				if p.Host != at[p.Replica] { // else it has another port
					got[p.Replica] = p.Host
				}
			}
			var gone []fleet.ReplicaID
			for _, g := range d.Displaced {
				gone = append(gone, g.Replica)
			}
			if x := cmp.Diff(moved, got, cmpopts.EquateEmpty()); x != "" {
				rt.Fatalf("lose %v: placed (-slow +Lose):\n%s", lost, x)
			}
			if x := cmp.Diff(refused, refusedIn(d.Refused), cmpopts.EquateEmpty()); x != "" {
				rt.Fatalf("lose %v: refused (-slow +Lose):\n%s", lost, x)
			}
			if x := cmp.Diff(displaced, gone, cmpopts.EquateEmpty()); x != "" {
				rt.Fatalf("lose %v: displaced (-slow +Lose):\n%s", lost, x)
			}
			b := Place(carriedOut(in, a, lost...))
			b.Refused = slices.DeleteFunc(slices.Clone(b.Refused), func(r fleet.Refusal) bool {
				return !slices.ContainsFunc(r.Slots, func(n fleet.Slot) bool {
					return slices.Contains(refused, fleet.ReplicaID{Workload: r.Workload, Slot: n})
				})
			})
			for i := range b.Refused {
				b.Refused[i].Slots = slices.DeleteFunc(slices.Clone(b.Refused[i].Slots), func(n fleet.Slot) bool {
					return isRefused(a, fleet.ReplicaID{Workload: b.Refused[i].Workload, Slot: n})
				})
			}
			slices.SortFunc(b.Refused, func(x, y fleet.Refusal) int {
				return fleet.ReplicaID{Workload: x.Workload, Slot: x.Slots[0]}.Compare(fleet.ReplicaID{Workload: y.Workload, Slot: y.Slots[0]})
			})
			if x := cmp.Diff(b.Refused, d.Refused, cmpopts.EquateEmpty()); x != "" {
				rt.Fatalf("lose %v: refusals in words (-Place +Lose):\n%s", lost, x)
			}
		}
		if x := cmp.Diff(before, s.Assignment()); x != "" {
			rt.Fatalf("the questions changed the placement:\n%s", x)
		}
	})
}

// TestSurvivalIsBruteForce tries every loss with the slow scheduler.
func TestSurvivalIsBruteForce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := drawMix(rt, everything)
		rt.Log(text)
		in := parse(t, text)
		s := Stand(in)
		a := s.Assignment()
		if x := cmp.Diff(bruteSurvival(in, a), withoutWords(s.Survival()), cmpopts.EquateEmpty()); x != "" {
			rt.Fatalf("(-brute force +Survival):\n%s", x)
		}
	})
}

// survived is a survival with refusals as replicas.
type survived struct {
	Hosts  int
	Labels []string
	Losses []lossOf
}

type lossOf struct {
	Label, Value string
	Hosts        []fleet.HostName
	Refused      []fleet.ReplicaID
	Down         []fleet.WorkloadName
}

func withoutWords(s fleet.Survival) survived {
	out := survived{Hosts: s.Hosts, Labels: s.Labels}
	for _, l := range s.Losses {
		out.Losses = append(out.Losses, lossOf{l.Label, l.Value, l.Hosts, refusedIn(l.Refused), l.Down})
	}
	return out
}

func bruteSurvival(in Input, a fleet.Assignment) survived {
	var out survived
	s := newSlow(in)
	try := func(label, value string, lost []fleet.HostName) {
		_, refused, _ := deltaByPlace(slowPlace, in, a, lost...)
		if down := downWithout(in, a, lost); len(refused)+len(down) > 0 {
			out.Losses = append(out.Losses, lossOf{label, value, lost, refused, down})
		}
	}
	for _, h := range s.hosts {
		empty := !slices.ContainsFunc(a.Placed, func(p fleet.Placed) bool { return p.Host == h.Name })
		if !in.Hosts[h.Name].Lost && !(h.Drain && empty) {
			out.Hosts++
			try("", "", []fleet.HostName{h.Name})
		}
	}
	for _, w := range s.works {
		out.Labels = append(out.Labels, w.Placement.Spread...)
	}
	slices.Sort(out.Labels)
	out.Labels = slices.Compact(out.Labels)
	for _, label := range out.Labels {
		with := map[string][]fleet.HostName{}
		for _, h := range s.hosts {
			if v, ok := h.Labels[label]; ok && !in.Hosts[h.Name].Lost {
				with[v] = append(with[v], h.Name)
			}
		}
		for _, v := range slices.Sorted(maps.Keys(with)) {
			try(label, v, with[v])
		}
	}
	return out
}

// downWithout lists the workloads that have a healthy replica once the placement was carried out, and none without some hosts.
func downWithout(in Input, a fleet.Assignment, lost []fleet.HostName) []fleet.WorkloadName {
	before, left := map[fleet.WorkloadName]bool{}, map[fleet.WorkloadName]bool{}
	for _, p := range a.Placed {
		c, stood := in.Current[p.Replica]
		if stood && c.Unhealthy && c.Host == p.Host || in.Hosts[p.Host].Lost {
			continue
		}
		before[p.Replica.Workload] = true
		if !slices.Contains(lost, p.Host) {
			left[p.Replica.Workload] = true
		}
	}
	var out []fleet.WorkloadName
	for w := range before {
		if !left[w] {
			out = append(out, w)
		}
	}
	slices.Sort(out)
	return out
}

// TestWhyAgrees checks that the hosts that take a replica are those that the slow scheduler finds, best first, and that
// what is new stands on the first of them, if nothing was placed after it.
func TestWhyAgrees(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := drawMix(rt, everything)
		rt.Log(text)
		in := parse(t, text)
		s := Stand(in)
		a := s.Assignment()
		for _, p := range a.Placed {
			if in.Frozen[p.Replica.Workload] {
				continue
			}
			j := after(in, a)
			t := j.seatOf(p.Replica)
			if len(j.shared(t.work)) > 0 {
				continue // which of several copies was used first cannot be seen from the placement
			}
			j.remove(t)
			var fitting []*fleet.Host
			for _, h := range j.hosts {
				if (t.target == nil || t.target == h) && (j.rejects(t, h) == "" || h.Name == p.Host) {
					fitting = append(fitting, h)
				}
			}
			slices.SortFunc(fitting, func(x, y *fleet.Host) int { return j.compareHosts(t.work, x, y) })
			var want, got []fleet.HostName
			for _, h := range fitting[:min(len(fitting), topScores)] {
				want = append(want, h.Name)
			}
			why, ok := s.Why(p.Replica)
			for _, sc := range why.Scores {
				got = append(got, sc.Host)
			}
			if !ok || why.Host != p.Host || why.From != p.From || why.Reason != p.Reason || why.Fitting != len(fitting) {
				rt.Fatalf("%v: why %+v, placed %+v, %d fit", p.Replica, why, p, len(fitting))
			}
			if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
				rt.Fatalf("%v: hosts (-slow +Why):\n%s", p.Replica, d)
			}
		}
		for _, id := range refusedIn(a.Refused) {
			why, ok := s.Why(id)
			if !ok || why.Host != "" || why.Fitting != 0 || len(why.Filters) == 0 && len(in.Fleet.Hosts) > 0 {
				rt.Fatalf("%v is refused: why %+v", id, why)
			}
		}
	})
}
