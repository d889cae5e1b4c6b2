package schedule

import (
	"fmt"
	"maps"
	"slices"

	"github.com/stowage-run/stowage/fleet"
)

// freeze takes frozen workloads over as they stand, unchecked: others must fit around them.
func (p *pass) freeze() {
	for _, r := range p.strayIDs() {
		c := p.in.Current[r]
		h := p.byName[c.Host]
		if h == nil {
			continue
		}
		h.used = h.used.Add(c.Reserve)
		h.replicas++
		for _, n := range c.HostPorts {
			for _, proto := range protocols() {
				h.ports.take(portKey{proto, n}, bound{by: r})
			}
		}
	}
	for _, w := range p.works {
		if !w.frozen {
			continue
		}
		for _, r := range p.currentOf(w.Name) {
			s := &seat{slot: r.Slot, current: p.currentAt(r)}
			s.ports = maps.Clone(s.current.HostPorts)
			w.seats = append(w.seats, s)
			h := p.byName[s.current.Host]
			if h == nil {
				s.away = s.current.Host
				continue
			}
			s.host = h
			h.used = h.used.Add(s.current.reserve(w))
			h.replicas++
			w.count[h]++
			p.settle(w, h)
			p.bindRecorded(w, s, h)
		}
	}
}

// strayIDs are the replicas of frozen workloads that are no longer declared.
func (p *pass) strayIDs() []fleet.ReplicaID {
	var out []fleet.ReplicaID
	for _, r := range p.current {
		if p.byWork[r.Workload] == nil && p.in.Frozen[r.Workload] {
			out = append(out, r)
		}
	}
	return out
}

func (p *pass) strays() []fleet.Placed {
	var out []fleet.Placed
	for _, r := range p.strayIDs() {
		c := p.in.Current[r]
		out = append(out, fleet.Placed{Replica: r, Host: c.Host, From: c.Host, HostPorts: maps.Clone(c.HostPorts)})
	}
	return out
}

// unwanted says why a replica that stands is not wanted; empty: it is.
func (p *pass) unwanted(r fleet.ReplicaID) string {
	w := p.byWork[r.Workload]
	if w == nil {
		return fmt.Sprintf("workload %s is no longer in the configuration", r.Workload)
	}
	if _, ok := slices.BinarySearchFunc(w.seats, r.Slot, func(s *seat, n fleet.Slot) int { return int(s.slot - n) }); ok {
		return ""
	}
	if w.global {
		return w.dropped[r.Slot]
	}
	return fmt.Sprintf("replicas is now %d", w.Replicas)
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
