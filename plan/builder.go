package plan

import (
	"slices"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// builder collects steps. A step's number while it is built is its place in the list; order gives the final one.
type builder struct {
	list []Step
	soft [][2]int // step, and what it should wait for: given up where it would wait for ever
	runs []int    // the Run steps, for ports

	instances  arena[fleet.Instance]
	replicas   arena[state.Replica]
	containers arena[Container]
	images     arena[fleet.Image]
}

// add appends a step that needs others done first. Needs that are negative are nothing.
func (b *builder) add(s Step, needs ...int) int {
	s.ID = len(b.list)
	b.list = append(b.list, s)
	b.need(s.ID, needs...)
	return s.ID
}

// need makes a step wait for others.
func (b *builder) need(step int, needs ...int) {
	s := &b.list[step]
	for _, n := range needs {
		if n >= 0 && n != step {
			s.Needs = append(s.Needs, n)
		}
	}
}

// prefer makes a step wait for others, unless they wait for it.
func (b *builder) prefer(step int, needs ...int) {
	for _, n := range needs {
		if n >= 0 && n != step {
			b.soft = append(b.soft, [2]int{step, n})
		}
	}
}

// join returns a step that stands for all of the given: itself where there is one, none (-1) where there is none,
// else a step that does nothing but wait. So many may wait for many without a need for each pair.
func (b *builder) join(addr fleet.Addr, reason string, steps []int) int {
	switch len(steps) {
	case 0:
		return -1
	case 1:
		return steps[0]
	}
	return b.add(Step{Kind: KindRecord, Addr: addr, Reason: reason}, steps...)
}

// arena hands out values from blocks: one allocation for many small structs that all live as long as the plan.
type arena[T any] struct{ block []T }

// put stores a value and returns where.
func (a *arena[T]) put(v T) *T {
	if len(a.block) == cap(a.block) {
		a.block = make([]T, 0, min(max(8, 2*cap(a.block)), 1024))
	}
	a.block = append(a.block, v)
	return &a.block[len(a.block)-1]
}

// order gives the steps their final numbers: needs before what needs them, and otherwise as they were added. Where
// steps wait for each other in a circle, wishes are given up, the first ones first. ok is false where a circle
// remains.
func (b *builder) order() (final []int, ok bool) {
	if b.settle(); b.sorted() {
		return nil, true
	}
	n := len(b.list)
	waits, wishes := make([]int, n), make([]int, n)
	hard, soft := make([][]int, n), make([][]int, n)
	for i := range b.list {
		waits[i] = len(b.list[i].Needs)
		for _, d := range b.list[i].Needs {
			hard[d] = append(hard[d], i)
		}
	}
	for _, e := range b.soft {
		wishes[e[0]]++
		soft[e[1]] = append(soft[e[1]], e[0])
	}
	final = make([]int, n)
	for i := range final {
		final[i] = -1
	}
	var ready intHeap
	for i := range n {
		if waits[i]+wishes[i] == 0 {
			ready.push(i)
		}
	}
	for next := 0; next < n; next++ {
		if len(ready) == 0 {
			i := b.giveUp(final, waits)
			if i < 0 {
				return nil, false
			}
			wishes[i] = 0
			ready.push(i)
		}
		i := ready.pop()
		final[i] = next
		for _, d := range hard[i] {
			if waits[d]--; waits[d]+wishes[d] == 0 {
				ready.push(d)
			}
		}
		for _, d := range soft[i] {
			if wishes[d] == 0 {
				continue // given up
			}
			if wishes[d]--; waits[d]+wishes[d] == 0 {
				ready.push(d)
			}
		}
	}
	b.renumber(final)
	return final, true
}

// giveUp drops the open wishes of the first step that waits for nothing else, and returns it; -1: there is none.
func (b *builder) giveUp(final, waits []int) int {
	for i := range b.list {
		if final[i] >= 0 || waits[i] > 0 {
			continue
		}
		b.soft = slices.DeleteFunc(b.soft, func(e [2]int) bool { return e[0] == i && final[e[1]] < 0 })
		return i
	}
	return -1
}

// settle makes every list of needs ascending and without doubles.
func (b *builder) settle() {
	for i := range b.list {
		if n := b.list[i].Needs; len(n) > 1 {
			slices.Sort(n)
			b.list[i].Needs = slices.Compact(n)
		}
	}
}

// sorted turns wishes into needs and reports true where every step then stands after what it needs.
func (b *builder) sorted() bool {
	for i := range b.list {
		if n := b.list[i].Needs; len(n) > 0 && n[len(n)-1] >= i {
			return false
		}
	}
	for _, e := range b.soft {
		if e[1] >= e[0] {
			return false
		}
	}
	for _, e := range b.soft {
		b.need(e[0], e[1])
	}
	b.soft = nil
	b.settle()
	return true
}

// renumber puts the steps into their final places, with what is left of the wishes as needs.
func (b *builder) renumber(final []int) {
	for _, e := range b.soft {
		b.need(e[0], e[1])
	}
	b.soft = nil
	out := make([]Step, len(b.list))
	for i, s := range b.list {
		s.ID = final[i]
		for k, d := range s.Needs {
			s.Needs[k] = final[d]
		}
		out[s.ID] = s
	}
	b.list = out
	b.settle()
}

// intHeap is a heap of ints, the least on top. container/heap would box every one of them.
type intHeap []int

func (h *intHeap) push(v int) {
	*h = append(*h, v)
	s := *h
	for i := len(s) - 1; i > 0; {
		p := (i - 1) / 2
		if s[p] <= s[i] {
			break
		}
		s[p], s[i] = s[i], s[p]
		i = p
	}
}

func (h *intHeap) pop() int {
	s := *h
	top, last := s[0], len(s)-1
	s[0] = s[last]
	s = s[:last]
	*h = s
	for i := 0; ; {
		c := 2*i + 1
		if c >= last {
			return top
		}
		if c+1 < last && s[c+1] < s[c] {
			c++
		}
		if s[i] <= s[c] {
			return top
		}
		s[i], s[c] = s[c], s[i]
		i = c
	}
}
