package schedule

import (
	"github.com/stowage-run/stowage/fleet"
)

// host is one host in the making.
type host struct {
	*fleet.Host
	facts    HostFacts
	index    int             // by name
	room     fleet.Resources // capacity less the reserve, never negative
	limit    limits          // which fields of room are known
	used     fleet.Resources // by what is committed
	replicas int             // committed
	ports    portTable
}

// limits says which resources of a host are bounded.
type limits struct{ cpu, memory, gpus bool }

func newHost(h *fleet.Host, facts HostFacts) *host {
	c := facts.Capacity
	if h.Capacity.CPU != 0 {
		c.CPU = h.Capacity.CPU
	}
	if h.Capacity.Memory != 0 {
		c.Memory = h.Capacity.Memory
	}
	if h.Capacity.GPUs != 0 {
		c.GPUs = h.Capacity.GPUs
	}
	n := &host{Host: h, facts: facts}
	n.limit = limits{cpu: c.CPU != 0, memory: c.Memory != 0, gpus: c != (fleet.Resources{})}
	c = c.Sub(h.Reserve)
	n.room = fleet.Resources{CPU: max(c.CPU, 0), Memory: max(c.Memory, 0), GPUs: max(c.GPUs, 0)}
	n.ports = newPortTable(facts.Taken)
	return n
}

// fits reports which resource, if any, a host lacks for more beyond what is committed.
func (h *host) fits(more fleet.Resources) filter {
	free := h.room.Sub(h.used)
	switch {
	case h.limit.cpu && more.CPU > 0 && more.CPU > free.CPU:
		return shortOfCPU
	case h.limit.memory && more.Memory > 0 && more.Memory > free.Memory:
		return shortOfMemory
	case h.limit.gpus && more.GPUs > 0 && more.GPUs > free.GPUs:
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
			Host: h.Name, Capacity: h.room, After: h.used, Replicas: h.replicas,
			Unlimited: !h.limit.cpu && !h.limit.memory,
		}
	}
	for _, r := range p.current {
		c := p.in.Current[r]
		h, w := p.byName[c.Host], p.byWork[r.Workload]
		if h == nil {
			continue
		}
		out[h.index].Before = out[h.index].Before.Add(c.reserve(w))
	}
	return out
}
