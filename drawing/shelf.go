package drawing

import "math"

// rect is a place on the drawing: x to the right, y downwards.
type rect struct{ x0, y0, x1, y1 float64 }

func (r rect) w() float64 { return r.x1 - r.x0 }
func (r rect) h() float64 { return r.y1 - r.y0 }

// goodShape is the width of a box over its height that boxes come near: wide enough for a name, and what a container looks
// like from the side.
const goodShape = 1.7

// alikeSize is how small a box may be beside the first of its column: a smaller one would be a plank on top of it.
const alikeSize = 0.6

// longestRow bounds the search for the best row, which is quadratic in it.
const longestRow = 300

// stow places boxes of the given areas, largest first, into a room from its floor upwards, and returns a place for each. The
// areas are exact, no two places overlap, and all are inside, provided that the areas' sum is at most the room's.
//
// Boxes stand in rows as they would on a ship. All rows but the last take the room's whole width and so waste nothing: that
// is why everything fits. In a row the smaller ones are stacked to columns as high as the largest. How many go into a row is
// decided by the worst shape among them. A squarified treemap has slightly better shapes, but equal boxes come out in
// different ones, and what is free is not in one piece.
func stow(areas []float64, room rect) []rect {
	places := make([]rect, 0, len(areas))
	floor, before, beforeArea := room.y1, 0.0, -1.0
	for len(areas) > 0 {
		rest := floor - room.y0
		h := math.Sqrt(areas[0] / goodShape)
		if areas[0] == beforeArea {
			h = before // equal boxes look equal
		}
		n := len(areas)
		if total := sum(areas); h <= 0 || total/h > room.w() {
			n = bestRow(areas, room.w())
			h = sum(areas[:n]) / room.w()
		}
		h = min(h, rest)
		before, beforeArea = h, areas[0]
		row := rect{room.x0, max(floor-h, room.y0), room.x1, floor}
		places = append(places, columns(areas[:n], row)...)
		areas, floor = areas[n:], row.y0
	}
	return places
}

// bestRow says how many of the areas make the best row of a width.
func bestRow(areas []float64, width float64) int {
	best, least := 1, math.Inf(1)
	total := 0.0
	for n := 1; n <= min(len(areas), longestRow); n++ {
		total += areas[n-1]
		if total <= 0 {
			return len(areas) // nothing but nothings
		}
		if d := worstShape(areas[:n], total/width); d < least {
			best, least = n, d
		} else if d > 2*least+1 {
			break
		}
	}
	return best
}

// worstShape is how far the worst box of a row of height h is from a good shape.
func worstShape(areas []float64, h float64) float64 {
	worst := 0.0
	for len(areas) > 0 {
		n := stack(areas, h)
		w := sum(areas[:n]) / h
		for _, a := range areas[:n] {
			if a > 0 {
				worst = max(worst, math.Abs(math.Log(w*w/a/goodShape)))
			}
		}
		areas = areas[n:]
	}
	return worst
}

// stack is how many of the areas stand on each other in the next column of a row of height h: n boxes of area a have the
// width n*a/h and the height h/n each.
func stack(areas []float64, h float64) int {
	if areas[0] <= 0 {
		return len(areas)
	}
	n := math.Round(h * math.Sqrt(goodShape/areas[0]))
	n = max(1, min(n, float64(len(areas))))
	alike := 1
	for alike < int(n) && areas[alike] >= alikeSize*areas[0] {
		alike++
	}
	return alike
}

// columns fills a row from its left, each column from its bottom.
func columns(areas []float64, row rect) []rect {
	places := make([]rect, 0, len(areas))
	x := row.x0
	for len(areas) > 0 {
		n := stack(areas, row.h())
		total := sum(areas[:n])
		right := x
		if row.h() > 0 {
			right = min(x+total/row.h(), row.x1)
		}
		y := row.y1
		for i, a := range areas[:n] {
			top := y
			switch {
			case i == n-1 && total > 0:
				top = row.y0
			case total > 0:
				top = max(y-row.h()*a/total, row.y0)
			}
			places = append(places, rect{x, top, right, y})
			y = top
		}
		if w := math.Sqrt(areas[0] * goodShape); n == len(areas) && w > right-x && x+w <= row.x1 && total/w <= row.h() {
			last, y := places[len(places)-n:], row.y1 // too few for a column as high as the row
			for i, a := range areas {
				last[i] = rect{x, y - a/w, x + w, y}
				y -= a / w
			}
		}
		x, areas = right, areas[n:]
	}
	return places
}

func sum(l []float64) float64 {
	total := 0.0
	for _, x := range l {
		total += x
	}
	return total
}
