package schedule

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/stowage-run/stowage/fleet"
)

// Lose says what would follow from the loss of hosts: exactly what Place says of the placement as it stands, with the
// hosts lost and without rebalancing. Hosts that are not in the fleet, or lost already, are passed over.
//
// It takes time in proportion to what stood on the hosts, times the logarithm of the number of hosts, but for the first
// question about a workload, which orders all hosts for it, and for refusals, each of which is explained with all hosts.
func (s *Standing) Lose(hosts []fleet.HostName) Delta {
	s.ready()
	lost := s.losable(hosts)
	if s.tricky(lost) {
		return s.loseSlowly(lost)
	}
	p := s.pass
	defer p.undo()
	s.lose(lost)
	return s.delta()
}

// losable returns the hosts that can be lost, by name.
func (s *Standing) losable(names []fleet.HostName) []*host {
	var out []*host
	for _, n := range names {
		if h := s.pass.byName[n]; h != nil && !h.lost && !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	return out
}

// tricky reports whether the answer has to be had the long way.
func (s *Standing) tricky(lost []*host) bool {
	if s.asking.slow {
		return true
	}
	for _, w := range s.asking.waiting {
		if !w.global { // the slots of global workloads go to other hosts when one is free
			continue
		}
		for _, h := range lost {
			if w.count.at(h.index) > 0 || slices.ContainsFunc(w.pending(), func(st *seat) bool { return st.target == h }) {
				return true
			}
		}
	}
	return false
}

// lose takes what stands on the hosts away and places it elsewhere. The caller undoes it.
func (s *Standing) lose(lost []*host) {
	p := s.pass
	p.journal = &journal{lost: lost}
	leaving := s.leaving(lost)
	for i, r := range leaving {
		if (i == 0 || leaving[i-1].work != r.work) && !r.work.global {
			s.baseTree(r.work) // of the placement as it is before anything changes
		}
	}
	for _, h := range lost {
		p.touch(h)
		h.lost = true
	}
	s.rank()
	for _, r := range leaving {
		p.leave(r.work, r.seat)
		r.seat.displaced = false
		r.seat.reason = fmt.Sprintf("host %s is lost", r.seat.current.Host)
		if !r.work.global {
			p.queue(r.work, r.seat)
		}
	}
	for _, w := range s.asking.waiting {
		p.wait(w)
	}
	for len(p.journal.turns) > 0 {
		w := p.journal.turns[0]
		p.journal.turns = p.journal.turns[1:]
		s.turn(w)
	}
}

// leaving lists what stands on the hosts and is not frozen, by replica. The first question looks at every seat, which is
// cheaper than to note for all hosts who stands there; any other has that noted.
func (s *Standing) leaving(lost []*host) []resident {
	p := s.pass
	var out []resident
	s.asking.questions++
	if p.residents == nil && s.asking.questions == 1 {
		is := make([]bool, len(p.hosts))
		for _, h := range lost {
			is[h.index] = true
		}
		for _, w := range p.works {
			for i := range w.seats {
				if st := &w.seats[i]; !w.frozen && st.host != nil && is[st.host.index] {
					out = append(out, resident{w, st})
				}
			}
		}
		return out // workloads and their seats are in order
	}
	for _, h := range lost {
		for _, r := range p.residentsOf(h) {
			if !r.work.frozen {
				out = append(out, r)
			}
		}
	}
	slices.SortFunc(out, func(a, b resident) int { return a.id().Compare(b.id()) })
	return out
}

// rank sets every workload's turn, where affinities between workloads leave no other way: the loss may have changed how
// many hosts each has to choose from. Mostly it has not changed who has fewer.
func (s *Standing) rank() {
	p := s.pass
	if p.listed == nil {
		return
	}
	for _, w := range p.order {
		p.join(w)
	}
	order := p.order
	if !slices.IsSortedFunc(p.listed, compareTurns) {
		order = inTurn(slices.Clone(p.listed))
	}
	for i, w := range order {
		w.ask.turn = i
	}
	p.journal.ranked = true
}

// turn places what a workload has lost. What was refused before is tried again only where something was displaced: else
// there is less room than there was.
func (s *Standing) turn(w *work) {
	p := s.pass
	pending := slices.Clone(w.ask.pending)
	if p.evicted {
		pending = w.pending()
	}
	if len(pending) == 0 {
		return
	}
	slices.SortFunc(pending, func(a, b *seat) int { return cmp.Compare(a.slot, b.slot) })
	p.fillWork(w, pending)
}

// baseTree makes the order of all hosts for a workload, which later questions use too.
func (s *Standing) baseTree(w *work) {
	if w.base != nil || s.asking.base+len(s.pass.hosts) > baseKeys {
		return
	}
	s.asking.base += len(s.pass.hosts)
	w.base = s.pass.grow(w, true)
}

// delta says what the question has changed.
func (s *Standing) delta() Delta {
	p := s.pass
	var d Delta
	first := map[*seat]*host{}
	for _, c := range p.journal.changes {
		if _, ok := first[c.seat]; ok {
			continue
		}
		first[c.seat] = c.before.host
		if pl, ok := c.work.placedAt(c.seat); ok && c.seat.host != c.before.host {
			d.Placed = append(d.Placed, pl)
		}
		if c.seat.displaced && c.seat.host == nil {
			d.Displaced = append(d.Displaced, fleet.Gone{Replica: c.work.id(c.seat), Host: c.seat.current.Host, Reason: c.seat.reason})
		}
	}
	slices.SortFunc(d.Placed, func(a, b fleet.Placed) int { return a.Replica.Compare(b.Replica) })
	slices.SortFunc(d.Displaced, func(a, b fleet.Gone) int { return a.Replica.Compare(b.Replica) })
	d.Refused = s.refusedBeyond()
	return d
}

// refusedBeyond explains what the question leaves without a place.
func (s *Standing) refusedBeyond() []fleet.Refusal {
	var works []*work
	for _, w := range s.pass.journal.works {
		if !w.global && len(w.ask.pending) > 0 {
			works = append(works, w)
		}
	}
	slices.SortFunc(works, func(a, b *work) int { return cmp.Compare(a.Name, b.Name) })
	return s.further(s.pass.refusedOf(works))
}

// further leaves of refusals those slots that are not refused in the placement anyway.
func (s *Standing) further(all []fleet.Refusal) []fleet.Refusal {
	var out []fleet.Refusal
	for _, r := range all {
		r.Slots = slices.DeleteFunc(r.Slots, func(n fleet.Slot) bool {
			return s.asking.refused[fleet.ReplicaID{Workload: r.Workload, Slot: n}]
		})
		if len(r.Slots) > 0 {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, b fleet.Refusal) int {
		return cmp.Or(cmp.Compare(a.Workload, b.Workload), cmp.Compare(a.Slots[0], b.Slots[0]))
	})
	return out
}
