package schedule

import (
	"maps"

	"github.com/stowage-run/stowage/fleet"
)

// freeze takes frozen workloads over as they stand, unchecked: others must fit around them.
func (p *pass) freeze() {
	for _, s := range p.strays {
		h := p.byName[s.Host]
		if h == nil {
			continue
		}
		h.used = h.used.Add(s.Reserve)
		h.replicas++
		for _, n := range s.HostPorts {
			for i := range int16(anyProtocol) {
				h.ports.take(bound{portKey: portKey{i, n}, stray: s.id})
			}
		}
	}
	for _, w := range p.works {
		if w.frozen {
			p.freezeWork(w)
		}
	}
}

func (p *pass) freezeWork(w *work) {
	w.seats = make([]seat, len(w.now))
	for i, n := range w.now {
		s := &w.seats[i]
		*s = seat{slot: n.slot, current: n.Current, ports: maps.Clone(n.HostPorts), host: p.byName[n.Host]}
		if s.host == nil {
			w.away++
			continue
		}
		p.reside(w, s)
		p.occupy(w, s, n.reserve(w))
		p.settle(w, s.host)
		p.eachBound(w, s, s.host.ports.take)
	}
}

func (s stray) placed() fleet.Placed {
	return fleet.Placed{Replica: s.id, Host: s.Host, From: s.Host, HostPorts: maps.Clone(s.HostPorts)}
}

// reserve is what a standing replica takes up now.
func (c Current) reserve(w *work) fleet.Resources {
	if c.Reserve != (fleet.Resources{}) || w == nil {
		return c.Reserve
	}
	return w.Reserve
}

// grown reports whether the workload asks for more than the replica was placed with.
func (c Current) grown(w *work) bool {
	was := c.reserve(w)
	return w.Reserve.CPU > was.CPU || w.Reserve.Memory > was.Memory || w.Reserve.GPUs > was.GPUs
}
