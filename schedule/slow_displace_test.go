package schedule

import (
	"cmp"
	"slices"

	"github.com/stowage-run/stowage/fleet"
)

// displace makes room for a seat on the host where that costs least, and returns the host; nil: nowhere can it.
func (s *slow) displace(t *slowSeat) *fleet.Host {
	var best *fleet.Host
	var victims []*slowSeat
	for _, h := range s.hosts {
		if t.target != nil && t.target != h {
			continue
		}
		v := s.victims(t, h)
		if v == nil {
			continue
		}
		if best == nil || cmp.Or(compareVictims(v, victims), s.compareHosts(t.work, h, best)) < 0 {
			best, victims = h, v
		}
	}
	for _, v := range victims {
		s.remove(v)
		v.changed, v.ousted = true, true
	}
	return best
}

// victims returns the least costly set of replicas on a host without which it would take a seat; nil: there is none.
func (s *slow) victims(t *slowSeat, h *fleet.Host) []*slowSeat {
	if !slices.Contains([]string{"port", "cpu", "memory", "gpus"}, s.rejects(t, h)) {
		return nil
	}
	var may []*slowSeat
	for _, v := range s.placed {
		if v.at == h.Name && s.mayDisplace(t, v) {
			may = append(may, v)
		}
	}
	slices.SortFunc(may, func(a, b *slowSeat) int { return a.id.Compare(b.id) })
	before := slices.Clone(s.placed)
	var best []*slowSeat
	for set := 1; set < 1<<len(may); set++ {
		var some []*slowSeat
		for i, v := range may {
			if set>>i&1 == 1 {
				some = append(some, v)
			}
		}
		s.placed = slices.DeleteFunc(slices.Clone(before), func(v *slowSeat) bool { return slices.Contains(some, v) })
		if s.rejects(t, h) == "" && (best == nil || cmp.Or(compareVictims(some, best), compareNames(some, best)) < 0) {
			best = some
		}
	}
	s.placed = before
	return best
}

func (s *slow) mayDisplace(t, v *slowSeat) bool {
	if v.frozen || v.work.Mode == fleet.Global || v.work.Exclusive || !s.in.Hosts[v.at].Known {
		return false
	}
	holds := v.current != nil && v.current.Holds && len(s.shared(v.work))+len(s.own(v.work)) > 0
	return !holds && v.work.Placement.Rank() < t.work.Placement.Rank()
}

// compareVictims: the lowest highest rank, then the fewest, then the least memory.
func compareVictims(a, b []*slowSeat) int {
	cost := func(vs []*slowSeat) (rank int, memory fleet.Bytes) {
		for _, v := range vs {
			rank, memory = max(rank, v.work.Placement.Rank()), memory+v.work.Reserve.Memory
		}
		return rank, memory
	}
	rankA, memoryA := cost(a)
	rankB, memoryB := cost(b)
	return cmp.Or(cmp.Compare(rankA, rankB), cmp.Compare(len(a), len(b)), cmp.Compare(memoryA, memoryB))
}

// compareNames decides between sets that cost the same: the contract does not say.
func compareNames(a, b []*slowSeat) int {
	return slices.CompareFunc(a, b, func(x, y *slowSeat) int { return x.id.Compare(y.id) })
}

func (s *slow) remove(t *slowSeat) {
	s.placed = slices.DeleteFunc(s.placed, func(v *slowSeat) bool { return v == t })
	t.at, t.ports, t.bound = "", nil, nil
}

// outranked reports whether a seat without a host would have one, were there nothing of a higher rank.
func (s *slow) outranked(t *slowSeat) bool {
	before := s.placed
	defer func() { s.placed = before }()
	s.placed = slices.DeleteFunc(slices.Clone(before), func(v *slowSeat) bool {
		return v.work != nil && v.work.Placement.Rank() > t.work.Placement.Rank()
	})
	return s.best(t, func(h *fleet.Host) bool { return s.rejects(t, h) == "" }) != nil
}
