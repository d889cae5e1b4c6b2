package schedule

import (
	"cmp"
	"slices"

	"github.com/stowage-run/stowage/fleet"
)

// fill places every seat that is still without a host, the workloads with the least choice first: in
// the other order the free ones take what the bound ones need.
func (p *pass) fill() {
	type entry struct {
		w        *work
		pending  []*seat
		eligible int
		size     float64
	}
	var order []entry
	for _, w := range p.works {
		if e := (entry{w: w, pending: w.pending()}); len(e.pending) > 0 {
			e.eligible, e.size = p.eligible(w), p.size(w)
			order = append(order, e)
		}
	}
	slices.SortStableFunc(order, func(a, b entry) int {
		return cmp.Or(
			a.w.bondage()-b.w.bondage(),
			a.eligible-b.eligible,
			cmp.Compare(b.w.fixedPorts(), a.w.fixedPorts()),
			cmp.Compare(b.size, a.size),
		)
	})
	for _, e := range order {
		if e.w.global {
			p.fillGlobal(e.w, e.pending)
		} else {
			p.fillReplicated(e.w, e.pending)
		}
	}
}

func (w *work) pending() []*seat {
	var out []*seat
	for _, s := range w.seats {
		if s.host == nil && !w.frozen {
			out = append(out, s)
		}
	}
	return out
}

func (w *work) fixedPorts() int {
	n := 0
	for _, k := range w.spec.wants {
		if k.number != 0 {
			n++
		}
	}
	return n
}

// size is the largest part of the roomiest host that one replica takes.
func (p *pass) size(w *work) float64 {
	var cpu, memory, gpus int64
	for _, h := range p.hosts {
		cpu, memory, gpus = max(cpu, int64(h.room.CPU)), max(memory, int64(h.room.Memory)), max(gpus, int64(h.room.GPUs))
	}
	var size float64
	for _, d := range [][2]int64{{int64(w.Reserve.CPU), cpu}, {int64(w.Reserve.Memory), memory}, {int64(w.Reserve.GPUs), gpus}} {
		if d[0] > 0 {
			size = max(size, part(d[0], d[1]))
		}
	}
	return size
}

func (p *pass) fillGlobal(w *work, pending []*seat) {
	for _, s := range pending {
		if p.rejects(w, s, s.target) == passes {
			p.arrive(w, s, s.target)
		}
	}
}

// fillReplicated places the seats that are tied to hosts, then the free ones.
func (p *pass) fillReplicated(w *work, pending []*seat) {
	var free []*seat
	for _, s := range pending {
		if len(p.ties(w, s)) > 0 {
			p.fillTied(w, s)
		} else {
			free = append(free, s)
		}
	}
	if len(free) == 0 {
		return
	}
	if w.shared == nil {
		p.fillSpread(w, free)
		return
	}
	if len(p.ties(w, free[0])) == 0 { // else the tied seats have made a home meanwhile
		h := p.chooseHome(w, free)
		if h == nil {
			return
		}
		p.arrive(w, free[0], h)
		free = free[1:]
	}
	for _, s := range free {
		p.fillTied(w, s)
	}
}

// fillTied gives a seat the best of the few hosts that it may have.
func (p *pass) fillTied(w *work, s *seat) {
	var best *host
	for _, name := range p.ties(w, s)[0].hosts {
		h := p.byName[name]
		if h != nil && p.rejects(w, s, h) == passes && (best == nil || w.prefers(h, best)) {
			best = h
		}
	}
	if best != nil {
		p.arrive(w, s, best)
	}
}

// arrive commits a seat to a host on which it does not stand yet.
func (p *pass) arrive(w *work, s *seat, h *host) {
	if s.current == nil {
		s.reason = "new"
	}
	p.commit(w, s, h)
}

// chooseHome returns the host that takes most of the replicas which share a volume that nobody has used
// yet, counting those of other workloads; nil: none takes the first seat.
func (p *pass) chooseHome(w *work, free []*seat) *host {
	var best *host
	most := 0
	for _, h := range p.hosts {
		if p.rejects(w, free[0], h) != passes {
			continue
		}
		n := p.company(w, h)
		if best == nil || n > most || n == most && w.prefers(h, best) {
			best, most = h, n
		}
	}
	return best
}

// company counts how many replicas of the workloads that share a volume with w a host takes together,
// by what they reserve.
func (p *pass) company(w *work, h *host) int {
	used := h.used
	defer func() { h.used = used }()
	n := 0
	for _, o := range append([]*work{w}, p.sharing(w)...) {
		if p.allows(o, h, false) != passes {
			continue
		}
		room := len(o.pending())
		if o.Placement.MaxPerHost > 0 {
			room = min(room, o.Placement.MaxPerHost-o.count[h])
		}
		if o.fixedPorts() > 0 {
			room = min(room, 1)
		}
		for _, s := range o.pending()[:max(room, 0)] {
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
