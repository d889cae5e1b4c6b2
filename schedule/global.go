package schedule

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/stowage-run/stowage/fleet"
)

// seatGlobal makes one seat for each host of a global workload. Slots stay with their hosts; a new host
// gets the slot whose volumes it has, else the lowest free number. A host that is merely not known
// gets none yet.
func (p *pass) seatGlobal(w *work) {
	w.dropped = map[fleet.Slot]string{}
	has := map[*host]bool{}
	numbers := p.newNumbers(w)
	for _, n := range w.now {
		h := p.byName[n.Host]
		if why := p.dropsGlobal(w, h, n.Current, has); why != "" {
			w.dropped[n.slot] = why
			continue
		}
		has[h] = true
		numbers.used[n.slot] = true
		w.seats = append(w.seats, seat{slot: n.slot, current: n.Current, target: h})
	}
	p.candidates(w, func(h *host) {
		if has[h] {
			return
		}
		s := seat{slot: numbers.take(h.Name), target: h}
		s.reason = w.dropped[s.slot]
		if s.reason != "" {
			i, _ := slices.BinarySearchFunc(w.now, s.slot, func(n present, x fleet.Slot) int { return cmp.Compare(n.slot, x) })
			s.current = w.now[i].Current
		}
		w.seats = append(w.seats, s)
	})
	slices.SortFunc(w.seats, func(a, b seat) int { return cmp.Compare(a.slot, b.slot) })
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

// numbers gives slots to the hosts of a global workload that have no replica yet.
type numbers struct {
	used   map[fleet.Slot]bool
	next   fleet.Slot                             // none below it is free
	at     map[fleet.HostName][]fleet.Slot        // slots whose volumes a host has
	bound  map[fleet.Slot]map[fleet.HostName]bool // hosts that have a slot's volumes, by slot
	copies map[fleet.Slot]int                     // volumes of a slot
}

func (p *pass) newNumbers(w *work) *numbers {
	n := &numbers{used: map[fleet.Slot]bool{}}
	if len(w.own) == 0 {
		return n
	}
	n.at, n.bound, n.copies = map[fleet.HostName][]fleet.Slot{}, map[fleet.Slot]map[fleet.HostName]bool{}, map[fleet.Slot]int{}
	everywhere := map[fleet.Slot]map[fleet.HostName]int{}
	for k, hosts := range p.in.Volumes {
		if k.Replica.Workload != w.Name || !slices.Contains(w.own, k.Volume) {
			continue
		}
		slot := k.Replica.Slot
		n.copies[slot]++
		if everywhere[slot] == nil {
			everywhere[slot], n.bound[slot] = map[fleet.HostName]int{}, map[fleet.HostName]bool{}
		}
		for _, h := range slices.Compact(slices.Sorted(slices.Values(hosts))) {
			if everywhere[slot][h]++; !n.bound[slot][h] {
				n.bound[slot][h] = true
				n.at[h] = append(n.at[h], slot)
			}
		}
	}
	for slot, hosts := range everywhere {
		for h, c := range hosts {
			n.bound[slot][h] = c == n.copies[slot] // all of its volumes are there
		}
	}
	return n
}

// take picks the slot for a host.
func (n *numbers) take(h fleet.HostName) fleet.Slot {
	best := fleet.Slot(-1)
	for _, s := range n.at[h] {
		if !n.used[s] && (best < 0 || s < best) {
			best = s
		}
	}
	if best < 0 || !n.bound[best][h] {
		for best = n.next; n.used[best] || n.copies[best] > 0 && !n.bound[best][h]; best++ {
		}
	}
	n.used[best] = true
	for n.used[n.next] {
		n.next++
	}
	return best
}
