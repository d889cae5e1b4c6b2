package schedule

import (
	"cmp"
	"container/heap"
	"slices"
)

// setOrder settles in which order the workloads are filled: those of higher priority first, then those with the least
// choice, since in the other order the free ones take what the bound ones need. Within a priority a workload comes after
// those that it has an affinity to; where these go round in a circle, the first of them by name is taken out of it.
func (p *pass) setOrder() {
	p.measure()
	var all []*work
	for _, w := range p.works {
		if !w.frozen && len(w.seats) > 0 {
			all = append(all, w)
		}
	}
	p.order = inTurn(all)
	if slices.ContainsFunc(all, (*work).nearAny) {
		p.listed = all
	}
}

// inTurn sorts workloads by their turns. It returns another slice where affinities have a say.
func inTurn(all []*work) []*work {
	slices.SortFunc(all, compareTurns)
	if slices.ContainsFunc(all, (*work).nearAny) {
		return afterWished(all)
	}
	return all
}

// compareTurns says which of two workloads is filled first, but for affinities.
func compareTurns(a, b *work) int {
	return cmp.Or(
		cmp.Compare(b.rank, a.rank),
		a.bondage()-b.bondage(),
		a.choices()-b.choices(),
		cmp.Compare(b.fixedPorts(), a.fixedPorts()),
		cmp.Compare(b.size, a.size),
		cmp.Compare(a.Name, b.Name),
	)
}

// choices is how many hosts a workload may choose from, in the question at hand if there is one.
func (w *work) choices() int { return w.choice - w.ask.fewer }

func (w *work) nearAny() bool {
	return slices.ContainsFunc(w.wishes, func(x wish) bool { return x.near != nil })
}

// measure notes each workload's size and choice. The size is the largest part of the roomiest host that one replica takes.
func (p *pass) measure() {
	var cpu, memory, gpus int64
	for _, h := range p.hosts {
		cpu, memory, gpus = max(cpu, int64(h.room.CPU)), max(memory, int64(h.room.Memory)), max(gpus, int64(h.room.GPUs))
	}
	for _, w := range p.works {
		w.size, w.choice = 0, 0
		for _, d := range [][2]int64{{int64(w.Reserve.CPU), cpu}, {int64(w.Reserve.Memory), memory}, {int64(w.Reserve.GPUs), gpus}} {
			if d[0] > 0 {
				w.size = max(w.size, part(d[0], d[1]))
			}
		}
		if !w.frozen {
			p.candidates(w, func(*host) { w.choice++ })
		}
	}
}

// turns is a heap of positions in the order.
type turns []int

func (t turns) Len() int           { return len(t) }
func (t turns) Less(i, j int) bool { return t[i] < t[j] }
func (t turns) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }

// Push adds a position for container/heap.
func (t *turns) Push(x any) { *t = append(*t, x.(int)) }

// Pop takes the last position for container/heap.
func (t *turns) Pop() any {
	old := *t
	x := old[len(old)-1]
	*t = old[:len(old)-1]
	return x
}

// afterWished moves workloads behind those of their priority that they have an affinity to, and leaves the rest in order.
func afterWished(all []*work) []*work {
	out := make([]*work, 0, len(all))
	for len(all) > 0 {
		n := slices.IndexFunc(all, func(w *work) bool { return w.rank != all[0].rank })
		if n < 0 {
			n = len(all)
		}
		out = append(out, sortByWishes(all[:n])...)
		all = all[n:]
	}
	return out
}

// sortByWishes sorts the workloads of one priority.
func sortByWishes(all []*work) []*work {
	at := make(map[*work]int, len(all))
	for i, w := range all {
		at[w] = i
	}
	waits, followers := make([]int, len(all)), make([][]int, len(all))
	ready, byName := &turns{}, make([]int, len(all))
	for i, w := range all {
		byName[i] = i
		seen := map[*work]bool{}
		for _, x := range w.wishes {
			if j, ok := at[x.near]; ok && !seen[x.near] {
				seen[x.near] = true
				waits[i]++
				followers[j] = append(followers[j], i)
			}
		}
		if waits[i] == 0 {
			*ready = append(*ready, i)
		}
	}
	slices.SortFunc(byName, func(i, j int) int { return cmp.Compare(all[i].Name, all[j].Name) })
	out, done := make([]*work, 0, len(all)), make([]bool, len(all))
	for len(out) < len(all) {
		var next int
		if ready.Len() > 0 {
			next = heap.Pop(ready).(int)
		} else { // a circle
			next = byName[slices.IndexFunc(byName, func(i int) bool { return !done[i] })]
		}
		done[next] = true
		out = append(out, all[next])
		for _, f := range followers[next] {
			if waits[f]--; waits[f] == 0 && !done[f] {
				heap.Push(ready, f)
			}
		}
	}
	return out
}
