package schedule

import (
	"cmp"
	"slices"

	"github.com/stowage-run/stowage/fleet"
)

// choice finds who has to go from a host so that more fits: the lowest highest rank first, then the fewest, then the
// least memory, then the first by name. That is a knapsack, and so it is searched with a bound; beyond the bound the
// best that was found by then is taken, which is no worse than taking the biggest first.
type choice struct {
	host   *host
	more   fleet.Resources
	used   fleet.Resources
	taken  []resident
	offers []resident // by replica

	kinds  []kind
	steps  int
	picked []int // of each kind
	best   []int
	size   int         // replicas in what was found without a search
	memory fleet.Bytes // in what the search has found
	found  bool
}

// kind is the offered replicas of one workload: they are all the same.
type kind struct {
	work *work
	from []resident
}

// searchSteps bounds the search on one host. Six workloads of three replicas are searched through in it.
const searchSteps = 4096

func (c *choice) take(r resident) {
	c.taken = append(c.taken, r)
	c.used = c.used.Sub(r.work.Reserve)
}

func (c *choice) fits(used fleet.Resources) bool { return c.host.fitsBeside(c.more, used) == passes }

// choose adds to taken what has to go. It reports false where even all together are not enough.
func (c *choice) choose() bool {
	if c.fits(c.used) {
		return true
	}
	highest := 0
	for _, r := range c.taken {
		highest = max(highest, r.work.rank)
	}
	rank, ok := c.threshold(highest)
	if !ok {
		return false
	}
	for _, r := range c.offers {
		if r.work.rank > rank || !c.helps(r) {
			continue
		}
		if n := len(c.kinds); n == 0 || c.kinds[n-1].work != r.work {
			c.kinds = append(c.kinds, kind{work: r.work})
		}
		k := &c.kinds[len(c.kinds)-1]
		k.from = append(k.from, r)
	}
	c.greedy()
	c.picked = make([]int, len(c.kinds))
	for size := 1; size <= c.size && !c.found && c.steps < searchSteps; size++ {
		c.search(0, size, c.used, 0)
	}
	for i, n := range c.best {
		for _, r := range c.kinds[i].from[:n] {
			c.take(r)
		}
	}
	return true
}

// threshold returns the lowest rank such that room is made by all up to it.
func (c *choice) threshold(highest int) (rank int, ok bool) {
	byRank := slices.SortedStableFunc(slices.Values(c.offers), func(a, b resident) int { return cmp.Compare(a.work.rank, b.work.rank) })
	used := c.used
	for i, r := range byRank {
		used = used.Sub(r.work.Reserve)
		last := i+1 == len(byRank) || byRank[i+1].work.rank > max(r.work.rank, highest)
		if last && c.fits(used) {
			return max(r.work.rank, highest), true
		}
	}
	return 0, false
}

// helps reports whether a replica takes up what is short.
func (c *choice) helps(r resident) bool {
	l, free, has := c.host.limit, c.host.room.Sub(c.used), r.work.Reserve
	return l.cpu && c.more.CPU > free.CPU && has.CPU > 0 || l.memory && c.more.Memory > free.Memory && has.Memory > 0 ||
		l.gpus && c.more.GPUs > free.GPUs && has.GPUs > 0
}

// greedy sets best to something that is enough: everything, less what is not needed, the smallest first.
func (c *choice) greedy() {
	c.best = make([]int, len(c.kinds))
	used := c.used
	order := make([]int, len(c.kinds))
	for i, k := range c.kinds {
		order[i] = i
		c.best[i] = len(k.from)
		for range k.from {
			used = used.Sub(k.work.Reserve)
		}
	}
	slices.SortFunc(order, func(a, b int) int { // the smallest first
		x, y := c.part(c.kinds[a].work.Reserve), c.part(c.kinds[b].work.Reserve)
		return cmp.Or(cmp.Compare(x, y), b-a)
	})
	for _, i := range order {
		r := c.kinds[i].work.Reserve
		for c.best[i] > 0 && c.fits(used.Add(r)) {
			used = used.Add(r)
			c.best[i]--
		}
	}
	for _, n := range c.best {
		c.size += n
	}
}

// part is how much of what is short a replica takes up.
func (c *choice) part(r fleet.Resources) float64 {
	free := c.host.room.Sub(c.used)
	var sum float64
	for _, d := range [][3]int64{
		{int64(r.CPU), int64(c.more.CPU), int64(free.CPU)}, {int64(r.Memory), int64(c.more.Memory), int64(free.Memory)},
		{int64(r.GPUs), int64(c.more.GPUs), int64(free.GPUs)},
	} {
		if short := d[1] - d[2]; short > 0 {
			sum += min(float64(d[0])/float64(short), 1)
		}
	}
	return sum
}

// search tries every way to take size more from the kinds from i on, and leaves the one with the least memory that is
// enough in best; of equal ones the first: kinds are by name, and more of an earlier one comes first.
func (c *choice) search(i, size int, used fleet.Resources, memory fleet.Bytes) {
	if c.steps++; c.steps > searchSteps {
		return
	}
	if size == 0 {
		if c.fits(used) && (!c.found || memory < c.memory) {
			clear(c.picked[i:])
			c.best, c.memory, c.found = slices.Clone(c.picked), memory, true
		}
		return
	}
	if i == len(c.kinds) {
		return
	}
	k := c.kinds[i]
	for n := min(size, len(k.from)); n >= 0; n-- {
		c.picked[i] = n
		u := used
		for range n {
			u = u.Sub(k.work.Reserve)
		}
		c.search(i+1, size-n, u, memory+fleet.Bytes(n)*k.work.Reserve.Memory)
	}
}
