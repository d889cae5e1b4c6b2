package drawing

import (
	"fmt"
	"math"

	"github.com/stowage-run/stowage/fleet"
)

// Draw draws the picture as one SVG document, in UTF-8, with a line for each box. It changes nothing in p and may be called
// concurrently.
func Draw(p Picture) []byte {
	d := arrange(&p)
	q := layQuay(&p, d)
	c := tally(&p)
	entries := c.entries(&p, d.level)
	places, legendHeight := flow(entries, d.width)

	title, subtitle := clean(p.Title), clean(p.Subtitle)
	top := 0.0
	if title != "" {
		top += 28
	}
	top += 22 // the counts
	if subtitle != "" {
		top += 18
	}
	top += 8
	height := top + d.height + q.height + legendHeight

	var out pen
	out.put(`<svg xmlns="http://www.w3.org/2000/svg" class="stowage" role="img" viewBox="0 0 % %" font-size="12">`,
		math.Ceil(d.width+2*margin), math.Ceil(height+2*margin))
	out.title(title)
	out.WriteString("<desc>" + escape(c.sentence(&p)) + "</desc>\n<style>" + style + "</style>\n")
	out.defs(d.level)
	out.WriteString(`<rect class="paper" width="100%" height="100%"/>` + "\n")
	out.put(`<g transform="translate(% %)">`, margin, margin)
	y := 0.0
	if title != "" {
		out.text(0, 18, 20, "strong", shorten(title, 20*bolder, d.width, 0))
		y += 28
	}
	out.text(0, y+13, 12.5, "soft", shorten(c.sentence(&p), 12.5, d.width, 0))
	y += 22
	if subtitle != "" {
		out.text(0, y+10, 12.5, "soft", shorten(subtitle, 12.5, d.width, 0))
	}
	out.put("\n"+`<g transform="translate(0 %)">`, top)
	out.holds(&p, &d)
	out.WriteString("</g>")
	out.quay(&p, q, top+d.height)
	out.legend(entries, places, top+d.height+q.height)
	out.WriteString("\n</g>\n</svg>\n")
	return out.Bytes()
}

// holds draws the groups and their holds.
func (p *pen) holds(pic *Picture, d *deck) {
	heading := 0.0
	if pic.GroupBy != "" {
		heading = headed
	}
	scale := largest(pic)
	ids := map[string]int{}
	for i := range d.groups {
		g := &d.groups[i]
		if heading > 0 {
			p.groupHead(g, clean(pic.GroupBy), d)
		}
		for k := range g.holds {
			h := &g.holds[k]
			id := holdID(clean(h.Host))
			if ids[id]++; ids[id] > 1 {
				id = fmt.Sprintf("%s__%d", id, ids[id]) // a name twice is a mistake of the caller's, and no reason for a broken page
			}
			p.hold(h, id, d.cell(g, k, heading), d, scale)
		}
	}
}

// groupHead writes what the holds below have in common.
func (p *pen) groupHead(g *group, label string, d *deck) {
	wide := float64(g.columns)*(d.w+d.gap) - d.gap
	name := label + " " + clean(g.value)
	if g.value == "" {
		name = "without " + label
	}
	var used, offered fleet.Bytes
	for i := range g.holds {
		u, _ := g.holds[i].usage()
		used = plus(used, u.Memory)
		if g.holds[i].State != Lost {
			offered = plus(offered, g.holds[i].offered().Memory)
		}
	}
	facts := number(len(g.holds), "host", "hosts")
	if offered > 0 {
		facts += fmt.Sprintf(", %d%% of memory reserved", int(100*float64(used)/float64(offered)))
	}
	p.WriteString("\n<g>")
	p.title(name, facts)
	name = shorten(name, 12*bolder, wide, 6)
	p.text(g.x, g.y+11, 12, "strong", name)
	if taken := width(name, 12*bolder) + 8; taken+width(facts, 11) <= wide {
		p.textEnd(g.x+wide, g.y+11, 11, "soft", facts)
	}
	p.put(`<path class="rule" d="M% %H%"/></g>`, g.x, g.y+17.5, g.x+wide)
}

// largest is the memory of the largest host.
func largest(p *Picture) float64 {
	var m fleet.Bytes
	for i := range p.Holds {
		m = max(m, p.Holds[i].Capacity.Memory)
	}
	return float64(m)
}

// wharf is the quay laid out: the boxes that have no place, drawn to the scale of the largest hold.
type wharf struct {
	*level
	boxes  []Box
	places []rect  // from 0, 0
	height float64 // with its heading; 0: no box waits
}

func layQuay(p *Picture, d deck) wharf {
	q := wharf{level: d.level}
	if len(p.Quay) == 0 {
		return q
	}
	all := Hold{Capacity: fleet.Resources{Memory: fleet.Bytes(largest(p))}, Boxes: p.Quay}
	total, most := 0.0, 0.0
	for _, b := range p.Quay {
		total += max(float64(b.Memory), 0)
		most = max(most, float64(b.Memory))
	}
	room := d.room(rect{0, 0, d.w, d.h})
	capacity := max(largest(p), most, 1)
	small := smallest(all.Boxes, capacity, capacity)
	unit := room.w() * room.h() / capacity
	for _, b := range p.Quay {
		if b.Memory <= 0 {
			total += small
		}
	}
	high := total*unit/d.width + math.Sqrt(max(most, small)*unit) + 2
	all.Capacity.Memory = 0
	c := load(&all, rect{0, 0, d.width, high}, d.width*high/unit)
	top := high
	for _, r := range c.places {
		top = min(top, r.y0)
	}
	for i := range c.places {
		c.places[i].y0 -= top
		c.places[i].y1 -= top
	}
	for i := range c.boxes {
		c.boxes[i].Mark = Waiting
	}
	q.boxes, q.places, q.height = c.boxes, c.places, high-top+headed+22
	return q
}

// quay draws the boxes that have no place, on the quay.
func (p *pen) quay(pic *Picture, q wharf, y float64) {
	if q.height == 0 {
		return
	}
	wide := 0.0
	p.put("\n"+`<g class="quay" transform="translate(0 %)">`, y)
	p.text(0, 11, 12, "strong", "On the quay: "+number(len(q.boxes), "replica without a place", "replicas without a place"))
	p.put(`<g transform="translate(0 %)">`, headed-14)
	for i := range q.boxes {
		p.box(&q.boxes[i], "", q.places[i], q.level)
		wide = max(wide, q.places[i].x1)
	}
	p.WriteString("</g>")
	p.put(`<path class="hull" d="M0 %H%" stroke-width="2.5"/></g>`, q.height-22-12, max(wide, 220))
}
