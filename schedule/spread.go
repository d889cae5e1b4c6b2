package schedule

import (
	"cmp"
	"container/heap"
)

// prefers reports whether w would rather have one more replica on a than on b: fewer of its own, then
// less load, then fewer replicas of anybody, then the name.
func (w *work) prefers(a, b *host) bool {
	return cmp.Or(
		cmp.Compare(w.count[a], w.count[b]),
		cmp.Compare(a.loadWith(w.Reserve), b.loadWith(w.Reserve)),
		cmp.Compare(a.replicas, b.replicas),
		cmp.Compare(a.index, b.index),
	) < 0
}

// node is one value of a spread label within the values above it, or at the leaves one host. Its
// children are a heap with the one to fill next in front.
//
// Values are nested as people list them: spread = ["zone", "rack"] evens out the zones, and within
// each the racks. Hosts without the label make up one value of their own.
type node struct {
	parent *node
	pos    int // in parent.kids
	kids   nodes
	count  int // replicas of the workload below, on hosts that take no more included

	host     *host // of a leaf
	load     float64
	replicas int
}

// before orders nodes of one level: the fewest replicas, then the one with the better next host.
func before(a, b *node) bool {
	for {
		switch {
		case a.count != b.count:
			return a.count < b.count
		case a.host == nil:
			a, b = a.kids[0], b.kids[0]
		case a.load != b.load:
			return a.load < b.load
		case a.replicas != b.replicas:
			return a.replicas < b.replicas
		default:
			return a.host.index < b.host.index
		}
	}
}

// nodes is a heap of siblings, none of which is without hosts.
type nodes []*node

func (n nodes) Len() int           { return len(n) }
func (n nodes) Less(i, j int) bool { return before(n[i], n[j]) }
func (n nodes) Swap(i, j int) {
	n[i], n[j] = n[j], n[i]
	n[i].pos, n[j].pos = i, j
}

// Push adds a sibling for container/heap.
func (n *nodes) Push(x any) {
	k := x.(*node)
	k.pos = len(*n)
	*n = append(*n, k)
}

// Pop takes the last sibling for container/heap.
func (n *nodes) Pop() any {
	old := *n
	k := old[len(old)-1]
	old[len(old)-1] = nil
	*n = old[:len(old)-1]
	return k
}

// spreadTree returns the tree of the hosts that may take one more replica of w.
func (p *pass) spreadTree(w *work) *node {
	root := &node{}
	groups := map[string]*node{}
	for _, h := range p.hosts {
		open := p.allows(w, h, false) == passes
		count := w.count[h]
		if !open && count == 0 {
			continue
		}
		at, path := root, ""
		at.count += count
		for _, label := range w.Placement.Spread {
			path += h.Labels[label] + "\x00"
			if groups[path] == nil {
				groups[path] = &node{parent: at}
			}
			at = groups[path]
			at.count += count
		}
		if open {
			leaf := &node{parent: at, host: h, count: count, load: h.loadWith(w.Reserve), replicas: h.replicas}
			at.grow(leaf)
		}
	}
	root.order()
	return root
}

// grow adds a child, and the node itself to its parent when it was empty.
func (n *node) grow(kid *node) {
	if len(n.kids) == 0 && n.parent != nil {
		n.parent.grow(n)
	}
	n.kids.Push(kid)
}

// order makes heaps of all children, the lowest first: higher ones look at their fronts.
func (n *node) order() {
	for _, k := range n.kids {
		k.order()
	}
	heap.Init(&n.kids)
}

// fillSpread places seats that are free to stand anywhere, each where the spread is thinnest.
func (p *pass) fillSpread(w *work, free []*seat) {
	root := p.spreadTree(w)
	for _, s := range free {
		for len(root.kids) > 0 {
			leaf := root.front()
			if p.takes(w, s, leaf.host) != passes {
				leaf.remove()
				continue
			}
			p.arrive(w, s, leaf.host)
			leaf.filled(w)
			break
		}
	}
}

// front returns the leaf to fill next.
func (n *node) front() *node {
	for n.host == nil {
		n = n.kids[0]
	}
	return n
}

// remove takes a leaf out for good, with every group that it leaves empty.
func (n *node) remove() {
	up := n.parent
	heap.Remove(&up.kids, n.pos)
	if up.parent == nil {
		return
	}
	if len(up.kids) == 0 {
		up.remove()
		return
	}
	up.fix()
}

// filled notes one more replica on a leaf.
func (n *node) filled(w *work) {
	n.load, n.replicas = n.host.loadWith(w.Reserve), n.host.replicas
	for at := n; at != nil; at = at.parent {
		at.count++
	}
	n.fix()
}

// fix restores the order of the heaps from a changed node upwards.
func (n *node) fix() {
	for ; n.parent != nil; n = n.parent {
		heap.Fix(&n.parent.kids, n.pos)
	}
}
