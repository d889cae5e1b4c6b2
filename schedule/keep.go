package schedule

import (
	"fmt"
	"slices"

	"github.com/stowage-run/stowage/fleet"
)

// keep makes the seats of every workload and leaves each replica where it is, if it may stay there.
//
// Where those that stand no longer fit together, the ones that cannot go elsewhere are kept first, and
// the ones that have grown last: who changed something moves, not its neighbour.
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
		w.seats = make([]*seat, max(w.Replicas, 0))
		block := make([]seat, len(w.seats)) // one allocation for ten thousand
		for i := range w.seats {
			block[i] = seat{slot: fleet.Slot(i)}
			w.seats[i] = &block[i]
		}
		for _, r := range p.currentOf(w.Name) {
			if int(r.Slot) < len(w.seats) {
				w.seats[r.Slot].current = p.currentAt(r)
			}
		}
	}
	slices.SortStableFunc(order, func(a, b *work) int { return a.bondage() - b.bondage() })
	for _, grown := range []bool{false, true} {
		for _, w := range order {
			p.keepWork(w, grown)
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
	for _, s := range w.seats {
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

// seatGlobal makes one seat for each host of a global workload. Slots stay with their hosts; a new host
// gets the slot whose volumes it has, else the lowest free number. A host that is merely not known
// gets none yet.
func (p *pass) seatGlobal(w *work) {
	w.dropped = map[fleet.Slot]string{}
	has := map[*host]bool{}
	used := map[fleet.Slot]bool{}
	for _, r := range p.currentOf(w.Name) {
		c := p.currentAt(r)
		h := p.byName[c.Host]
		if why := p.dropsGlobal(w, h, c, has); why != "" {
			w.dropped[r.Slot] = why
			continue
		}
		has[h], used[r.Slot] = true, true
		w.seats = append(w.seats, &seat{slot: r.Slot, current: c, target: h})
	}
	for _, h := range p.hosts {
		if has[h] || p.allows(w, h, false) != passes {
			continue
		}
		s := &seat{slot: p.globalSlot(w, h, used), target: h}
		s.reason = w.dropped[s.slot]
		if s.reason != "" {
			s.current = p.currentAt(w.id(s))
		}
		used[s.slot] = true
		w.seats = append(w.seats, s)
	}
	slices.SortFunc(w.seats, func(a, b *seat) int { return int(a.slot - b.slot) })
}

// dropsGlobal says why a replica of a global workload loses its host; empty: it does not.
func (p *pass) dropsGlobal(w *work, h *host, c *Current, has map[*host]bool) string {
	if h == nil {
		return undeclared(c.Host)
	}
	if has[h] {
		return fmt.Sprintf("mode is now global, and host %s has another replica", h.Name)
	}
	if f := p.allows(w, h, true); f != passes {
		return p.because(f, w, nil, h)
	}
	return ""
}

// globalSlot picks the slot for a host that has no replica yet.
func (p *pass) globalSlot(w *work, h *host, used map[fleet.Slot]bool) fleet.Slot {
	elsewhere := map[fleet.Slot]bool{}
	best := fleet.Slot(-1)
	for k, hosts := range p.in.Volumes {
		if k.Replica.Workload != w.Name || !slices.Contains(w.own, k.Volume) || used[k.Replica.Slot] {
			continue
		}
		if !slices.Contains(hosts, h.Name) {
			elsewhere[k.Replica.Slot] = true
		} else if best < 0 || k.Replica.Slot < best {
			best = k.Replica.Slot
		}
	}
	if best >= 0 && !elsewhere[best] {
		return best
	}
	for n := fleet.Slot(0); ; n++ {
		if !used[n] && !elsewhere[n] {
			return n
		}
	}
}
