package drawing

import (
	"cmp"
	"slices"

	"github.com/stowage-run/stowage/fleet"
)

// cargo is what a hold holds, with a place for each box.
type cargo struct {
	boxes   []Box   // what leaves last; else the largest first
	places  []rect  // of each
	ballast rect    // what the host keeps for itself
	line    float64 // y of the load line in a hold that holds more than its host has; 0: it does not
}

// The least share of a hold that a box without a reserve takes, and the most: small beside boxes that have one, and
// never so many that they crowd out the others.
const (
	smallestShare = 1.0 / 300
	largestShare  = 1.0 / 36
	crowdShare    = 0.06
)

// load places the boxes of a hold in its room. scale is the memory of the largest host, for those whose own is not known.
func load(h *Hold, room rect, scale float64) cargo {
	c := cargo{boxes: slices.Clone(h.Boxes)}
	capacity, kept := float64(h.Capacity.Memory), 0.0
	if capacity > 0 {
		kept = min(max(float64(h.Reserve.Memory), 0), capacity)
	}
	used := 0.0
	for _, b := range c.boxes {
		used += max(float64(b.Memory), 0)
	}
	if capacity <= 0 {
		capacity = max(scale, used*4/3, 1)
	}
	small := smallest(c.boxes, capacity, capacity-kept-used)
	slices.SortStableFunc(c.boxes, func(a, b Box) int {
		return cmp.Or(last(a.Mark == Leaving)-last(b.Mark == Leaving), cmp.Compare(b.size(small), a.size(small)),
			natural(a.Replica, b.Replica), cmp.Compare(a.Mark, b.Mark))
	})
	areas, leaving := make([]float64, len(c.boxes)), 0
	for i := range c.boxes {
		areas[i] = c.boxes[i].size(small)
		leaving += last(c.boxes[i].Mark == Leaving)
	}
	total := kept + sum(areas)
	whole := max(capacity, total)
	unit := room.w() * room.h() / whole
	for i := range areas {
		areas[i] *= unit
	}
	c.ballast = rect{room.x0, room.y1 - room.h()*kept/whole, room.x1, room.y1}
	c.places = stowApart(areas, leaving, rect{room.x0, room.y0, room.x1, c.ballast.y0})
	if total > capacity*(1+crowdShare)*1.000001 {
		c.line = room.y1 - room.h()*capacity/whole
	}
	return c
}

func last(is bool) int {
	if is {
		return 1
	}
	return 0
}

// stowApart places the last few areas, which are of what leaves, on top of the rest: what is under them is what stays. Where
// that wastes room which is needed, they stand together.
func stowApart(areas []float64, leaving int, room rect) []rect {
	keeps := len(areas) - leaving
	below := stow(areas[:keeps], room)
	top := room.y1
	for _, r := range below {
		top = min(top, r.y0)
	}
	above := rect{room.x0, room.y0, room.x1, top}
	if sum(areas[keeps:]) <= above.w()*above.h() {
		return append(below, stow(areas[keeps:], above)...)
	}
	order := make([]int, len(areas))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(areas[b], areas[a]) })
	sorted := make([]float64, len(areas))
	for i, k := range order {
		sorted[i] = areas[k]
	}
	places := make([]rect, len(areas))
	for i, r := range stow(sorted, room) {
		places[order[i]] = r
	}
	return places
}

// size is the memory that the box is drawn with.
func (b *Box) size(small float64) float64 {
	if b.Memory <= 0 {
		return small
	}
	return float64(b.Memory)
}

// smallest is the memory that a box without a reserve is drawn with: no more than the smallest that has one.
func smallest(boxes []Box, capacity, free float64) float64 {
	n, least := 0.0, capacity*largestShare
	for _, b := range boxes {
		if b.Memory <= 0 {
			n++
		} else {
			least = min(least, max(float64(b.Memory), capacity*smallestShare))
		}
	}
	if n == 0 {
		return 0
	}
	return min(least, max(free, capacity*crowdShare)/n)
}

// usage is what a host's replicas reserve once all is done, and how many they are.
func (h *Hold) usage() (r fleet.Resources, n int) {
	for _, b := range h.Boxes {
		if b.Mark == Leaving {
			continue
		}
		n++
		r.Memory = plus(r.Memory, b.Memory)
		r.CPU = plus(r.CPU, b.CPU)
	}
	return r, n
}

// plus adds amounts from outside: negative ones count as nothing, and the sum does not overflow.
func plus[T ~int64](a, b T) T {
	if b <= 0 {
		return a
	}
	if s := a + b; s > a {
		return s
	}
	return a
}
