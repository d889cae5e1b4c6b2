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
// next one is grown, unless keep asks for memory of its own; then hosts can be found in it, too.
func (p *pass) grow(w *work, keep bool) *tree {
	t := &tree{p: p, w: w, sh: p.shapeOf(w.Placement.Spread)}
	t.nodes = make([]node, len(t.sh.nodes))
	w.count.each(func(h int, n int32) { t.counted(h, n) })
	var at []int32
	if keep {
		at = make([]int32, len(p.hosts))
		for i := range at {
			at[i] = -1
		}
	}
	if len(t.sh.labels) == 0 {
		l := &t.nodes[0].pool
		l.keys, l.at = p.buffer(keep), at
		p.candidates(w, func(h *host) { l.keys = append(l.keys, p.key(w, h)) })
		l.heapify()
		return t
	}
	sizes := make([]int32, len(t.nodes))
	p.candidates(w, func(h *host) { sizes[t.sh.leafOf[h.index]]++ })
	keys := p.buffer(keep)
	for n, size := range sizes {
		from := len(keys)
		keys = keys[:from+int(size)]
		t.nodes[n].pool = pool{keys: keys[from:from:len(keys)], at: at}
	}
	p.candidates(w, func(h *host) {
		l := &t.nodes[t.sh.leafOf[h.index]].pool
		l.keys = append(l.keys, p.key(w, h))
	})
	for n := range t.nodes {
		t.nodes[n].pool.heapify()
	}
	t.order()
	return t
}

// growing is how much more it costs to bring a tree up to date with a host, and back, than to grow it with one.
const growing = 4

// treeFor returns a tree of a workload's hosts as things stand: in a question the one of the standing placement, brought
// up to date, if there is one and little has changed since.
func (p *pass) treeFor(w *work) *tree {
	if p.journal == nil || w.base == nil || p.growing*len(p.journal.touched) > len(p.hosts) {
		return p.grow(w, false)
	}
	w.ask.synced = true
	for _, d := range w.ask.deltas {
		w.base.counted(d.host, d.by)
		w.base.changed(w.base.sh.leafOf[d.host])
	}
	for _, h := range p.journal.touched {
		w.base.sync(h)
	}
	return w.base
}

// sync brings a tree up to date with one host. It is a tree that was grown to be kept.
func (t *tree) sync(h *host) {
	leaf := t.sh.leafOf[h.index]
	l := &t.nodes[leaf].pool
	at, allowed := l.at[h.index], t.p.allows(t.w, h, false) == passes
	front := l.front()
	switch {
	case at >= 0 && allowed:
		l.rekey(int(at), t.p.key(t.w, h))
	case at >= 0:
		l.remove(int(at))
	case allowed:
		l.add(t.p.key(t.w, h))
	}
	if l.front() != front {
		t.changed(leaf)
	}
}

// restore undoes what a question has done to the tree of a workload. All else is undone already.
func (t *tree) restore(touched []*host) {
	for _, d := range t.w.ask.deltas {
		t.counted(d.host, -d.by)
		t.changed(t.sh.leafOf[d.host])
	}
	for _, h := range touched {
		t.sync(h)
	}
	for _, h := range t.w.ask.dropped {
		t.sync(h)
	}
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
		k := t.nodes[n].kids
		for i := len(k)/2 - 1; i >= 0; i-- {
			t.down(k, i)
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
		return len(t.nodes[n].pool.keys) > 0
	}
	return len(t.nodes[n].kids) > 0
}

// front returns the leaf with the host to fill next, which is in front of its pool. ok is false where there is none.
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
			return x.pool.keys[0].less(&y.pool.keys[0])
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
	t.nodes[leaf].pool.rekey(0, t.p.key(t.w, h))
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

// drop gives the best host of a leaf up: it does not take the replica, and will not take the next.
func (t *tree) drop(leaf int32, h *host) {
	if t == t.w.base {
		t.w.ask.dropped = append(t.w.ask.dropped, h)
	}
	t.nodes[leaf].pool.remove(0)
	t.changed(leaf)
}
