package drawing

import (
	"fmt"
	"strings"

	"github.com/stowage-run/stowage/fleet"
)

// hold draws one host and what is in it.
func (p *pen) hold(h *Hold, id string, cell rect, d *deck, scale float64) {
	host := clean(h.Host)
	room := d.room(cell)
	c := load(h, room, scale)
	p.WriteString("\n" + `<g class="hold ` + h.State.names().class)
	if h.Capacity.Memory <= 0 {
		p.WriteString(" unscaled")
	}
	p.WriteString(`"`)
	p.attr("id", id)
	p.attr("data-host", host)
	p.WriteString(">")
	p.title(h.says(host)...)
	p.rect(room, "room", 0)
	if c.ballast.h() > 0 {
		p.rect(c.ballast, "ballast", 0)
	}
	p.holdHead(h, host, cell, d)
	p.gaugeOf(h, room, d)
	if h.State == Lost {
		p.put(`<path class="cross" d="M% %L% %M% %L% %"`, room.x0, room.y0, room.x1, room.y1, room.x1, room.y0, room.x0, room.y1)
		p.put(` stroke-width="%"/>`, d.line)
	}
	for i := range c.boxes {
		p.box(&c.boxes[i], host, c.places[i], d.level)
	}
	p.hull(h.State, room, d)
	if c.line > 0 {
		// At the hull's sides alone, like a ship's load marks: across the hold it would strike out names.
		p.put(`<path class="load" d="M% %H%M% %H%"`, room.x0-2*d.pad, c.line, room.x0, room.x1, c.line, room.x1+2*d.pad)
		p.put(` stroke-width="%"/>`, d.pad/2)
	}
	p.WriteString("</g>")
}

// hull draws a hold's section: open at the top, with the rims of its hatch, round at the bilges. A hold that takes nothing
// new has its hatch closed, and one that is emptied half open.
func (p *pen) hull(s State, room rect, d *deck) {
	out := d.pad * 0.62                           // from the room to the middle of the plating
	bilge := min(out*3.1, d.w*0.2)                // as round as the room's corners allow
	rim, plate := d.pad*0.75, max(d.pad*0.5, 0.7) // of the hatch; of the hull
	l, r, top, bottom := room.x0-out, room.x1+out, room.y0, room.y1+out
	p.put(`<path class="hull" d="M% %H%V%Q% % % %H%Q% % % %V%H%"`, l-rim, top, l, bottom-bilge, l, bottom, l+bilge, bottom,
		r-bilge, r, bottom, r, bottom-bilge, top, r+rim)
	p.put(` stroke-width="%"/>`, plate)
	lid := rect{l - rim/2, top - d.pad*0.9, r + rim/2, top - d.pad*0.15}
	switch s {
	case Cordoned:
		p.rect(lid, "hatch", d.pad*0.2)
	case Drained: // open as far as it takes to get out
		third := lid.w() / 3
		p.rect(rect{lid.x0, lid.y0, lid.x0 + third, lid.y1}, "hatch", d.pad*0.2)
		p.rect(rect{lid.x1 - third, lid.y0, lid.x1, lid.y1}, "hatch", d.pad*0.2)
	}
}

// holdHead writes a hold's name and figures above it.
func (p *pen) holdHead(h *Hold, host string, cell rect, d *deck) {
	if d.name == 0 {
		return
	}
	right := cell.x1 - d.gauge()
	word, sign := h.State.names().word, stateSign(h.State)
	base := cell.y0 + d.name
	switch {
	case word != "" && d.fine > 0:
		p.textEnd(right, base, d.fine, "soft strong", word)
		right -= width(word, d.fine*bolder) + 6
	case sign != "":
		p.sign(right-d.name, base-d.name*0.85, d.name, sign, "sign")
		right -= d.name + 1
	}
	p.text(cell.x0, base, d.name, "strong", shorten(host, d.name*bolder, right-cell.x0, 4))
	if d.fine == 0 {
		return
	}
	right, base = cell.x1, base+d.fine*1.35
	used, n := h.usage()
	load := number(n, "replica", "replicas")
	switch {
	case h.Capacity.Memory > 0:
		load = of(used.Memory, h.offered().Memory)
	case used.Memory > 0:
		load += ", " + memory(used.Memory)
	}
	cpu := ""
	if used.CPU > 0 || h.Capacity.CPU > 0 {
		cpu = "cpu " + used.CPU.String()
		if h.Capacity.CPU > 0 {
			cpu += " of " + h.offered().CPU.String()
		}
	}
	if width(load, d.fine)+width(cpu, d.fine)+8 <= right-cell.x0 {
		p.textEnd(right, base, d.fine, "soft", cpu)
		right -= width(cpu, d.fine) + 8
	}
	if long := "memory " + load; h.Capacity.Memory > 0 && width(long, d.fine) <= right-cell.x0 {
		load = long
	}
	p.text(cell.x0, base, d.fine, "soft", shorten(load, d.fine, right-cell.x0, 6))
}

// stateSign is the sign of a state where there is no room for its word.
func stateSign(s State) string {
	switch s {
	case Drained:
		return "leaving"
	case Unreachable:
		return "unknown"
	case Added:
		return "new"
	}
	return "" // a closed hatch and a crossed hold need none
}

// gaugeOf draws how much of the processor is reserved, as a scale at the hold's side.
func (p *pen) gaugeOf(h *Hold, room rect, d *deck) {
	if d.gauge() == 0 || h.offered().CPU <= 0 {
		return
	}
	used, _ := h.usage()
	x := room.x1 + d.pad + d.gauge() - d.pad*0.75
	scale := rect{x, room.y0, x + d.pad*0.75, room.y1}
	share := min(float64(used.CPU)/float64(h.offered().CPU), 1)
	p.rect(scale, "gauge", 0)
	if share > 0 {
		scale.y0 = scale.y1 - scale.h()*share
		p.rect(scale, "level", 0)
	}
}

// offered is what is left for replicas of what the host has.
func (h *Hold) offered() fleet.Resources {
	r := h.Capacity
	if r.Memory > 0 {
		r.Memory = max(r.Memory-max(h.Reserve.Memory, 0), 0)
	}
	if r.CPU > 0 {
		r.CPU = max(r.CPU-max(h.Reserve.CPU, 0), 0)
	}
	return r
}

// says is what the reader learns who points at a hold.
func (h *Hold) says(host string) []string {
	head := host
	if a := clean(h.Address); a != "" {
		head += " at " + a
	}
	if w := h.State.names().word; w != "" {
		head += ", " + w
	}
	used, n := h.usage()
	lines := []string{head, number(n, "replica", "replicas")}
	if h.Capacity.Memory > 0 {
		lines = append(lines, "memory "+of(used.Memory, h.offered().Memory)+" reserved")
	} else {
		lines = append(lines, "memory "+memory(used.Memory)+" reserved; how much there is is not known")
	}
	if h.Capacity.CPU > 0 {
		lines = append(lines, fmt.Sprintf("cpu %s of %s reserved", used.CPU, h.offered().CPU))
	} else if used.CPU > 0 {
		lines = append(lines, "cpu "+used.CPU.String()+" reserved")
	}
	for _, f := range h.Facts {
		lines = append(lines, clean(f))
	}
	return lines
}

// holdID makes an id of a host's name. Different names have different ids: what an id cannot hold is written as its
// number.
func holdID(host string) string {
	var b strings.Builder
	b.WriteString("hold-")
	for _, r := range host {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '.':
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "_%x_", r)
		}
	}
	return b.String()
}
