package schedule

// key is how good a host is for one more replica of a workload, within its values of the spread labels: the lower,
// the better. Within a workload's turn only the hosts that take one change theirs.
type key struct {
	load     float64 // binpack: negative
	affinity int32   // negative
	own      int32   // replicas of the workload; binpack: 0
	replicas int32   // of anybody; binpack: 0
	host     int32   // by name
}

func (p *pass) key(w *work, h *host) key {
	k := key{load: h.loadWith(w.Reserve), affinity: -p.affinity(w, h), host: int32(h.index)}
	if w.packs {
		k.load = -k.load
		return k
	}
	k.own, k.replicas = w.count.at(h.index), int32(h.replicas)
	return k
}

// less compares in the order of the fields' weight: it is written out for speed.
func (k *key) less(o *key) bool {
	switch {
	case k.affinity != o.affinity:
		return k.affinity < o.affinity
	case k.own != o.own:
		return k.own < o.own
	case k.load != o.load:
		return k.load < o.load
	case k.replicas != o.replicas:
		return k.replicas < o.replicas
	}
	return k.host < o.host
}

// heapify makes a heap of keys, the best in front.
func heapify(h []key) {
	for i := len(h)/2 - 1; i >= 0; i-- {
		sink(h, i)
	}
}

// sink moves the key at i down to where it belongs.
func sink(h []key, i int) {
	k := h[i]
	for {
		c := 2*i + 1
		if c >= len(h) {
			break
		}
		if c+1 < len(h) && h[c+1].less(&h[c]) {
			c++
		}
		if !h[c].less(&k) {
			break
		}
		h[i] = h[c]
		i = c
	}
	h[i] = k
}

func push(h []key, k key) []key {
	h = append(h, k)
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !k.less(&h[up]) {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = k
	return h
}

func pop(h []key) []key {
	last := len(h) - 1
	h[0] = h[last]
	h = h[:last]
	if last > 0 {
		sink(h, 0)
	}
	return h
}

// pool is the hosts of one innermost value of the spread labels that may take one more replica, the best in front.
//
// The pool of a tree that is the workload's own is a heap. That of a question lays a small heap, of the hosts which the
// question has touched, over the heap of the standing placement, which it walks in order without changing it: the k best
// of a heap are found in O(k log k) by keeping the positions that may come next in a heap of their own.
type pool struct {
	keys  []key   // a heap; of a question: the base, which is never changed
	asked bool    // it is a question's
	walk  []int32 // positions of keys, a heap by what is there
	over  []key   // a heap
	best  key
	from  source
}

// source is where a pool's best key is.
type source uint8

const (
	fromNone source = iota
	fromKeys
	fromWalk
	fromOver
)

// refresh finds the best key again.
func (l *pool) refresh(hosts []*host) {
	l.from = fromNone
	if !l.asked {
		if len(l.keys) > 0 {
			l.best, l.from = l.keys[0], fromKeys
		}
		return
	}
	for len(l.walk) > 0 && hosts[l.keys[l.walk[0]].host].touched {
		l.step()
	}
	if len(l.walk) > 0 {
		l.best, l.from = l.keys[l.walk[0]], fromWalk
	}
	if len(l.over) > 0 && (l.from == fromNone || l.over[0].less(&l.best)) {
		l.best, l.from = l.over[0], fromOver
	}
}

// drop takes the best host out.
func (l *pool) drop() {
	switch l.from {
	case fromKeys:
		l.keys = pop(l.keys)
	case fromWalk:
		l.step()
	case fromOver:
		l.over = pop(l.over)
	}
}

// rekey gives the best host another key.
func (l *pool) rekey(k key) {
	switch l.from {
	case fromKeys:
		l.keys[0] = k
		sink(l.keys, 0)
	case fromWalk: // it is touched now, and the walk passes over it
		l.over = push(l.over, k)
	case fromOver:
		l.over[0] = k
		sink(l.over, 0)
	}
}

// add puts a host in.
func (l *pool) add(k key) {
	if l.asked {
		l.over = push(l.over, k)
	} else {
		l.keys = push(l.keys, k)
	}
}

// step goes past the front of the walk.
func (l *pool) step() {
	at := l.walk[0]
	last := len(l.walk) - 1
	l.walk[0] = l.walk[last]
	l.walk = l.walk[:last]
	l.sinkWalk()
	for c := 2*at + 1; c <= 2*at+2 && int(c) < len(l.keys); c++ {
		l.walk = append(l.walk, c)
		for i := len(l.walk) - 1; i > 0; {
			up := (i - 1) / 2
			if !l.keys[l.walk[i]].less(&l.keys[l.walk[up]]) {
				break
			}
			l.walk[i], l.walk[up] = l.walk[up], l.walk[i]
			i = up
		}
	}
}

func (l *pool) sinkWalk() {
	w := l.walk
	for i := 0; ; {
		c := 2*i + 1
		if c >= len(w) {
			return
		}
		if c+1 < len(w) && l.keys[w[c+1]].less(&l.keys[w[c]]) {
			c++
		}
		if !l.keys[w[c]].less(&l.keys[w[i]]) {
			return
		}
		w[i], w[c] = w[c], w[i]
		i = c
	}
}
