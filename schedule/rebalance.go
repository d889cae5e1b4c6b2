package schedule

import (
	"cmp"
	"fmt"
	"slices"
)

// rebalance moves replicas that could stay, as few as restore the spread: from the value of a spread label with the most
// to the one with the fewest, as long as they are two apart; then the same within each value, and at last between hosts.
// A move between zones takes from the fullest rack and host of the one and gives to the emptiest of the other, so that it
// saves a move further in wherever it can. One between two that are one apart is made where it saves a move in each. That
// is the fewest moves (rebalance_prop_test.go tries all) unless some hosts are full or some replicas may not move: then it
// may be one more.
//
// Left alone are workloads that pack, what is frozen or global, what holds data or is tied to a volume, and what is on a
// host that is not known. A cordoned host may be left and not entered.
func (p *pass) rebalance() {
	if p.order == nil {
		p.setOrder()
	}
	for _, w := range p.order {
		if w.packs || w.global || w.shared != nil || w.seated == 0 {
			continue
		}
		b := &balancer{p: p, w: w, sh: p.shapeOf(w.Placement.Spread), on: map[int][]*seat{}}
		b.evenOut()
	}
}

// balancer evens out one workload.
type balancer struct {
	p       *pass
	w       *work
	sh      *shape
	tallies []int32         // by place
	kids    [][]int32       // by place
	below   [][]*host       // by place that is a leaf: hosts with replicas, or that take some
	on      map[int][]*seat // by host: those that may move, by slot
	loose   []int           // by place: how many may move
}

func (b *balancer) evenOut() {
	b.tallies = b.sh.tallies(b.w)
	b.kids, b.below = make([][]int32, len(b.sh.nodes)), make([][]*host, len(b.sh.nodes))
	b.loose = make([]int, len(b.sh.nodes))
	for n := 1; n < len(b.sh.nodes); n++ {
		up := b.sh.nodes[n].parent
		b.kids[up] = append(b.kids[up], int32(n))
	}
	for i := range b.w.seats {
		s := &b.w.seats[i]
		if s.host == nil || !b.mayMove(s) {
			continue
		}
		b.on[s.host.index] = append(b.on[s.host.index], s)
		b.count(s.host, 1)
	}
	for _, h := range b.p.hosts {
		if b.w.count.at(h.index) > 0 || b.p.allows(b.w, h, false) == passes {
			n := b.sh.leafOf[h.index]
			b.below[n] = append(b.below[n], h)
		}
	}
	for n := range b.sh.nodes { // parents first
		for b.move(int32(n)) {
		}
	}
}

func (b *balancer) mayMove(s *seat) bool {
	held := s.current != nil && s.current.Holds && b.w.bondage() == 0
	return s.host.facts.Known && !held && len(b.p.ties(b.w, s)) == 0 && s.current != nil && s.current.Host == s.host.Name
}

func (b *balancer) count(h *host, by int) {
	for n := b.sh.leafOf[h.index]; n >= 0; n = b.sh.nodes[n].parent {
		b.loose[n] += by
	}
}

// move makes one move between what is right below a place, if the spread asks for one.
func (b *balancer) move(n int32) bool {
	if b.sh.leaf(n) {
		return b.moveHosts(n)
	}
	for _, from := range b.givers(n) {
		s := b.fullest(from)
		if to, h := b.taker(n, from, s); h != nil {
			b.shift(s, h, fmt.Sprintf("%s has %d, %s %d", b.name(from), b.tallies[from], b.name(to), b.tallies[to]))
			return true
		}
	}
	return b.moveForTwo(n)
}

// moveForTwo makes a move that leaves one place with one less and another with one more than it, as even as they were the
// other way round, where that saves a move within each.
func (b *balancer) moveForTwo(n int32) bool {
	for _, from := range b.givers(n) {
		s := b.fullest(from)
		if b.saved(from, s.host, -1) < 1 {
			continue
		}
		for _, to := range b.kids[n] {
			if b.tallies[from]-b.tallies[to] != 1 {
				continue
			}
			if h := b.thinnest(to, s); h != nil && b.saved(to, h, 1) > 0 {
				b.shift(s, h, fmt.Sprintf("%s has %d, %s %d, and one move evens out both", b.name(from), b.tallies[from], b.name(to), b.tallies[to]))
				return true
			}
		}
	}
	return false
}

// givers sorts what is right below a place by what it has, and where that is the same by what it saves to take from it.
func (b *balancer) givers(n int32) []int32 {
	out := slices.DeleteFunc(b.descending(b.kids[n]), func(k int32) bool { return b.loose[k] == 0 })
	saved := make(map[int32]int, len(out))
	for _, k := range out {
		saved[k] = b.saved(k, b.fullest(k).host, -1)
	}
	slices.SortStableFunc(out, func(x, y int32) int {
		return cmp.Or(cmp.Compare(b.tallies[y], b.tallies[x]), cmp.Compare(saved[y], saved[x]))
	})
	return out
}

