package schedule

import (
	"slices"

	"github.com/stowage-run/stowage/fleet"
)

// asking is what questions need beyond the placement.
type asking struct {
	refused   map[fleet.ReplicaID]bool // in the placement
	displaced map[fleet.ReplicaID]bool // those of them that had to make room
	base      int                      // keys in base trees so far
	unknown   bool                     // some hosts are not known
	questions int                      // how many were asked
	slow      bool                     // the placement is no fixed point in what concerns volumes or what was refused
	waiting   []*work                  // with refused seats
	used      map[fleet.VolumeName][]fleet.HostName
	health    *health // nil until asked for
}

// baseKeys bounds what base trees take up: 24 bytes each.
const baseKeys = 16 << 20

// ready makes what questions need, once.
func (s *Standing) ready() {
	if s.asking != nil {
		return
	}
	p := s.pass
	a := &asking{refused: map[fleet.ReplicaID]bool{}, displaced: map[fleet.ReplicaID]bool{}, used: map[fleet.VolumeName][]fleet.HostName{}}
	s.asking = a
	for _, r := range s.assignment.Refused {
		for _, n := range r.Slots {
			a.refused[fleet.ReplicaID{Workload: r.Workload, Slot: n}] = true
		}
	}
	for _, g := range s.assignment.Displaced {
		a.displaced[g.Replica] = true
	}
	if p.order == nil {
		p.setOrder()
	}
	for _, h := range p.hosts {
		h.ports.recorded = nil // what is gone holds no port when the question is asked
		a.unknown = a.unknown || !h.facts.Known
	}
	for _, w := range p.works {
		s.readyWork(w)
	}
	a.slow = a.slow || s.unsettled()
	p.evicted = false
}

// readyWork makes a workload's seats those of a placement that has been carried out, and sees whether what is refused or
// tied makes the short way unsafe.
func (s *Standing) readyWork(w *work) {
	p, a := s.pass, s.asking
	if w.shared == nil && w.seated == len(w.seats) && (!a.unknown || len(w.wants) == 0) {
		return // as nearly all are
	}
	if w.frozen {
		for i := range w.seats {
			if st := &w.seats[i]; st.host != nil {
				a.uses(w, st.host)
			}
		}
		return
	}
	for i := range w.seats {
		st := &w.seats[i]
		if st.host != nil {
			a.uses(w, st.host)
			if len(w.wants) > 0 && !st.host.facts.Known && len(st.ports) < len(w.wants) {
				a.slow = true // it may find the port now that it lacked
			}
			continue
		}
		if st.displaced { // it is removed, and new if it finds a place
			st.current, st.reason, st.displaced = nil, "", false
		}
		if st.current == nil {
			continue
		}
		h := p.byName[st.current.Host]
		if h == nil {
			continue
		}
		p.record(h, w, st.current.HostPorts)
		if st.current.Holds {
			a.uses(w, h)
		}
		if p.allows(w, h, true) == passes {
			a.slow = true // it stands where it might be kept
		}
	}
	if w.seated < len(w.seats) {
		a.waiting = append(a.waiting, w)
	}
}

// uses notes that a workload's volumes are used on a host.
func (a *asking) uses(w *work, h *host) {
	for _, v := range w.shared {
		if !slices.Contains(a.used[v], h.Name) {
			a.used[v] = append(a.used[v], h.Name)
		}
	}
}

// unsettled reports whether a volume that is one thing would be somewhere else, were everything placed again: it is on
// several hosts, or only what is not wanted any more holds it where it is.
func (s *Standing) unsettled() bool {
	for v, home := range s.pass.homes {
		used := s.asking.used[v]
		declared := len(s.in.Volumes[VolumeKey{Volume: v}]) > 0
		if len(home) > 1 || len(used) > 1 || !declared && len(home) > 0 && !slices.Equal(home, used) {
			return true
		}
	}
	return false
}
