package drawing

import (
	"fmt"
	"strings"

	"github.com/stowage-run/stowage/fleet"
)

// counts is what there is of everything.
type counts struct {
	marks   [len(markNames)]int
	healths [len(healthNames)]int
	states  [len(stateNames)]int
	reserve bool // some host keeps memory for itself
	cpu     bool // some host's processor is known
	over    bool // some hold has more in it than its host has
	bare    int  // boxes that reserve no memory
	used    fleet.Bytes
	offered fleet.Bytes
	unknown int // hosts whose memory is not known
}

func tally(p *Picture) counts {
	var c counts
	count := func(b *Box, m Mark) {
		c.marks[at(len(markNames), int(m))]++
		c.healths[at(len(healthNames), int(b.Health))]++
		if b.Memory <= 0 {
			c.bare++
		}
	}
	for i := range p.Holds {
		h := &p.Holds[i]
		c.states[at(len(stateNames), int(h.State))]++
		c.reserve = c.reserve || h.Reserve.Memory > 0 && h.Capacity.Memory > 0
		c.cpu = c.cpu || h.offered().CPU > 0
		used, _ := h.usage()
		c.used = plus(c.used, used.Memory)
		if h.State != Lost {
			c.offered = plus(c.offered, h.offered().Memory)
		}
		if h.Capacity.Memory <= 0 {
			c.unknown++
		}
		room := rect{0, 0, 1, 1}
		c.over = c.over || load(h, room, 1).line > 0
		for k := range h.Boxes {
			count(&h.Boxes[k], h.Boxes[k].Mark)
		}
	}
	for k := range p.Quay {
		count(&p.Quay[k], Waiting)
	}
	return c
}

func at(n, i int) int {
	if i < 0 || i >= n {
		return 0
	}
	return i
}

func (c *counts) boxes() (n int) {
	for _, k := range c.marks {
		n += k
	}
	return n
}

// sentence says what the drawing shows: "3 hosts, 12 replicas, 3.1 of 24GiB of memory reserved".
func (c *counts) sentence(p *Picture) string {
	n := 0
	for m, k := range c.marks {
		if Mark(m) != Leaving && Mark(m) != Waiting {
			n += k
		}
	}
	s := number(len(p.Holds), "host", "hosts") + ", " + number(n, "replica", "replicas")
	switch {
	case c.offered > 0 && c.unknown == 0:
		s += ", " + of(c.used, c.offered) + " of memory reserved"
	case c.used > 0:
		s += ", " + memory(c.used) + " of memory reserved"
	}
	if k := c.marks[Waiting]; k > 0 {
		s += fmt.Sprintf(", %d without a place", k)
	}
	return s
}

// entry is one sample of the legend with what it means.
type entry struct {
	kind string // "box", "hold", "ballast", "room", "gauge", "load"
	box  Box
	hold State
	text string
}

// entries are the samples of all that the drawing has, with how many there are.
func (c *counts) entries(p *Picture, l *level) []entry {
	var out []entry
	for m, n := range c.marks {
		text := fmt.Sprintf("%d %s", n, words(Mark(m), n))
		if Mark(m) == Staying && n == c.boxes() {
			text = number(n, "replica", "replicas") // nothing happens to any
		}
		if n > 0 {
			out = append(out, entry{kind: "box", box: Box{Mark: Mark(m)}, text: text})
		}
	}
	for h, n := range c.healths {
		if n > 0 && Health(h) >= Starting {
			out = append(out, entry{kind: "box", box: Box{Health: Health(h)}, text: fmt.Sprintf("%d %s", n, Health(h).names().word)})
		}
	}
	for s, n := range c.states {
		if n > 0 && State(s) != Open {
			out = append(out, entry{kind: "hold", hold: State(s), text: number(n, "host ", "hosts ") + State(s).names().word})
		}
	}
	if c.unknown < len(p.Holds) {
		out = append(out, entry{kind: "room", text: "free memory"})
	}
	if c.reserve {
		out = append(out, entry{kind: "ballast", text: "kept for the host"})
	}
	if c.cpu && l.gauge() > 0 {
		out = append(out, entry{kind: "gauge", text: "cpu reserved"})
	}
	if c.over {
		out = append(out, entry{kind: "load", text: "what the host has, where more is in it for now"})
	}
	for i := range out {
		out[i].text = strings.Join(strings.Fields(out[i].text), " ")
	}
	return out
}

