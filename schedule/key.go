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

// pool is a heap of the hosts of one innermost value of the spread labels that may take one more replica, the best in front.
type pool struct {
	keys []key
	at   []int32 // by host: its position in its pool's keys, -1: in none; nil where nobody looks for hosts
}

func (l *pool) put(i int, k key) {
	l.keys[i] = k
	if l.at != nil {
		l.at[k.host] = int32(i)
	}
}

// front returns the best key; its host is -1 where there is none.
func (l *pool) front() key {
	if len(l.keys) == 0 {
		return key{host: -1}
	}
	return l.keys[0]
}

// heapify orders the keys.
func (l *pool) heapify() {
	for i, k := range l.keys {
		l.put(i, k)
	}
	for i := len(l.keys)/2 - 1; i >= 0; i-- {
		l.sink(i)
	}
}

// sink moves the key at i away from the front to where it belongs.
func (l *pool) sink(i int) {
	h := l.keys
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
		l.put(i, h[c])
		i = c
	}
	l.put(i, k)
}

// rise moves the key at i towards the front to where it belongs.
func (l *pool) rise(i int) {
	k := l.keys[i]
	for i > 0 {
		up := (i - 1) / 2
		if !k.less(&l.keys[up]) {
			break
		}
		l.put(i, l.keys[up])
		i = up
	}
	l.put(i, k)
}

// rekey changes the key at i.
func (l *pool) rekey(i int, k key) {
	better := k.less(&l.keys[i])
	l.keys[i] = k
	if better {
		l.rise(i)
	} else {
		l.sink(i)
	}
}

// add puts a host in.
func (l *pool) add(k key) {
	l.keys = append(l.keys, k)
	l.rise(len(l.keys) - 1)
}

// remove takes the host at i out.
func (l *pool) remove(i int) {
	last := len(l.keys) - 1
	if l.at != nil {
		l.at[l.keys[i].host] = -1
	}
	k := l.keys[last]
	l.keys = l.keys[:last]
	if i < last {
		l.rekey(i, k)
	}
}
