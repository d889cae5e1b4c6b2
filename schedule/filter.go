package schedule

import (
	"slices"
)

// filter is one reason for which a host does not take a replica. They are tried in this order, and a
// host is counted under the first that rejects it: what people said first, then what the fleet is
// like, then what is used up.
type filter uint8

const (
	passes filter = iota
	notListed
	otherLabels
	unmetConstraint
	otherArch
	withoutDevice
	cordoned
	drained
	isLost
	unreachable
	barred // what is exclusive and stood on a lost host waits for that host
	volumeElsewhere
	portTaken
	atMaxPerHost
	shortOfCPU
	shortOfMemory
	shortOfGPUs
	filters // how many there are
)

// String is what a host is that the filter rejects.
func (f filter) String() string {
	return [filters]string{
		"", "not in placement.hosts", "without the wanted labels", "not meeting a constraint", "of another architecture",
		"without a device", "cordoned", "drained", "lost", "unreachable", "barred until a lost host is back", "without the volume",
		"with the port taken", "at max_per_host", "short of cpu", "short of memory", "short of gpus",
	}[f]
}

// allows tries the filters that do not depend on what else is placed. A replica that stands on the
// host stays in spite of a cordon and of silence.
func (p *pass) allows(w *work, h *host, stands bool) filter {
	if w.listed != nil {
		if _, ok := slices.BinarySearch(w.listed, int32(h.index)); !ok {
			return notListed
		}
	}
	if v := w.verdict[p.judged(w, h)]; v != passes {
		if !stands || h.facts.Known || v != unmetConstraint {
			return v
		}
		if v = w.suits(h, true); v != passes {
			return v
		}
	}
	switch {
	case h.Cordon && !stands:
		return cordoned
	case h.Drain:
		return drained
	case h.lost:
		return isLost
	case !h.facts.Known && !stands:
		return unreachable
	}
	return passes
}

// candidates calls f for every host that may take a replica of w which does not stand there, by name.
func (p *pass) candidates(w *work, f func(h *host)) {
	if w.listed != nil {
		for _, i := range w.listed {
			if h := p.hosts[i]; p.allows(w, h, false) == passes {
				f(h)
			}
		}
		return
	}
	for _, h := range p.hosts {
		if p.allows(w, h, false) == passes {
			f(h)
		}
	}
}

// takes tries the filters that depend on what else is placed. But for displacing, a host that rejects a
// workload's replica goes on rejecting it for the rest of the pass.
func (p *pass) takes(w *work, s *seat, h *host) filter {
	if len(w.wants) > 0 && p.blocked(w, s, h) {
		return portTaken
	}
	if w.atMax(h) {
		return atMaxPerHost
	}
	return h.fits(w.Reserve)
}

// keeps is takes for a replica that stands on h. Of a host that is not known nothing is used up: what
// is there stays until somebody says otherwise.
func (p *pass) keeps(w *work, s *seat, h *host) filter {
	if h.facts.Known {
		return p.takes(w, s, h)
	}
	if w.atMax(h) {
		return atMaxPerHost
	}
	return passes
}

func (w *work) atMax(h *host) bool {
	return w.Placement.MaxPerHost > 0 && !w.global && int(w.count.at(h.index)) >= w.Placement.MaxPerHost
}

// stands reports whether a seat's replica stands on a host now.
func (s *seat) stands(h *host) bool { return s.current != nil && s.current.Host == h.Name }

// rejects tries all filters, in order.
func (p *pass) rejects(w *work, s *seat, h *host) filter {
	if f := p.bars(w, s, h); f != passes {
		return f
	}
	return p.hasRoom(w, s, h)
}

// hasRoom tries the filters that displacing may change, and max_per_host.
func (p *pass) hasRoom(w *work, s *seat, h *host) filter {
	if s.stands(h) {
		return p.keeps(w, s, h)
	}
	return p.takes(w, s, h)
}

// bars tries the filters that no displacing changes, but for max_per_host.
func (p *pass) bars(w *work, s *seat, h *host) filter {
	return p.bonds(w, s).bars(p, w, s, h)
}

// bonds is what binds a seat to hosts.
type bonds struct {
	waits *host // exclusive, and it stood on this one, which is lost: it may still run there
	ties  []tie
}

func (p *pass) bonds(w *work, s *seat) bonds {
	b := bonds{ties: p.ties(w, s)}
	if w.Exclusive && s.current != nil {
		if h := p.byName[s.current.Host]; h != nil && h.lost {
			b.waits = h
		}
	}
	return b
}

func (b bonds) bars(p *pass, w *work, s *seat, h *host) filter {
	if f := p.allows(w, h, s.stands(h)); f != passes {
		return f
	}
	if b.waits != nil {
		return barred
	}
	if len(b.ties) > 0 {
		if _, ok := elsewhere(b.ties, h); ok {
			return volumeElsewhere
		}
	}
	return passes
}

// waits reports whether a seat waits for a lost host, which keeps it from all others.
func (p *pass) waits(w *work, s *seat) bool { return w.Exclusive && p.bonds(w, s).waits != nil }
