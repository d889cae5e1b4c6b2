package drawing

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// level is how much of each hold is shown. The more holds, the smaller each: names and boxes with text at first, small
// multiples at last, where the picture as a whole is what is read and pointing at a box says which it is.
type level struct {
	upTo    int // holds
	columns int
	w, h    float64 // of a hold, with its head
	gap     float64 // between holds
	head    float64 // above a hold, for its name
	pad     float64 // between hull and boxes
	name    float64 // size of a hold's name; 0: none
	fine    float64 // size of the line below; 0: none
	label   float64 // size of text in boxes; 0: none
	seam    float64 // between boxes
	line    float64 // around boxes
}

var levels = [...]level{
	{1, 1, 540, 330, 0, 40, 6, 15, 11.5, 12, 1.6, 1.4},
	{3, 3, 308, 270, 30, 38, 5.5, 14, 10.5, 11, 1.4, 1.3},
	{12, 4, 244, 214, 26, 36, 5, 13, 10, 10, 1.2, 1.2},
	{36, 6, 168, 152, 20, 30, 4, 11, 9, 9, 1, 1.1},
	{120, 12, 86, 84, 14, 13, 3, 8.5, 0, 7, 0.8, 0.9},
	{400, 20, 50, 52, 10, 10, 2.2, 6.5, 0, 0, 0.5, 0.6},
	{2000, 36, 28, 26, 5.5, 2, 1.4, 0, 0, 0, 0.3, 0.4},
	{math.MaxInt, 72, 14, 13, 2.5, 1, 0.8, 0, 0, 0, 0.15, 0.2},
}

func levelFor(holds int) *level {
	i := slices.IndexFunc(levels[:], func(l level) bool { return holds <= l.upTo })
	return &levels[i]
}

// gauge is the width of the scale of the processor at a hold's side, with the gap to it; 0: there is none.
func (l *level) gauge() float64 {
	if l.fine == 0 {
		return 0
	}
	return 2 * l.pad
}

// margin is the empty rim of the sheet; leastWidth is for the legend.
const (
	margin     = 26.0
	leastWidth = 600.0
)

// deck is the holds in the order and at the places in which they are drawn.
type deck struct {
	*level
	groups []group
	width  float64 // inside the margins
	height float64 // of all groups
}

// group is the holds with one value of the label that they are grouped by.
type group struct {
	value   string
	holds   []Hold
	x, y    float64
	columns int
}

// headed is the height of a group's heading.
const headed = 34.0

// arrange groups and sorts the holds, and gives each group its place: one beside the other as long as they fit.
func arrange(p *Picture) deck {
	d := deck{level: levelFor(len(p.Holds))}
	holds := slices.Clone(p.Holds)
	if p.GroupBy == "" {
		for i := range holds {
			holds[i].Group = ""
		}
	}
	slices.SortStableFunc(holds, func(a, b Hold) int { return cmp.Or(byGroup(a.Group, b.Group), natural(a.Host, b.Host)) })
	columns := max(1, min(d.columns, len(holds)))
	d.width = max(leastWidth, float64(columns)*(d.w+d.gap)-d.gap)
	columns = max(columns, int((d.width+d.gap)/(d.w+d.gap)))

	heading := 0.0
	if p.GroupBy != "" {
		heading = headed
	}
	used, tallest, y := 0, 0.0, 0.0
	for lo := 0; lo < len(holds); {
		hi := lo
		for hi < len(holds) && holds[hi].Group == holds[lo].Group {
			hi++
		}
		g := group{value: holds[lo].Group, holds: holds[lo:hi], columns: min(hi-lo, columns)}
		if used > 0 && used+g.columns > columns {
			used, y, tallest = 0, y+tallest, 0
		}
		rows := float64((hi - lo + g.columns - 1) / g.columns)
		g.x, g.y = float64(used)*(d.w+d.gap), y
		tallest = max(tallest, heading+rows*(d.h+max(d.gap, 8)))
		used += g.columns
		d.groups = append(d.groups, g)
		lo = hi
	}
	d.height = y + tallest
	return d
}

// byGroup puts hosts without the label last.
func byGroup(a, b string) int {
	if (a == "") != (b == "") {
		return cmp.Compare(b, a)
	}
	return natural(a, b)
}

// natural compares names as people do: web2 before web10.
func natural(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		dx, dy := digits(x), digits(y)
		if dx > 0 && dy > 0 {
			p, q := strings.TrimLeft(x[:dx], "0"), strings.TrimLeft(y[:dy], "0")
			if c := cmp.Or(cmp.Compare(len(p), len(q)), cmp.Compare(p, q)); c != 0 {
				return c
			}
			x, y = x[dx:], y[dy:]
			continue
		}
		if x[0] != y[0] {
			return cmp.Compare(x[0], y[0])
		}
		x, y = x[1:], y[1:]
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(a, b))
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// cell is the place of a group's hold.
func (d *deck) cell(g *group, i int, heading float64) rect {
	x := g.x + float64(i%g.columns)*(d.w+d.gap)
	y := g.y + heading + float64(i/g.columns)*(d.h+max(d.gap, 8))
	return rect{x, y, x + d.w, y + d.h}
}

// room is the inside of a hold in its cell.
func (d *deck) room(cell rect) rect {
	return rect{cell.x0 + d.pad, cell.y0 + d.head, cell.x1 - d.pad - d.gauge(), cell.y1 - d.pad}
}
