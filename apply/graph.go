package apply

import (
	"container/heap"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
)

// graph says which step may start next. It belongs to one goroutine, knows no time, calls nothing, and is
// deterministic: of the steps that may start it gives the one with the lowest number.
//
// A step may start when all that it needs is done, when fewer than perLane steps of its host are under way,
// and when its host is one of at most maxLanes that have any under way. Every operation is O(log n).
type graph struct {
	steps      []plan.Step
	status     []status
	unmet      []int   // how many of a step's needs are not done
	dependents [][]int // who needs it

	lanes    map[fleet.HostName]*lane
	open     laneHeap // lanes that have a step to start and room for it
	parked   laneHeap // of these, the ones that wait until another lane is idle
	active   int      // lanes with steps under way
	perLane  int
	maxLanes int
}

// status is where a step is.
type status uint8

const (
	waiting status = iota // for others, or for its turn
	running
	ending // its call has ended; what came of it is being recorded
	done
	failed
	dropped // never started, and never will be
)

// lane is one host's steps. Steps that need no engine share the lane of the empty name.
type lane struct {
	ready   intHeap
	running int
	wide    bool      // there is no bound to how many run
	in      *laneHeap // which heap it is in; nil: none
	index   int       // where in it
}

func newGraph(steps []plan.Step, perLane, maxLanes int) *graph {
	g := &graph{
		steps: steps, status: make([]status, len(steps)), unmet: make([]int, len(steps)),
		dependents: make([][]int, len(steps)), lanes: map[fleet.HostName]*lane{},
		perLane: perLane, maxLanes: maxLanes,
	}
	for i, s := range steps {
		g.unmet[i] = len(s.Needs)
		for _, n := range s.Needs {
			g.dependents[n] = append(g.dependents[n], i)
		}
	}
	for i := range steps {
		if g.unmet[i] == 0 {
			g.ready(i)
		}
	}
	return g
}

// gates is the lane of the steps that only wait. Any number of them may: they hold nothing that others need.
const gates fleet.HostName = "\x00gates"

// laneOf is the host whose engine a step needs: those that only change the record need none.
func laneOf(s *plan.Step) fleet.HostName {
	switch s.Kind {
	case plan.KindRecord:
		return ""
	case plan.KindGate, plan.KindComplete:
		return gates
	}
	return s.Host
}

// ready puts a step whose needs are done into its lane.
func (g *graph) ready(i int) {
	name := laneOf(&g.steps[i])
	l := g.lanes[name]
	if l == nil {
		l = &lane{wide: name == gates}
		g.lanes[name] = l
	}
	heap.Push(&l.ready, i)
	if l.in != nil {
		heap.Fix(l.in, l.index) // it may have become the lowest
		return
	}
	g.offer(l)
}

// offer puts a lane among those that may start a step, where it may.
func (g *graph) offer(l *lane) {
	if l.in == nil && len(l.ready) > 0 && (l.wide || l.running < g.perLane) {
		heap.Push(&g.open, l)
	}
}

// next returns the step to start now and marks it as running. ok is false where none may start.
func (g *graph) next() (i int, ok bool) {
	for {
		if len(g.open) == 0 {
			if len(g.parked) == 0 || g.active >= g.maxLanes {
				return 0, false
			}
			g.offer(heap.Pop(&g.parked).(*lane))
		}
		l := heap.Pop(&g.open).(*lane)
		if l.running == 0 && g.active >= g.maxLanes {
			heap.Push(&g.parked, l)
			continue
		}
		i := heap.Pop(&l.ready).(int)
		if g.status[i] != waiting { // dropped meanwhile
			g.offer(l)
			continue
		}
		if l.running == 0 {
			g.active++
		}
		l.running++
		g.status[i] = running
		g.offer(l)
		return i, true
	}
}

// release gives a running step's place in its lane to another one.
func (g *graph) release(i int) {
	g.status[i] = ending
	l := g.lanes[laneOf(&g.steps[i])]
	l.running--
	if l.running == 0 {
		g.active--
	}
	g.offer(l)
	if g.active < g.maxLanes && len(g.parked) > 0 {
		g.offer(heap.Pop(&g.parked).(*lane))
	}
}

// finish says how a running or released step ended. Where it is not done, all that need it, directly or not, are
// dropped and returned.
func (g *graph) finish(i int, ok bool) (skipped []int) {
	if g.status[i] == running {
		g.release(i)
	}
	if !ok {
		g.status[i] = failed
		return g.drop(g.dependents[i])
	}
	g.status[i] = done
	for _, d := range g.dependents[i] {
		if g.unmet[d]--; g.unmet[d] == 0 && g.status[d] == waiting {
			g.ready(d)
		}
	}
	return nil
}

// drop gives up those of the steps that have not started, and all that need them.
func (g *graph) drop(steps []int) (skipped []int) {
	for _, i := range steps {
		if g.status[i] == waiting {
			g.status[i] = dropped
			skipped = append(skipped, i)
		}
	}
	for n := 0; n < len(skipped); n++ {
		for _, d := range g.dependents[skipped[n]] {
			if g.status[d] == waiting {
				g.status[d] = dropped
				skipped = append(skipped, d)
			}
		}
	}
	return skipped
}

// dropHost gives up what has not started of the steps that need a host's engine, and all that need them.
func (g *graph) dropHost(h fleet.HostName) []int {
	var own []int
	for i := range g.steps {
		if laneOf(&g.steps[i]) == h {
			own = append(own, i)
		}
	}
	return g.drop(own)
}

// dropAll gives up everything that has not started.
func (g *graph) dropAll() []int {
	var all []int
	for i := range g.steps {
		all = append(all, i)
	}
	return g.drop(all)
}

type intHeap []int

func (h intHeap) Len() int           { return len(h) }
func (h intHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h intHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *intHeap) Push(x any)        { *h = append(*h, x.(int)) }
func (h *intHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// laneHeap orders lanes by the lowest step that each has ready. None in it is without one.
type laneHeap []*lane

func (h laneHeap) Len() int           { return len(h) }
func (h laneHeap) Less(i, j int) bool { return h[i].ready[0] < h[j].ready[0] }

func (h laneHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *laneHeap) Push(x any) {
	l := x.(*lane)
	l.in, l.index = h, len(*h)
	*h = append(*h, l)
}

func (h *laneHeap) Pop() any {
	old := *h
	l := old[len(old)-1]
	l.in = nil
	*h = old[:len(old)-1]
	return l
}
