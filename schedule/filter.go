package schedule

import (
	"slices"
)

// filter is one reason for which a host does not take a replica. They are tried in this order, and a
// host is counted under the first that rejects it: what people said first, then what the fleet is
// like, then what is used up.
type filter int

const (
	passes filter = iota
	notListed
	otherLabels
	otherArch
	cordoned
	drained
	unreachable
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
		"", "not in placement.hosts", "without the wanted labels", "of another architecture", "cordoned", "drained",
		"unreachable", "without the volume", "with the port taken", "at max_per_host",
		"short of cpu", "short of memory", "short of gpus",
	}[f]
}

// allows tries the filters that do not depend on what else is placed. A replica that stands on the
// host stays in spite of a cordon and of silence.
func (p *pass) allows(w *work, h *host, stands bool) filter {
	if len(w.Placement.Hosts) > 0 && !slices.Contains(w.Placement.Hosts, h.Name) {
		return notListed
	}
	if _, ok := mislabelled(w, h); ok {
		return otherLabels
	}
	if archs := p.in.Archs[w.Name]; len(archs) > 0 && h.facts.Arch != "" && !slices.Contains(archs, h.facts.Arch) {
		return otherArch
	}
	switch {
	case h.Cordon && !stands:
		return cordoned
	case h.Drain:
		return drained
	case !h.facts.Known && !stands:
		return unreachable
	}
	return passes
}

// mislabelled returns the first label, by name, in which a host is not what the workload wants.
func mislabelled(w *work, h *host) (label string, ok bool) {
	for k, v := range w.Placement.Labels {
		if has, there := h.Labels[k]; (!there || has != v) && (!ok || k < label) {
			label, ok = k, true
		}
	}
	return label, ok
}

// takes tries the filters that depend on what else is placed. A host that rejects a workload's replica
// goes on rejecting it for the rest of the pass.
func (p *pass) takes(w *work, s *seat, h *host) filter {
	if p.blocked(w, s, h) != "" {
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
	return !w.global && w.Placement.MaxPerHost > 0 && w.count[h] >= w.Placement.MaxPerHost
}

// rejects tries all filters, in order.
func (p *pass) rejects(w *work, s *seat, h *host) filter {
	stands := s.current != nil && s.current.Host == h.Name
	if f := p.allows(w, h, stands); f != passes {
		return f
	}
	if _, ok := elsewhere(p.ties(w, s), h); ok {
		return volumeElsewhere
	}
	if stands {
		return p.keeps(w, s, h)
	}
	return p.takes(w, s, h)
}

// eligible counts the hosts that pass the filters which do not depend on what else is placed.
func (p *pass) eligible(w *work) int {
	n := 0
	for _, h := range p.hosts {
		if p.allows(w, h, false) == passes {
			n++
		}
	}
	return n
}
