package schedule

import (
	"slices"
	"strconv"
	"strings"

	"github.com/stowage-run/stowage/fleet"
)

// traits are the attributes of hosts that some workload asks about. Hosts that have them alike are of one class, and
// what does not depend on other replicas is judged once a class and workload. Labels that nobody asks about make no
// difference: a fleet whose hosts each carry a serial number has as few classes as one without.
type traits struct {
	labels  map[string]bool
	facts   map[string]bool // by attribute
	arch    bool
	devices bool
}

// classify puts every host into its class.
func (p *pass) classify() {
	t := p.traits()
	labels, facts := sortedKeys(t.labels), sortedKeys(t.facts)
	at := map[string]int32{}
	var b []byte
	for _, h := range p.hosts {
		b = b[:0]
		for _, l := range labels {
			if v, ok := h.Labels[l]; ok {
				b = strconv.AppendQuote(b, v)
			}
			b = append(b, 0)
		}
		for _, f := range facts {
			v, _, _ := h.attribute(f)
			b = append(strconv.AppendQuote(b, v), 0)
		}
		if t.arch {
			b = append(append(b, h.facts.Arch...), 0)
		}
		if t.devices {
			b = strconv.AppendBool(b, h.Devices == nil)
			b = strconv.AppendQuote(b, strings.Join(h.Devices, "\x00"))
		}
		b = strconv.AppendBool(b, h.facts.Known)
		c, ok := at[string(b)]
		if !ok {
			c = int32(len(at))
			at[string(b)] = c
		}
		h.class = c
	}
	p.classes = len(at)
}

func (p *pass) traits() traits {
	t := traits{labels: map[string]bool{}, facts: map[string]bool{}}
	add := func(w *work, attribute string) {
		switch {
		case attribute == factName || attribute == factAddress:
			w.byHost = true
		case isFact(attribute):
			t.facts[attribute] = true
		default:
			t.labels[attribute] = true
		}
	}
	for _, w := range p.works {
		for l := range w.Placement.Labels {
			t.labels[l] = true
		}
		for i := range w.tests {
			add(w, w.tests[i].attribute)
		}
		for i := range w.wishes {
			if w.wishes[i].near == nil {
				add(w, w.wishes[i].attribute)
			}
		}
		t.arch = t.arch || len(w.archs) > 0
		t.devices = t.devices || len(w.Spec.Devices) > 0
	}
	return t
}

func sortedKeys(m map[string]bool) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// judged returns where a host's verdict and liking are kept, once they are made.
func (p *pass) judged(w *work, h *host) int {
	if w.verdict == nil {
		p.judge(w)
	}
	if w.byHost {
		return h.index
	}
	return int(h.class)
}

// judge tries what is declared of hosts, once a class; once a host for workloads that ask for names and addresses.
func (p *pass) judge(w *work) {
	n := p.classes
	if w.byHost {
		n = len(p.hosts)
	}
	w.verdict, w.liking = make([]filter, n), make([]int32, n)
	done := make([]bool, n)
	for _, h := range p.hosts {
		i := int(h.class)
		if w.byHost {
			i = h.index
		}
		if done[i] {
			continue
		}
		done[i] = true
		w.verdict[i], w.liking[i] = w.suits(h, false), w.likes(h)
	}
}

// suits tries the filters that depend on nothing but the host's declaration and facts.
func (w *work) suits(h *host, stands bool) filter {
	if _, ok := mislabelled(w, h); ok {
		return otherLabels
	}
	if w.unmet(h, stands) != nil {
		return unmetConstraint
	}
	if len(w.archs) > 0 && h.facts.Arch != "" && !slices.Contains(w.archs, h.facts.Arch) {
		return otherArch
	}
	if w.missing(h) != nil {
		return withoutDevice
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

// unmet returns the first constraint that a host does not meet, or nil. What is not known of a host that did not answer
// moves nothing that stands there.
func (w *work) unmet(h *host, stands bool) *test {
	for i := range w.tests {
		v, has, known := h.attribute(w.tests[i].attribute)
		if (known || !stands) && !w.tests[i].meets(v, has) {
			return &w.tests[i]
		}
	}
	return nil
}

// missing returns the first device that a host says it has not, or nil.
func (w *work) missing(h *host) *fleet.Device {
	for i := range w.Spec.Devices {
		if d := &w.Spec.Devices[i]; h.Devices != nil && !slices.Contains(h.Devices, d.Host) {
			return d
		}
	}
	return nil
}
