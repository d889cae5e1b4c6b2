package plan

import (
	"slices"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// builder collects steps. A step's number while it is built is its place in the list; order gives the final one.
type builder struct {
	list   []Step
	wishes []wish
	runs   []int // the Run steps, for ports

	instances  arena[fleet.Instance]
	replicas   arena[state.Replica]
	containers arena[Container]
	images     arena[fleet.Image]
}

// wish is a wait that is given up where a step would wait for ever.
type wish struct {
	step, need int
	weight     int
}

// The weights of wishes: the lighter go first.
const (
	comfort = iota // what others depend on is there first, and goes last
	safety         // no more is down at once than has to be
)

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
func (b *builder) prefer(weight, step int, needs ...int) {
	for _, n := range needs {
		if n >= 0 && n != step {
			b.wishes = append(b.wishes, wish{step, n, weight})
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
// steps wait for each other in a circle, a wish in it is given up. ok is false where a circle of needs remains.
func (b *builder) order() (final []int, ok bool) {
	if b.settle(); b.sorted() {
		return nil, true
	}
	for {
		if final, ok = b.number(); ok {
			b.renumber(final)
			return final, true
		}
		if !b.giveUp(final) {
			return nil, false
		}
	}
}

// number puts the steps in order, as far as they do not wait for each other. A step that does has no number: -1.
func (b *builder) number() (final []int, ok bool) {
	n := len(b.list)
	waits := make([]int, n)
	dependents := make([][]int, n)
	for i := range b.list {
		waits[i] += len(b.list[i].Needs)
		for _, d := range b.list[i].Needs {
			dependents[d] = append(dependents[d], i)
		}
	}
	for _, w := range b.wishes {
		waits[w.step]++
		dependents[w.need] = append(dependents[w.need], w.step)
	}
	final = make([]int, n)
	var ready intHeap
	for i := range n {
		final[i] = -1
		if waits[i] == 0 {
			ready.push(i)
		}
	}
	next := 0
	for ; len(ready) > 0; next++ {
		i := ready.pop()
		final[i] = next
		for _, d := range dependents[i] {
			if waits[d]--; waits[d] == 0 {
				ready.push(d)
			}
		}
	}
	return final, next == n
}

// giveUp drops one wish of every circle among the steps without a number: the weakest, and of those the first. It
// reports whether there was any. Steps that merely wait for a circle keep theirs.
func (b *builder) giveUp(final []int) bool {
	circle := b.circles(final)
	weakest := map[int]int{} // by circle, into wishes
	for i, w := range b.wishes {
		if final[w.step] >= 0 || final[w.need] >= 0 || circle[w.step] != circle[w.need] {
			continue
		}
		if k, ok := weakest[circle[w.step]]; !ok || w.weight < b.wishes[k].weight {
			weakest[circle[w.step]] = i
		}
	}
	drop := make([]bool, len(b.wishes))
	for _, i := range weakest {
		drop[i] = true
	}
	i := -1
	b.wishes = slices.DeleteFunc(b.wishes, func(wish) bool { i++; return drop[i] })
	return len(weakest) > 0
}

// circles numbers the strongly connected parts of the steps without a number, after Tarjan.
func (b *builder) circles(final []int) []int {
	n := len(b.list)
	after := make([][]int, n)
	for i := range b.list {
		after[i] = append(after[i], b.list[i].Needs...)
	}
	for _, w := range b.wishes {
		after[w.step] = append(after[w.step], w.need)
	}
	part, low, seen := make([]int, n), make([]int, n), make([]int, n)
	var stack []int
	count, parts := 0, 0
	var visit func(int)
	visit = func(v int) {
		count++
		seen[v], low[v] = count, count
		stack = append(stack, v)
		for _, d := range after[v] {
			switch {
			case final[d] >= 0 || part[d] != 0:
			case seen[d] == 0:
				visit(d)
				low[v] = min(low[v], low[d])
			default:
				low[v] = min(low[v], seen[d])
			}
		}
		if low[v] != seen[v] {
			return
		}
		parts++
		for {
			d := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			part[d] = parts
			if d == v {
				return
			}
		}
	}
	for i := range n {
		if final[i] < 0 && seen[i] == 0 {
			visit(i)
		}
	}
	return part
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
	if slices.ContainsFunc(b.wishes, func(w wish) bool { return w.need >= w.step }) {
		return false
	}
	b.grant()
	return true
}

// grant makes needs of what is left of the wishes.
func (b *builder) grant() {
	for _, w := range b.wishes {
		b.need(w.step, w.need)
	}
	b.wishes = nil
	b.settle()
}

// renumber puts the steps into their final places, with what is left of the wishes as needs.
func (b *builder) renumber(final []int) {
	b.grant()
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
