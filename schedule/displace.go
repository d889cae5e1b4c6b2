package schedule

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/stowage-run/stowage/fleet"
)

// displacer makes room for the seats of one workload that no host takes as it is.
//
// Of the hosts that would take the replica were it not for lesser ones there, the one is taken where the victims are
// least: the lowest highest rank, then the fewest, then the least memory, then the host that is best by preference as
// things stand. What had to go is placed again in the turn of its own workload, which is still to come.
type displacer struct {
	p     *pass
	w     *work
	tree  *tree          // of w, all given up; nil where there is none
	plans map[int]*purge // by host: what would have to go for any seat that does not stand there; nil: nothing would help
	vain  bool           // no host can be purged for such a seat
}

// purge is what has to go from one host for one more replica.
type purge struct {
	host    *host
	victims []resident // by replica
	rank    int        // the highest of them
	memory  fleet.Bytes
}

// compare compares what is lost.
func (v *purge) compare(o *purge) int {
	return cmp.Or(cmp.Compare(v.rank, o.rank), cmp.Compare(len(v.victims), len(o.victims)), cmp.Compare(v.memory, o.memory))
}

// makeRoom gives a seat a host by displacing others, if that can be.
func (d *displacer) makeRoom(s *seat) bool {
	p := d.p
	if d.w.rank <= p.lowest {
		return false
	}
	particular := d.w.bondage() == 0 // not all hosts treat it as they treat its siblings
	best := d.cheapest(s, particular)
	if best == nil {
		d.vain = d.vain || !particular
		return false
	}
	h := best.host
	for _, v := range best.victims {
		p.leave(v.work, v.seat)
		v.seat.displaced = true
		v.seat.reason = fmt.Sprintf("displaced by %s (priority %d over %d)", short(d.w.id(s)), d.w.rank, v.work.rank)
		p.queue(v.work, v.seat)
	}
	p.evicted = true
	delete(d.plans, h.index)
	p.arrive(d.w, s, h)
	if d.tree != nil {
		d.tree.reopened(h, p.allows(d.w, h, false) == passes && p.takes(d.w, s, h) == passes)
	}
	return true
}

// cheapest returns the least purge, or nil.
func (d *displacer) cheapest(s *seat, particular bool) *purge {
	if d.plans == nil {
		d.plans = map[int]*purge{}
	}
	var best []*purge
	for _, h := range d.where(s) {
		v, known := d.plans[h.index]
		switch {
		case particular || s.stands(h):
			v = d.purge(s, h)
		case !known:
			v = d.purge(s, h)
			d.plans[h.index] = v
		}
		switch {
		case v == nil:
		case len(best) == 0 || v.compare(best[0]) < 0:
			best = append(best[:0], v)
		case v.compare(best[0]) == 0:
			best = append(best, v)
		}
	}
	if len(best) < 2 {
		return append(best, nil)[0]
	}
	hosts := make([]*host, len(best))
	for i, v := range best {
		hosts[i] = v.host
	}
	return best[slices.Index(hosts, d.p.bestOf(d.w, hosts))]
}

// where lists the hosts that may be purged for a seat: its own, where it was tried for another in vain.
func (d *displacer) where(s *seat) []*host {
	switch {
	case d.w.global:
		return []*host{s.target}
	case !d.vain:
		return d.p.hosts
	case s.current == nil || d.p.byName[s.current.Host] == nil:
		return nil
	}
	return []*host{d.p.byName[s.current.Host]}
}

// purge returns the least that has to go from a host for a seat; nil: nothing would help.
func (d *displacer) purge(s *seat, h *host) *purge {
	p, w := d.p, d.w
	if p.bars(w, s, h) != passes || w.atMax(h) {
		return nil
	}
	var lesser []resident
	for _, r := range p.residentsOf(h) {
		if r.work.rank < w.rank && p.movable(r) {
			lesser = append(lesser, r)
		}
	}
	if len(lesser) == 0 {
		return nil
	}
	slices.SortFunc(lesser, func(a, b resident) int { return a.id().Compare(b.id()) })
	forced, ok := p.portHolders(w, s, h, lesser)
	if !ok {
		return nil
	}
	c := choice{host: h, more: w.Reserve, used: h.used}
	for _, r := range lesser {
		if slices.Contains(forced, r) {
			c.take(r)
		} else {
			c.offers = append(c.offers, r)
		}
	}
	if !c.choose() {
		return nil
	}
	v := &purge{host: h, victims: c.taken}
	for _, r := range c.taken {
		v.rank = max(v.rank, r.work.rank)
		v.memory += r.work.Reserve.Memory
	}
	slices.SortFunc(v.victims, func(a, b resident) int { return a.id().Compare(b.id()) })
	return v
}

// movable reports whether a resident may be displaced at all.
func (p *pass) movable(r resident) bool {
	w, s := r.work, r.seat
	held := w.bondage() == 0 && (p.journal != nil || s.current != nil && s.current.Holds)
	return !w.frozen && !w.global && !w.Exclusive && !held && s.host.facts.Known
}

// portHolders returns those of lesser that have a port which w wants exactly. ok is false where somebody else has one, or
// no automatic one is left.
func (p *pass) portHolders(w *work, s *seat, h *host, lesser []resident) (holders []resident, ok bool) {
	for _, k := range w.wants {
		if k.number == 0 || !h.ports.conflicts(k.portKey, k.bind) {
			continue
		}
		if slices.ContainsFunc(h.ports.listed, func(b bound) bool { return b.work == nil && b.clashes(k.portKey, k.bind) }) {
			return nil, false
		}
		for _, r := range p.residentsOf(h) {
			switch {
			case !p.binds(r, k.portKey, k.bind):
			case !slices.Contains(lesser, r):
				return nil, false
			case !slices.Contains(holders, r):
				holders = append(holders, r)
			}
		}
	}
	if len(holders) == 0 && len(w.wants) > 0 && p.blocked(w, s, h) {
		return nil, false
	}
	return holders, true
}

// outranked reports whether a refused seat would have a place, were it not for what ranks higher.
func (p *pass) outranked(w *work, s *seat) bool {
	if w.rank >= p.highest {
		return false
	}
	hosts := p.hosts
	if w.global {
		hosts = []*host{s.target}
	}
	return slices.ContainsFunc(hosts, func(h *host) bool { return p.outrankedOn(w, s, h) })
}

func (p *pass) outrankedOn(w *work, s *seat, h *host) bool {
	if p.bars(w, s, h) != passes || w.atMax(h) {
		return false
	}
	used := h.used
	var greater []resident
	for _, r := range p.residentsOf(h) {
		if r.work.rank > w.rank {
			greater = append(greater, r)
			used = used.Sub(r.seat.takes(r.work))
		}
	}
	if len(greater) == 0 || h.fitsBeside(w.Reserve, used) != passes {
		return false
	}
	_, ok := p.portHolders(w, s, h, greater)
	return ok
}

// takes is what a seat takes up where it stands.
func (s *seat) takes(w *work) fleet.Resources {
	if w.frozen {
		return s.current.reserve(w)
	}
	return w.Reserve
}
