package schedule

// tree finds the best host for one workload's next replica: the values of the spread labels, nested, each inner one a heap
// of those below with the one to fill next in front, and pools of hosts at the leaves. Taking the best host is O(1), and
// putting it back with another key O(log hosts).
type tree struct {
	p     *pass
	w     *work
	sh    *shape
	nodes []node // by place of the shape
}

// node is one place of the shape.
type node struct {
	count int32   // replicas of the workload below, on hosts that take no more included
	pos   int32   // in the parent's kids; -1: not there, since no host below takes a replica
	kids  []int32 // of an inner node: a heap of those with hosts
	pool  pool    // of a leaf
}

// grow returns a tree of the hosts that may take one more replica of w. It takes O(hosts). What it holds is good until the
// next one is grown, unless keep asks for memory of its own.
func (p *pass) grow(w *work, keep bool) *tree {
	t := &tree{p: p, w: w, sh: p.shapeOf(w.Placement.Spread)}
	t.nodes = make([]node, len(t.sh.nodes))
	w.count.each(func(h int, n int32) { t.counted(h, n) })
	if len(t.sh.labels) == 0 {
		keys := p.buffer(keep)
		p.candidates(w, func(h *host) { keys = append(keys, p.key(w, h)) })
		heapify(keys)
		t.nodes[0].pool.keys = keys
		t.order()
		return t
	}
	sizes := make([]int32, len(t.nodes))
	p.candidates(w, func(h *host) { sizes[t.sh.leafOf[h.index]]++ })
	keys := p.buffer(keep)
	for n, size := range sizes {
		at := len(keys)
		keys = keys[:at+int(size)]
		t.nodes[n].pool.keys = keys[at:at:len(keys)]
	}
	p.candidates(w, func(h *host) {
		l := &t.nodes[t.sh.leafOf[h.index]].pool
		l.keys = append(l.keys, p.key(w, h))
	})
	for n := range t.nodes {
		heapify(t.nodes[n].pool.keys)
	}
	t.order()
	return t
}

// treeFor returns a tree of a workload's hosts as things stand: in a question one laid over that of the standing
// placement, if there is one and little has changed since.
func (p *pass) treeFor(w *work) *tree {
	if p.journal == nil || w.base == nil || 4*len(p.journal.touched) > len(p.hosts) {
		return p.grow(w, false)
	}
	t := &tree{p: p, w: w, sh: w.base.sh, nodes: make([]node, len(w.base.nodes))}
	for i := range t.nodes {
		b := &w.base.nodes[i]
		t.nodes[i].count = b.count
		t.nodes[i].pool = pool{keys: b.pool.keys, asked: true}
		if len(b.pool.keys) > 0 {
			t.nodes[i].pool.walk = append(t.nodes[i].pool.walk, 0)
		}
	}
	for _, d := range w.ask.deltas {
		t.counted(d.host, d.by)
	}
	for _, h := range p.journal.touched {
		if p.allows(w, h, false) == passes {
			t.nodes[t.sh.leafOf[h.index]].pool.add(p.key(w, h))
		}
	}
	t.order()
	return t
}

// buffer returns room for a key of every host.
func (p *pass) buffer(keep bool) []key {
	if keep {
		return make([]key, 0, len(p.hosts))
	}
	if p.keys == nil {
		p.keys = make([]key, 0, len(p.hosts))
	}
	return p.keys[:0]
}

// counted notes more replicas on a host.
func (t *tree) counted(host int, by int32) {
	for n := t.sh.leafOf[host]; n >= 0; n = t.sh.nodes[n].parent {
		t.nodes[n].count += by
	}
}

// order makes the heaps of the inner nodes, children before parents: a parent looks at its children's fronts.
func (t *tree) order() {
	for i := len(t.nodes) - 1; i >= 0; i-- {
		n := int32(i)
		if t.sh.leaf(n) {
			t.nodes[n].pool.refresh(t.p.hosts)
		} else {
			k := t.nodes[n].kids
			for i := len(k)/2 - 1; i >= 0; i-- {
				t.down(k, i)
			}
		}
		t.nodes[n].pos = -1
		if up := t.sh.nodes[n].parent; up >= 0 && t.open(n) {
			t.nodes[n].pos = int32(len(t.nodes[up].kids))
			t.nodes[up].kids = append(t.nodes[up].kids, n)
		}
	}
}

// open reports whether a host below takes one more, as far as is known.
func (t *tree) open(n int32) bool {
	if t.sh.leaf(n) {
		return t.nodes[n].pool.from != fromNone
	}
	return len(t.nodes[n].kids) > 0
}

// front returns the leaf with the host to fill next, which is its pool's best. ok is false where there is none.
func (t *tree) front() (leaf int32, ok bool) {
	if !t.open(0) {
		return 0, false
	}
	n := int32(0)
	for !t.sh.leaf(n) {
		n = t.nodes[n].kids[0]
	}
	return n, true
}

// before orders nodes of one depth: the fewest replicas, then the one with the better next host.
func (t *tree) before(a, b int32) bool {
	for {
		x, y := &t.nodes[a], &t.nodes[b]
		switch {
		case x.count != y.count:
			return x.count < y.count
		case t.sh.leaf(a):
			return x.pool.best.less(&y.pool.best)
		}
		a, b = x.kids[0], y.kids[0]
	}
}

func (t *tree) swap(k []int32, i, j int) {
	k[i], k[j] = k[j], k[i]
	t.nodes[k[i]].pos, t.nodes[k[j]].pos = int32(i), int32(j)
}

func (t *tree) down(k []int32, i int) {
	for {
		c := 2*i + 1
		if c >= len(k) {
			return
		}
		if c+1 < len(k) && t.before(k[c+1], k[c]) {
			c++
		}
		if !t.before(k[c], k[i]) {
			return
		}
		t.swap(k, i, c)
		i = c
	}
}

func (t *tree) up(k []int32, i int) {
	for i > 0 {
		up := (i - 1) / 2
		if !t.before(k[i], k[up]) {
			return
		}
		t.swap(k, i, up)
		i = up
	}
}

// changed restores the order from a leaf whose pool or count has changed up to the root.
func (t *tree) changed(n int32) {
	t.nodes[n].pool.refresh(t.p.hosts)
	for up := t.sh.nodes[n].parent; up >= 0; n, up = up, t.sh.nodes[up].parent {
		kids := &t.nodes[up].kids
		pos, open := t.nodes[n].pos, t.open(n)
		switch {
		case pos < 0 && !open:
		case pos < 0:
			t.nodes[n].pos = int32(len(*kids))
			*kids = append(*kids, n)
			t.up(*kids, len(*kids)-1)
		case !open:
			last := len(*kids) - 1
			t.swap(*kids, int(pos), last)
			t.nodes[n].pos = -1
			*kids = (*kids)[:last]
			if int(pos) < last {
				t.down(*kids, int(pos))
				t.up(*kids, int(pos))
			}
		default:
			t.down(*kids, int(pos))
			t.up(*kids, int(t.nodes[n].pos))
		}
	}
}

// arrived notes a replica on the best host of a leaf.
func (t *tree) arrived(leaf int32, h *host) {
	t.nodes[leaf].pool.rekey(t.p.key(t.w, h))
	t.counted(h.index, 1)
	t.changed(leaf)
}

// reopened notes a replica on a host that the tree had given up.
func (t *tree) reopened(h *host, takes bool) {
	leaf := t.sh.leafOf[h.index]
	if takes {
		t.nodes[leaf].pool.add(t.p.key(t.w, h))
	}
	t.counted(h.index, 1)
	t.changed(leaf)
}
