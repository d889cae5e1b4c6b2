package schedule

import (
	"cmp"
	"slices"

	"github.com/stowage-run/stowage/fleet"
)

// host is one host in the making.
type host struct {
	*fleet.Host
	facts    HostFacts
	index    int             // by name
	class    int32           // of hosts that every workload treats alike, but for what is used up
	room     fleet.Resources // capacity less the reserve, never negative
	limit    limits          // which fields of room are known
	lost     bool
	touched  bool            // by the question at hand
	before   fleet.Resources // what stands
	used     fleet.Resources // by what is committed
	replicas int             // committed
	ports    portTable
}

// limits says which resources of a host are bounded.
type limits struct{ cpu, memory, gpus bool }

func (p *pass) addHosts() {
	f := p.in.Fleet
	block := make([]host, len(f.Hosts))
	p.hosts = make([]*host, len(block))
	for i := range f.Hosts {
		h := &block[i]
		h.Host, h.facts = &f.Hosts[i], p.in.Hosts[f.Hosts[i].Name]
		h.measure()
		p.hosts[i] = h
		p.byName[h.Name] = h
		for _, t := range h.facts.Taken {
			k := portKey{p.protocol(t.Protocol), t.Host}
			h.ports.take(bound{portKey: k, bind: address(t.Bind)})
		}
	}
	if byName := func(a, b *host) int { return cmp.Compare(a.Name, b.Name) }; !slices.IsSortedFunc(p.hosts, byName) {
		slices.SortFunc(p.hosts, byName)
	}
	for i, h := range p.hosts {
		h.index = i
	}
}

// measure works out what a host has, from what is declared and what its engine reports.
func (h *host) measure() {
	c := h.facts.Capacity
	c.CPU = cmp.Or(h.Capacity.CPU, c.CPU)
	c.Memory = cmp.Or(h.Capacity.Memory, c.Memory)
	c.GPUs = cmp.Or(h.Capacity.GPUs, c.GPUs)
	h.lost = h.facts.Lost
	h.limit = limits{cpu: c.CPU != 0, memory: c.Memory != 0, gpus: c != (fleet.Resources{})}
	c = c.Sub(h.Reserve)
	h.room = fleet.Resources{CPU: max(c.CPU, 0), Memory: max(c.Memory, 0), GPUs: max(c.GPUs, 0)}
}

// fits reports which resource, if any, a host lacks for more beyond what is committed.
func (h *host) fits(more fleet.Resources) filter { return h.fitsBeside(more, h.used) }

// fitsBeside is fits with something else in use.
func (h *host) fitsBeside(more, used fleet.Resources) filter {
	switch {
	case h.limit.cpu && more.CPU > 0 && more.CPU > h.room.CPU-used.CPU:
		return shortOfCPU
	case h.limit.memory && more.Memory > 0 && more.Memory > h.room.Memory-used.Memory:
		return shortOfMemory
	case h.limit.gpus && more.GPUs > 0 && more.GPUs > h.room.GPUs-used.GPUs:
		return shortOfGPUs
	}
	return passes
}

// loadWith is the fullest of a host's resources, as a part of its room, were more placed on it. What
// is not bounded is never full.
func (h *host) loadWith(more fleet.Resources) float64 {
	u := h.used.Add(more)
	var l float64
	if h.limit.cpu {
		l = max(l, part(int64(u.CPU), int64(h.room.CPU)))
	}
	if h.limit.memory {
		l = max(l, part(int64(u.Memory), int64(h.room.Memory)))
	}
	if more.GPUs > 0 && h.limit.gpus {
		l = max(l, part(int64(u.GPUs), int64(h.room.GPUs)))
	}
	return l
}

func part(n, of int64) float64 {
	if of <= 0 {
		return 1
	}
	return float64(n) / float64(of)
}

// loads lists what every host has and carries, before and after.
func (p *pass) loads() []fleet.Load {
	out := make([]fleet.Load, len(p.hosts))
	for i, h := range p.hosts {
		out[i] = fleet.Load{
			Host: h.Name, Capacity: h.room, Before: h.before, After: h.used, Replicas: h.replicas,
			Unlimited: !h.limit.cpu && !h.limit.memory,
		}
	}
	return out
}
