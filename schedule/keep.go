package schedule

import (
	"fmt"
	"slices"

	"github.com/stowage-run/stowage/fleet"
)

// keep makes the seats of every workload and leaves each replica where it is, if it may stay there.
//
// Where those that stand no longer fit together, the ones that cannot go elsewhere are kept first, and
// the ones that have grown last: who changed something moves, not its neighbour. Priority has no say in
// this: it displaces what stands only where room is needed, and that is the filling's affair.
func (p *pass) keep() {
	var order []*work
	for _, w := range p.works {
		if w.frozen {
			continue
		}
		order = append(order, w)
		if w.global {
			p.seatGlobal(w)
			continue
		}
		w.seats = make([]seat, max(w.Replicas, 0))
		for i := range w.seats {
			w.seats[i].slot = fleet.Slot(i)
		}
		for _, n := range w.now {
			if n.slot >= 0 && int(n.slot) < len(w.seats) {
				w.seats[n.slot].current = n.Current
			}
		}
	}
	slices.SortStableFunc(order, func(a, b *work) int { return a.bondage() - b.bondage() })
	for _, grown := range []bool{false, true} {
		for _, w := range order {
			if len(w.now) > 0 {
				p.keepWork(w, grown)
			}
		}
	}
}

// bondage is 0 for workloads whose replicas have no choice of host, else 1.
func (w *work) bondage() int {
	if w.global || w.shared != nil || w.own != nil {
		return 0
	}
	return 1
}

func (p *pass) keepWork(w *work, grown bool) {
	for i := range w.seats {
		s := &w.seats[i]
		if s.current == nil || s.host != nil || s.current.grown(w) != grown || s.reason != "" {
			continue
		}
		h := p.byName[s.current.Host]
		if h == nil {
			s.reason = undeclared(s.current.Host)
			continue
		}
		if f := p.rejects(w, s, h); f != passes {
			s.reason = p.because(f, w, s, h)
			continue
		}
		p.commit(w, s, h)
	}
}

func undeclared(n fleet.HostName) string {
	return fmt.Sprintf("host %s is no longer in the configuration", n)
}
