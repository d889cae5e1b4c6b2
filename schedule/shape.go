package schedule

import (
	"slices"
	"strconv"
)

// shape is how the hosts fall into the values of spread labels, nested as people list them: spread = ["zone", "rack"]
// evens out the zones, and within each the racks. Hosts without a label make up one value of their own. Workloads that
// spread alike share one shape.
type shape struct {
	labels []string
	nodes  []branch // parents before children; the first is the root
	leafOf []int32  // by host: the innermost value
}

// branch is one value within the values above it. Those of the last label, or the root where there is none, have hosts below.
type branch struct {
	parent int32 // -1: the root
	depth  int32
	value  string
	has    bool // else the value is that of the hosts without the label
}

func (p *pass) shapeOf(labels []string) *shape {
	var name []byte
	for _, l := range labels {
		name = strconv.AppendQuote(name, l)
	}
	sh := p.shapes[string(name)]
	if sh == nil {
		sh = p.newShape(labels)
		p.shapes[string(name)] = sh
	}
	return sh
}

func (p *pass) newShape(labels []string) *shape {
	type step struct {
		parent int32
		value  string
		has    bool
	}
	sh := &shape{labels: labels, nodes: []branch{{parent: -1}}, leafOf: make([]int32, len(p.hosts))}
	at := map[step]int32{}
	for i, h := range p.hosts {
		var n int32
		for d, l := range labels {
			v, has := h.Labels[l]
			st := step{n, v, has}
			c, ok := at[st]
			if !ok {
				c = int32(len(sh.nodes))
				at[st] = c
				sh.nodes = append(sh.nodes, branch{parent: n, depth: int32(d + 1), value: v, has: has})
			}
			n = c
		}
		sh.leafOf[i] = n
	}
	return sh
}

// leaf reports whether hosts are right below a place.
func (sh *shape) leaf(n int32) bool { return int(sh.nodes[n].depth) == len(sh.labels) }

// tallies returns how many replicas of w each place has, hosts that take no more included.
func (sh *shape) tallies(w *work) []int32 {
	out := make([]int32, len(sh.nodes))
	w.count.each(func(h int, n int32) { sh.add(out, h, n) })
	return out
}

// add counts replicas on a host in all the places that it is in.
func (sh *shape) add(tallies []int32, host int, by int32) {
	for n := sh.leafOf[host]; n >= 0; n = sh.nodes[n].parent {
		tallies[n] += by
	}
}

// rating is how good a host is for one more replica of a workload: replicas in its values of the spread labels from the
// outermost in, then its key.
type rating struct {
	counts []int32
	key    key
}

func (p *pass) rate(w *work, sh *shape, tallies []int32, h *host) rating {
	r := rating{key: p.key(w, h)}
	for n := sh.leafOf[h.index]; n > 0; n = sh.nodes[n].parent {
		r.counts = append(r.counts, tallies[n])
	}
	slices.Reverse(r.counts)
	return r
}

func (r *rating) less(o *rating) bool {
	if c := slices.Compare(r.counts, o.counts); c != 0 {
		return c < 0
	}
	return r.key.less(&o.key)
}