// words are a mark's word for one or several boxes.
func words(m Mark, n int) string {
	one := n == 1
	switch m {
	case Staying:
		return pick(one, "stays", "stay")
	case Arriving:
		return pick(one, "moves in", "move in")
	case Changing:
		return pick(one, "changes in place", "change in place")
	case Leaving:
		return pick(one, "leaves", "leave")
	case Waiting:
		return pick(one, "waits for a place", "wait for a place")
	}
	return m.names().word
}

func pick(one bool, singular, plural string) string {
	if one {
		return singular
	}
	return plural
}

// The legend's measures.
const (
	sampleWide = 24.0
	sampleHigh = 15.0
	legendSize = 11.5
	legendStep = 24.0
	legendHead = 22.0
)

// flow sets the entries into lines of a width, and returns the place of each and the height of all.
func flow(entries []entry, wide float64) (places []rect, height float64) {
	if len(entries) == 0 {
		return nil, 0
	}
	x, y := 0.0, legendHead
	for _, e := range entries {
		w := sampleWide + 7 + width(e.text, legendSize) + 16
		if x > 0 && x+w-16 > wide {
			x, y = 0, y+legendStep
		}
		places = append(places, rect{x, y, x + w, y + sampleHigh})
		x += w
	}
	return places, y + sampleHigh
}

// legend draws the samples with the very classes of what they stand for.
func (p *pen) legend(entries []entry, places []rect, y float64) {
	if len(entries) == 0 {
		return
	}
	p.put("\n"+`<g class="legend" transform="translate(0 %)">`, y)
	l := &level{w: sampleWide, h: sampleHigh, pad: 2.4, seam: 0, line: 1.2}
	for i, e := range entries {
		r := places[i]
		s := rect{r.x0, r.y0, r.x0 + sampleWide, r.y1}
		switch e.kind {
		case "box":
			p.WriteString("\n" + `<g class="box ` + e.box.Mark.names().class + " " + e.box.Health.names().class + `">`)
			seen := inset(s, 1)
			p.rect(seen, "", 2)
			p.boxInside(&e.box, "", seen, l)
			p.WriteString("</g>")
		case "hold":
			p.WriteString("\n" + `<g class="` + e.hold.names().class + `">`)
			room := rect{s.x0 + 4, s.y0 + 2, s.x1 - 4, s.y1 - 2}
			p.rect(room, "room", 0)
			if e.hold == Lost {
				p.put(`<path class="cross" d="M% %L% %M% %L% %"/>`, room.x0, room.y0, room.x1, room.y1, room.x1, room.y0, room.x0, room.y1)
			}
			p.hull(e.hold, room, &deck{level: l})
			p.WriteString("</g>")
		case "gauge":
			p.rect(rect{s.x0 + 9, s.y0, s.x0 + 15, s.y1}, "gauge", 0)
			p.rect(rect{s.x0 + 9, s.y0 + 6, s.x0 + 15, s.y1}, "level", 0)
		case "load":
			p.put(`<path class="load" d="M% %H%" stroke-width="2.6"/>`, s.x0+6, s.y0+sampleHigh/2, s.x1-6)
		default:
			p.rect(s, e.kind, 2)
		}
		p.text(s.x1+7, r.y0+11.5, legendSize, "", e.text)
	}
	p.WriteString("</g>")
}

// defs writes the style's patterns, as fine as the boxes are, and the signs.
func (p *pen) defs(l *level) {
	step := 6.0
	if l.label == 0 {
		step = 3
	}
	hatch := func(id, class, line string, angle, thick float64) {
		p.put(`<pattern id="`+id+`" width="%" height="%" patternUnits="userSpaceOnUse" patternTransform="rotate(%)">`, step, step, angle)
		p.put(`<rect class="`+class+`" width="%" height="%" stroke="none"/>`, step, step)
		p.put(`<path class="`+line+`" d="M0 0V%" stroke-width="%"/></pattern>`, step, thick)
	}
	p.WriteString("<defs>")
	hatch("stw-arriving", "f-arrive", "s-arrive", 45, step/2)
	hatch("stw-stopped", "f-stay", "s-sick", -45, step/2)
	hatch("stw-ballast", "f-ballast", "s-ballast", -45, step/5)
	p.put(`<pattern id="stw-changing" width="%" height="%" patternUnits="userSpaceOnUse">`, step, step)
	p.put(`<rect class="f-change" width="%" height="%" stroke="none"/><circle class="s-change" cx="%" cy="%" r="%"/></pattern>`,
		step, step, step/2, step/2, step/6)
	for _, s := range signs {
		p.WriteString("\n" + `<symbol id="stw-sign-` + s.class + `" viewBox="0 0 10 10" overflow="visible"><path d="` + s.path + `"/></symbol>`)
	}
	p.WriteString("</defs>\n")
}
