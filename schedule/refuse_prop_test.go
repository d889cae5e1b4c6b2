package schedule

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/stowage-run/stowage/fleet"
)

// placer is Place, or the slow one: what is stated of placements here has to hold of both.
type placer func(Input) fleet.Assignment

func slowPlace(in Input) fleet.Assignment {
	s := newSlow(in)
	s.place()
	return s.assignment()
}

// after is the slow scheduler with an assignment for its own, to be asked of it what it would do next.
func after(in Input, a fleet.Assignment) *slow {
	s := newSlow(in)
	for _, p := range a.Placed {
		t := s.seatOf(p.Replica)
		if t == nil || t.frozen {
			continue
		}
		t.at, t.ports = p.Host, p.HostPorts
		names, wants := wantsOf(t.work)
		for i, k := range wants {
			if k.number == 0 {
				k.number = p.HostPorts[names[i]]
			}
			t.bound = append(t.bound, k)
		}
		s.add(t)
	}
	return s
}

func (s *slow) seatOf(r fleet.ReplicaID) *slowSeat {
	for _, t := range s.seats {
		if t.id == r {
			return t
		}
	}
	return nil
}

// without runs f with some replicas taken away.
func (s *slow) without(f func() bool, gone func(*slowSeat) bool) bool {
	before := s.placed
	defer func() { s.placed = before }()
	s.placed = slices.DeleteFunc(slices.Clone(before), gone)
	return f()
}

// taker returns a host that takes a seat now; nil: none does.
func (s *slow) taker(t *slowSeat) *fleet.Host {
	return s.best(t, func(h *fleet.Host) bool { return s.rejects(t, h) == "" })
}

// checkRefusals states what is right about a refusal. The scheduler is greedy: it does not move what stands, of equal or
// higher rank, to make room for one more, so a refusal does not say that no arrangement of the whole fleet would hold
// everything. It says two things, which are tried here for each refused replica with all others where they are: no host
// takes it; and no host would take it if everything went that it may displace. The second has to hold at the end and not only at
// its turn, as after it nothing is placed but what it may displace.
func checkRefusals(rt *rapid.T, in Input, a fleet.Assignment) {
	s := after(in, a)
	for _, r := range a.Refused {
		for _, slot := range r.Slots {
			t := s.seatOf(fleet.ReplicaID{Workload: r.Workload, Slot: slot})
			if len(s.shared(t.work)) > 0 {
				continue // its only host is that of the first user, who need not be there any more
			}
			if h := s.taker(t); h != nil {
				rt.Fatalf("%v is refused, and %s takes it", t.id, h.Name)
			}
			if s.without(func() bool { return s.taker(t) != nil }, func(v *slowSeat) bool { return s.mayDisplace(t, v) }) {
				rt.Fatalf("%v (rank %d) is refused and could displace", t.id, t.work.Placement.Rank())
			}
			if got, want := r.Outranked, s.outranked(t); got != want {
				rt.Fatalf("%v is refused with Outranked %v, want %v", t.id, got, want)
			}
		}
	}
}

// checkDisplaced states that nothing is displaced in vain: where a displaced replica stood something of higher rank is
// now, and with that there is no room for it. Where several were displaced from one host by several the room of one may be
// left over after all, so that is not looked at.
func checkDisplaced(rt *rapid.T, in Input, a fleet.Assignment, displaced []fleet.Gone) {
	s := after(in, a)
	for _, g := range displaced {
		v := s.seatOf(g.Replica)
		var by []*slowSeat
		for _, t := range s.placed {
			if t.at == g.Host && t.work != nil && !t.frozen && t.work.Placement.Rank() > v.work.Placement.Rank() {
				by = append(by, t)
			}
		}
		if len(by) == 0 {
			rt.Fatalf("%v is displaced from %s by nothing", g.Replica, g.Host)
		}
		if len(by) == 1 && s.rejects(v, s.host(g.Host)) == "" && v.at != g.Host {
			rt.Fatalf("%v is displaced from %s by %v in vain", g.Replica, g.Host, by[0].id)
		}
	}
}

func TestRefusalsAreRight(t *testing.T) {
	for name, place := range map[string]placer{"slow": slowPlace, "Place": Place} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				text := drawMix(rt, everything)
				rt.Log(text)
				in := parse(t, text)
				a := place(in)
				checkRefusals(rt, in, a)
				checkDisplaced(rt, in, a, a.Displaced)
			})
		})
	}
}