// taker returns the place to give a seat to, of those right below n with two less than from, and the host there; nil: none.
func (b *balancer) taker(n, from int32, s *seat) (to int32, best *host) {
	most := 0
	for _, k := range slices.Backward(b.descending(b.kids[n])) {
		if b.tallies[from]-b.tallies[k] < 2 || best != nil && b.tallies[k] > b.tallies[to] {
			break
		}
		h := b.thinnest(k, s)
		if h == nil {
			continue
		}
		if saves := b.saved(k, h, 1); best == nil || saves > most {
			to, best, most = k, h, saves
		}
	}
	return to, best
}

// saved is how many moves within a place it saves that a host there gets one more or one less.
func (b *balancer) saved(n int32, h *host, by int) int {
	at := b.sh.leafOf[h.index]
	counts, changed := make([]int, len(b.below[at])), -1
	for i, o := range b.below[at] {
		counts[i] = int(b.own(o))
		if o == h {
			changed = i
		}
	}
	saved := movesSaved(counts, changed, by)
	for ; at != n; at = b.sh.nodes[at].parent {
		kids := b.kids[b.sh.nodes[at].parent]
		counts = make([]int, len(kids))
		for i, k := range kids {
			counts[i] = int(b.tallies[k])
		}
		saved += movesSaved(counts, slices.Index(kids, at), by)
	}
	return saved
}

// movesSaved is how many moves fewer make counts even once one of them has changed.
func movesSaved(counts []int, changed, by int) int {
	before := movesToEven(counts)
	counts[changed] += by
	return before - movesToEven(counts)
}

// movesToEven is how many moves make counts even.
func movesToEven(counts []int) int {
	total := 0
	for _, c := range counts {
		total += c
	}
	low := total / len(counts)
	high := (total + len(counts) - 1) / len(counts)
	over, under := 0, 0
	for _, c := range counts {
		over += max(c-high, 0)
		under += max(low-c, 0)
	}
	return max(over, under)
}

// moveHosts makes one move between the hosts of a leaf.
func (b *balancer) moveHosts(n int32) bool {
	byCount := slices.Clone(b.below[n])
	slices.SortStableFunc(byCount, func(x, y *host) int { return int(b.own(y) - b.own(x)) })
	for _, from := range byCount {
		if len(b.on[from.index]) == 0 {
			continue
		}
		s := b.last(from)
		if to := b.thinnest(n, s); to != nil && b.own(from)-b.own(to) >= 2 {
			b.shift(s, to, fmt.Sprintf("host %s has %d, %s %d", from.Name, b.own(from), to.Name, b.own(to)))
			return true
		}
	}
	return false
}

func (b *balancer) own(h *host) int32 { return b.w.count.at(h.index) }

// last is the seat that leaves a host first: the one with the highest slot, which scaling down removes first too.
func (b *balancer) last(h *host) *seat { return b.on[h.index][len(b.on[h.index])-1] }

// descending sorts places by their replicas, the most first.
func (b *balancer) descending(places []int32) []int32 {
	out := slices.Clone(places)
	slices.SortStableFunc(out, func(x, y int32) int { return int(b.tallies[y] - b.tallies[x]) })
	return out
}

// fullest returns the seat to take from a place of which some may move.
func (b *balancer) fullest(n int32) *seat {
	for !b.sh.leaf(n) {
		kids := b.descending(b.kids[n])
		n = kids[slices.IndexFunc(kids, func(k int32) bool { return b.loose[k] > 0 })]
	}
	var best *host
	for _, h := range b.below[n] {
		if len(b.on[h.index]) > 0 && (best == nil || b.own(h) > b.own(best)) {
			best = h
		}
	}
	return b.last(best)
}

// thinnest returns the best host of a place for a seat, or nil where none takes it.
func (b *balancer) thinnest(n int32, s *seat) *host {
	if !b.sh.leaf(n) {
		for _, k := range slices.Backward(b.descending(b.kids[n])) {
			if h := b.thinnest(k, s); h != nil {
				return h
			}
		}
		return nil
	}
	var best *host
	var key key
	for _, h := range b.below[n] {
		if h == s.host || b.p.allows(b.w, h, false) != passes || b.p.takes(b.w, s, h) != passes {
			continue
		}
		if k := b.p.key(b.w, h); best == nil || b.own(h) < b.own(best) || b.own(h) == b.own(best) && k.less(&key) {
			best, key = h, k
		}
	}
	return best
}

// shift moves a seat.
func (b *balancer) shift(s *seat, to *host, why string) {
	from := s.host
	b.count(from, -1)
	b.sh.add(b.tallies, from.index, -1)
	b.on[from.index] = slices.DeleteFunc(b.on[from.index], func(o *seat) bool { return o == s })
	b.p.leave(b.w, s)
	s.reason = "rebalance: " + why
	b.p.commit(b.w, s, to)
	b.sh.add(b.tallies, to.index, 1)
	if !slices.Contains(b.below[b.sh.leafOf[to.index]], to) {
		b.below[b.sh.leafOf[to.index]] = append(b.below[b.sh.leafOf[to.index]], to)
	}
}

// name says a place for people: "zone eu-a", "no zone".
func (b *balancer) name(n int32) string {
	pl := b.sh.nodes[n]
	label := b.sh.labels[pl.depth-1]
	if !pl.has {
		return "no " + label
	}
	return label + " " + pl.value
}
