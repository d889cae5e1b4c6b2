package schedule

import (
	"slices"

	"github.com/stowage-run/stowage/fleet"
)

// health is how many healthy replicas each workload has once the placement was carried out.
type health struct {
	total map[fleet.WorkloadName]int
	stray map[*host][]fleet.WorkloadName // of workloads that are not declared, by host
}

// Survival tries the loss of each host, one by one, and of each value of every label that a workload spreads over. What
// would follow is what Lose says; what would be down is what has no healthy replica left at the moment of the loss.
func (s *Standing) Survival() fleet.Survival {
	s.ready()
	var out fleet.Survival
	for _, h := range s.pass.hosts {
		if h.lost || h.Drain && h.replicas == 0 {
			continue
		}
		out.Hosts++
		if l, ok := s.loss([]*host{h}); ok {
			out.Losses = append(out.Losses, l)
		}
	}
	for _, w := range s.pass.works {
		out.Labels = append(out.Labels, w.Placement.Spread...)
	}
	slices.Sort(out.Labels)
	out.Labels = slices.Compact(out.Labels)
	for _, label := range out.Labels {
		out.Losses = append(out.Losses, s.lossesOf(label)...)
	}
	return out
}

// lossesOf tries every value of a label.
func (s *Standing) lossesOf(label string) []fleet.Loss {
	by := map[string][]*host{}
	var values []string
	for _, h := range s.pass.hosts {
		v, ok := h.Labels[label]
		if !ok || h.lost {
			continue
		}
		if by[v] == nil {
			values = append(values, v)
		}
		by[v] = append(by[v], h)
	}
	slices.Sort(values)
	var out []fleet.Loss
	for _, v := range values {
		if l, ok := s.loss(by[v]); ok {
			l.Label, l.Value = label, v
			out = append(out, l)
		}
	}
	return out
}

// loss tries one loss. ok is false where the fleet survives it whole.
func (s *Standing) loss(hosts []*host) (l fleet.Loss, ok bool) {
	for _, h := range hosts {
		l.Hosts = append(l.Hosts, h.Name)
	}
	l.Down = s.down(hosts)
	l.Refused = s.refusedWithout(hosts)
	return l, len(l.Down) > 0 || len(l.Refused) > 0
}

func (s *Standing) refusedWithout(hosts []*host) []fleet.Refusal {
	if s.tricky(hosts) {
		return s.loseSlowly(hosts).Refused
	}
	defer s.pass.undo()
	s.lose(hosts)
	return s.refusedBeyond()
}

// down lists the workloads whose last healthy replicas are on the hosts.
func (s *Standing) down(hosts []*host) []fleet.WorkloadName {
	if s.asking.health == nil {
		s.asking.health = s.newHealth()
	}
	lost := map[fleet.WorkloadName]int{}
	for _, h := range hosts {
		for _, r := range s.pass.residentsOf(h) {
			if r.work.healthy(r.seat) {
				lost[r.work.Name]++
			}
		}
		for _, w := range s.asking.health.stray[h] {
			lost[w]++
		}
	}
	var out []fleet.WorkloadName
	for w, n := range lost {
		if n == s.asking.health.total[w] {
			out = append(out, w)
		}
	}
	slices.Sort(out)
	return out
}

func (s *Standing) newHealth() *health {
	a := &health{total: map[fleet.WorkloadName]int{}, stray: map[*host][]fleet.WorkloadName{}}
	for _, w := range s.pass.works {
		n := 0
		for i := range w.seats {
			if w.healthy(&w.seats[i]) {
				n++
			}
		}
		a.total[w.Name] = n
	}
	for _, t := range s.pass.strays {
		h := s.pass.byName[t.Host]
		if t.Unhealthy || h != nil && h.lost {
			continue
		}
		a.total[t.id.Workload]++
		if h != nil {
			a.stray[h] = append(a.stray[h], t.id.Workload)
		}
	}
	return a
}

// healthy reports whether a seat's replica does its work once the placement was carried out: one that moves or is new
// does. A frozen one may be on a host that is lost, or not in the fleet.
func (w *work) healthy(s *seat) bool {
	switch {
	case s.host == nil:
		return w.frozen && !s.current.Unhealthy
	case s.host.lost:
		return false
	}
	return !s.stands(s.host) || !s.current.Unhealthy
}
