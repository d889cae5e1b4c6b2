package schedule

import (
	"slices"

	"github.com/stowage-run/stowage/fleet"
)

// fill places every seat that is still without a host, workload by workload.
func (p *pass) fill() {
	if !slices.ContainsFunc(p.works, func(w *work) bool { return !w.frozen && w.seated < len(w.seats) }) {
		return
	}
	if p.order == nil {
		p.setOrder()
	}
	for _, w := range p.order { // what one displaces is of a lower priority: its turn is still to come
		if pending := w.pending(); len(pending) > 0 {
			p.fillWork(w, pending)
		}
	}
}

func (p *pass) fillWork(w *work, pending []*seat) {
	if w.global {
		p.fillGlobal(w, pending)
	} else {
		p.fillReplicated(w, pending)
	}
}

func (p *pass) fillGlobal(w *work, pending []*seat) {
	d := &displacer{p: p, w: w}
	for _, s := range pending {
		if p.rejects(w, s, s.target) == passes {
			p.arrive(w, s, s.target)
		} else {
			d.makeRoom(s)
		}
	}
}

// fillReplicated places the seats that are tied to hosts, then the free ones.
func (p *pass) fillReplicated(w *work, pending []*seat) {
	pending = slices.DeleteFunc(pending, func(s *seat) bool { return p.waits(w, s) })
	d := &displacer{p: p, w: w}
	if w.bondage() != 0 {
		p.fillSpread(d, pending)
		return
	}
	var free []*seat
	for _, s := range pending {
		if len(p.ties(w, s)) > 0 {
			p.fillTied(d, s)
		} else {
			free = append(free, s)
		}
	}
	switch {
	case len(free) == 0:
	case w.shared == nil:
		p.fillSpread(d, free)
	default:
		p.fillHome(d, free)
	}
}

// fillHome places seats that share a volume which nobody has used yet.
func (p *pass) fillHome(d *displacer, free []*seat) {
	w := d.w
	if len(p.ties(w, free[0])) == 0 { // else the tied seats have made a home meanwhile
		if h := p.chooseHome(w, free); h != nil {
			p.arrive(w, free[0], h)
		} else if !d.makeRoom(free[0]) {
			return
		}
		free = free[1:]
	}
	for _, s := range free {
		p.fillTied(d, s)
	}
}

// fillTied gives a seat the best of the few hosts that it may have.
func (p *pass) fillTied(d *displacer, s *seat) {
	var fitting []*host
	for _, name := range p.ties(d.w, s)[0].hosts {
		if h := p.byName[name]; h != nil && p.rejects(d.w, s, h) == passes {
			fitting = append(fitting, h)
		}
	}
	if len(fitting) == 0 {
		d.makeRoom(s)
		return
	}
	p.arrive(d.w, s, p.bestOf(d.w, fitting))
}

// bestOf returns the host that w would rather have one more replica on, of few.
func (p *pass) bestOf(w *work, hosts []*host) *host {
	if len(hosts) == 1 {
		return hosts[0]
	}
	sh := p.shapeOf(w.Placement.Spread)
	tallies := sh.tallies(w)
	best, rating := hosts[0], p.rate(w, sh, tallies, hosts[0])
	for _, h := range hosts[1:] {
		if r := p.rate(w, sh, tallies, h); r.less(&rating) {
			best, rating = h, r
		}
	}
	return best
}

// arrive commits a seat to a host on which it does not stand, or no longer had a place.
func (p *pass) arrive(w *work, s *seat, h *host) {
	switch {
	case s.current == nil:
		s.reason = "new"
	case s.current.Host == h.Name:
		s.reason = ""
	}
	p.commit(w, s, h)
}

// fillSpread places seats that are free to stand anywhere, each where the spread is thinnest.
func (p *pass) fillSpread(d *displacer, free []*seat) {
	t := p.treeFor(d.w)
	d.tree = t
	for _, s := range free {
		if !t.place(s) {
			d.makeRoom(s)
		}
	}
}

// place gives a seat the best host that takes it.
func (t *tree) place(s *seat) bool {
	leaf, h := t.best(s)
	if own := t.p.regained(t.w, s); own != nil && (h == nil || t.p.bestOf(t.w, []*host{h, own}) == own) {
		t.p.arrive(t.w, s, own)
		t.reopened(own, false)
		return true
	}
	if h == nil {
		return false
	}
	t.p.arrive(t.w, s, h)
	t.arrived(leaf, h)
	return true
}

// best returns the best host that takes a seat; nil: none does. Hosts that do not are given up.
func (t *tree) best(s *seat) (leaf int32, h *host) {
	for {
		leaf, ok := t.front()
		if !ok {
			return 0, nil
		}
		h := t.p.hosts[t.nodes[leaf].pool.keys[0].host]
		if t.p.takes(t.w, s, h) == passes {
			return leaf, h
		}
		t.drop(leaf, h)
	}
}

// regained returns the host on which a seat stands through a cordon or silence, which no tree has, if displacing has made
// room for it there; else nil.
func (p *pass) regained(w *work, s *seat) *host {
	if !p.evicted || s.current == nil {
		return nil
	}
	h := p.byName[s.current.Host]
	if h == nil || p.allows(w, h, false) == passes || p.rejects(w, s, h) != passes {
		return nil
	}
	return h
}

// chooseHome returns the host that takes most of the replicas which share a volume that nobody has used
// yet, counting those of other workloads; nil: none takes the first seat.
func (p *pass) chooseHome(w *work, free []*seat) *host {
	var best []*host
	most := 0
	sharing := append([]*work{w}, p.sharing(w)...)
	p.candidates(w, func(h *host) {
		if p.rejects(w, free[0], h) != passes {
			return
		}
		n := p.company(sharing, h)
		if n > most {
			best, most = best[:0], n
		}
		if n == most {
			best = append(best, h)
		}
	})
	if len(best) == 0 {
		return nil
	}
	return p.bestOf(w, best)
}

// company counts how many replicas of workloads that share a volume a host takes together, by what they reserve.
func (p *pass) company(sharing []*work, h *host) int {
	used := h.used
	defer func() { h.used = used }()
	n := 0
	for _, o := range sharing {
		if p.allows(o, h, false) != passes {
			continue
		}
		pending := o.pending()
		room := len(pending)
		if o.Placement.MaxPerHost > 0 {
			room = min(room, o.Placement.MaxPerHost-int(o.count.at(h.index)))
		}
		if o.fixedPorts() > 0 {
			room = min(room, 1)
		}
		for _, s := range pending[:max(room, 0)] {
			if p.takes(o, s, h) != passes {
				break
			}
			h.used = h.used.Add(o.Reserve)
			n++
		}
	}
	return n
}

// sharing returns the other workloads that use one of w's shared volumes.
func (p *pass) sharing(w *work) []*work {
	var out []*work
	for _, o := range p.works {
		if o != w && slices.ContainsFunc(o.shared, func(v fleet.VolumeName) bool { return slices.Contains(w.shared, v) }) {
			out = append(out, o)
		}
	}
	return out
}
