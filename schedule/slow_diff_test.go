package schedule

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/stowage-run/stowage/fleet"
)

// outcome is an assignment without the words that are for people, which the fixtures cover.
type outcome struct {
	Placed    map[fleet.ReplicaID]place
	Refused   map[fleet.ReplicaID][]string // "2 drained"
	Outranked map[fleet.ReplicaID]bool
	Gone      map[fleet.ReplicaID]fleet.HostName
	Displaced map[fleet.ReplicaID]fleet.HostName
	Loads     []fleet.Load
}

type place struct {
	Host, From fleet.HostName
	Ports      map[string]uint16
	Reason     bool
}

func newOutcome() outcome {
	return outcome{
		map[fleet.ReplicaID]place{}, map[fleet.ReplicaID][]string{}, map[fleet.ReplicaID]bool{},
		map[fleet.ReplicaID]fleet.HostName{}, map[fleet.ReplicaID]fleet.HostName{}, nil,
	}
}

// shortNames are what the filters are called in slow.
var shortNames = map[string]string{
	"not in placement.hosts": "hosts", "without the wanted labels": "labels", "not meeting a constraint": "constraint",
	"of another architecture": "arch", "without a device": "devices", "cordoned": "cordoned", "drained": "drained", "lost": "lost",
	"unreachable": "unreachable", "barred until a lost host is back": "barred",
	"without the volume": "volume", "with the port taken": "port", "at max_per_host": "max_per_host",
	"short of cpu": "cpu", "short of memory": "memory", "short of gpus": "gpus",
}

func outcomeOf(a fleet.Assignment) outcome {
	out := newOutcome()
	for _, p := range a.Placed {
		out.Placed[p.Replica] = place{p.Host, p.From, p.HostPorts, p.Reason != ""}
	}
	for _, r := range a.Refused {
		var why []string
		for _, f := range r.Filters {
			name, ok := shortNames[f.Filter]
			if !ok {
				name = f.Filter
			}
			why = append(why, fmt.Sprintf("%d %s", f.Hosts, name))
		}
		for _, s := range r.Slots {
			id := fleet.ReplicaID{Workload: r.Workload, Slot: s}
			out.Refused[id], out.Outranked[id] = why, r.Outranked
		}
	}
	for _, g := range a.Gone {
		out.Gone[g.Replica] = g.Host
	}
	for _, g := range a.Displaced {
		out.Displaced[g.Replica] = g.Host
	}
	out.Loads = a.Loads
	return out
}

func (s *slow) outcome() outcome {
	out := newOutcome()
	for _, t := range s.seats {
		from := fleet.HostName("")
		if t.current != nil {
			from = t.current.Host
		}
		if t.at != "" {
			out.Placed[t.id] = place{t.at, from, t.ports, t.changed}
			continue
		}
		out.Refused[t.id], out.Outranked[t.id] = s.why(t), s.outranked(t)
		if t.ousted && from != "" {
			out.Displaced[t.id] = from
		}
	}
	for id, gone := range s.gone {
		if gone {
			out.Gone[id] = s.in.Current[id].Host
		}
	}
	for _, h := range s.hosts {
		out.Loads = append(out.Loads, s.loadLine(h))
	}
	return out
}

// why counts the hosts that reject a seat, in the order of the filters. The seats of a global workload have one each, and
// are counted together where they wait for room, and where they do not.
func (s *slow) why(t *slowSeat) []string {
	n := map[string]int{}
	for _, h := range s.hosts {
		if t.target == nil {
			n[s.rejects(t, h)]++
		}
	}
	if t.target != nil {
		for _, o := range s.pending(t.work) {
			if s.outranked(o) == s.outranked(t) {
				n[s.rejects(o, o.target)]++
			}
		}
	}
	var out []string
	for _, f := range []string{
		"hosts", "labels", "constraint", "arch", "devices", "cordoned", "drained", "lost", "unreachable", "barred", "volume", "port",
		"max_per_host", "cpu", "memory", "gpus",
	} {
		if n[f] > 0 {
			out = append(out, fmt.Sprintf("%d %s", n[f], f))
		}
	}
	return out
}

func (s *slow) loadLine(h *fleet.Host) fleet.Load {
	room, known := s.room(h)
	l := fleet.Load{Host: h.Name, Capacity: room, After: s.usedOn(h), Replicas: s.replicas(h), Unlimited: !known.cpu && !known.memory}
	for _, id := range slices.Collect(maps.Keys(s.in.Current)) {
		if c := s.in.Current[id]; c.Host == h.Name {
			l.Before = l.Before.Add((&slowSeat{work: s.work(id.Workload), frozen: true, current: &c}).reserve())
		}
	}
	return l
}

// TestPlaceIsTheSlowPlace compares everything but words.
func TestPlaceIsTheSlowPlace(t *testing.T) {
	for name, m := range map[string]mix{
		"plain": {}, "ties": {ties: true}, "rich": {rich: true}, "ranks": {ranks: true, ties: true}, "everything": everything,
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, samePlace(t, func(rt *rapid.T) string { return drawMix(rt, m) }))
		})
	}
	t.Run("crowd", func(t *testing.T) { rapid.Check(t, samePlace(t, drawCrowd)) })
}

// FuzzPlaceIsTheSlowPlace goes on where TestPlaceIsTheSlowPlace stops.
func FuzzPlaceIsTheSlowPlace(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(samePlace(f, func(rt *rapid.T) string { return drawMix(rt, everything) })))
}

func samePlace(tb testing.TB, draw func(*rapid.T) string) func(*rapid.T) {
	return func(t *rapid.T) {
		text := draw(t)
		in := parse(tb, text)
		s := newSlow(in)
		s.place()
		if d := cmp.Diff(s.outcome(), outcomeOf(Place(in)), cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("%s\n(-slow +Place):\n%s", text, d)
		}
	}
}
