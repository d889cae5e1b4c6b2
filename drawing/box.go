package drawing

import (
	"slices"
	"strings"
)

// box draws one box at its place.
func (p *pen) box(b *Box, host string, place rect, l *level) {
	mark, health := b.Mark.names(), b.Health.names()
	replica := clean(b.Replica)
	p.WriteString("\n" + `<g class="box ` + mark.class)
	if health.class != "" {
		p.WriteString(" " + health.class)
	}
	if b.Memory <= 0 {
		p.WriteString(" bare")
	}
	p.WriteString(`"`)
	if host != "" {
		p.attr("data-host", host)
	}
	p.attr("data-replica", replica)
	p.WriteString(">")
	p.title(b.says(replica, host)...)

	line := l.line
	if b.Mark != Staying || b.Health == Unhealthy || b.Health == Stopped {
		line *= 1.4
	}
	seen := inset(place, l.seam/2+line/2)
	p.put(`<rect x="%" y="%" width="%" height="%" stroke-width="%"`, hundredths(seen.x0), hundredths(seen.y0),
		max(hundredths(seen.x1)-hundredths(seen.x0), 0), max(hundredths(seen.y1)-hundredths(seen.y0), 0), line)
	if l.label > 0 {
		p.put(` rx="%"`, min(2, seen.w()/4, seen.h()/4))
	}
	p.WriteString("/>")
	p.boxInside(b, replica, seen, l)
	p.WriteString("</g>")
}

// inset makes a place smaller on all sides, and keeps at least half of it.
func inset(r rect, by float64) rect {
	dx, dy := min(by, r.w()/4), min(by, r.h()/4)
	return rect{r.x0 + dx, r.y0 + dy, r.x1 - dx, r.y1 - dy}
}

// boxInside writes a box's label and signs as far as there is room.
func (p *pen) boxInside(b *Box, replica string, seen rect, l *level) {
	marked, ill := b.Mark != Staying, b.Health >= Starting && b.Health <= Unknown
	side := min(11, max(l.label, 7), seen.w()-2, seen.h()-2)
	if side < 4 {
		marked, ill = false, false
	}
	if l.label == 0 {
		p.signs(b, seen, side, marked, ill)
		return
	}
	const rim = 4.0
	room := seen.w() - 2*rim
	size := l.label
	for size > 0.8*l.label && width(replica, size) > room {
		size -= 0.5
	}
	step := size * 1.25
	low := seen.h() >= rim+step+side+3 // room for signs below the name
	taken := 0.0
	if (marked || ill) && !low {
		taken = side + 2
	}
	lines := b.lines(replica, size, room, taken)
	if fit := max(int((seen.h()-3)/step), 0); len(lines) > fit {
		lines = lines[:fit]
	}
	if len(lines) == 0 {
		p.signs(b, seen, side, marked, ill)
		return
	}
	y := seen.y0 + (seen.h()-float64(len(lines))*step)/2 + size*0.98
	if low || seen.h() > 3.5*step {
		y = seen.y0 + rim + size*0.85
	}
	// Signs stand below the lines that would run into them, or beside the name.
	x, top := seen.x1-side-3, seen.y0+min(3.5, (seen.h()-side)/2)
	if low {
		top = seen.y1 - side - 3
	}
	for i, s := range lines {
		small, class := size*0.86, "soft"
		if i == 0 {
			small, class = size, ""
		}
		base := y + float64(i)*step
		if low && (marked || ill) && base > top-1 && seen.x0+rim+width(s, small) > x-signsWide(side, marked, ill) {
			break
		}
		p.text(seen.x0+rim, base, small, class, s)
	}
	if ill {
		p.sign(x, top, side, b.Health.names().class, b.Health.signClass())
		x -= side + 2
	}
	if marked && (low || !ill) {
		p.sign(x, top, side, b.Mark.names().class, "sign")
	}
}

// signsWide is what a second sign beside the first takes.
func signsWide(side float64, marked, ill bool) float64 {
	if marked && ill {
		return side + 2
	}
	return 0
}

// signs writes signs alone, in the middle of a box: how it is matters more than what becomes of it.
func (p *pen) signs(b *Box, seen rect, side float64, marked, ill bool) {
	x, y := (seen.x0+seen.x1-side)/2, (seen.y0+seen.y1-side)/2
	switch {
	case marked && ill && seen.w() >= 2*side+5:
		p.sign(x-side/2-1, y, side, b.Mark.names().class, "sign")
		p.sign(x+side/2+1, y, side, b.Health.names().class, b.Health.signClass())
	case ill:
		p.sign(x, y, side, b.Health.names().class, b.Health.signClass())
	case marked:
		p.sign(x, y, side, b.Mark.names().class, "sign")
	}
}

// lines are the lines of a box's label, each short enough: the replica, where it moves, its memory. The first leaves taken
// of the room to signs, and the second too.
func (b *Box) lines(replica string, size, room, taken float64) []string {
	name := replicaLabel(replica, size, room-taken)
	if name == "" {
		return nil
	}
	lines := []string{name}
	small := size * 0.86
	if other := clean(b.Other); other != "" && (b.Mark == Arriving || b.Mark == Leaving) {
		word := "from "
		if b.Mark == Leaving {
			word = "to "
		}
		if s := shorten(other, small, room-taken-width(word, small), 4); s == other || strings.IndexRune(s, '…') >= 2 {
			lines = append(lines, word+s)
		}
	}
	if b.Memory > 0 {
		if s := memory(b.Memory); width(s, small) <= room-taken {
			lines = append(lines, s)
		}
	}
	return lines
}

// says is what the reader learns who points at a box.
func (b *Box) says(replica, host string) []string {
	what := b.Mark.names().word
	if b.Mark == Staying {
		what = ""
	}
	if other := clean(b.Other); other != "" {
		switch b.Mark {
		case Arriving:
			what = "moves here from " + other
		case Leaving:
			what = "moves to " + other
		}
	}
	head := replica
	if host != "" {
		head += " on " + host
	}
	for i, s := range nonEmpty(what, b.Health.names().word) {
		head += [2]string{": ", ", "}[min(i, 1)] + s
	}
	var asks []string
	if b.Memory > 0 {
		asks = append(asks, "memory "+memory(b.Memory))
	}
	if b.CPU > 0 {
		asks = append(asks, "cpu "+b.CPU.String())
	}
	lines := []string{head, "reserves no memory and no cpu"}
	if len(asks) > 0 {
		lines[1] = "reserves " + strings.Join(asks, ", ")
	}
	for _, f := range b.Facts {
		lines = append(lines, clean(f))
	}
	return lines
}

// signClass is the class of a health's sign. Who starts is not ill.
func (h Health) signClass() string {
	if h == Starting {
		return "sign"
	}
	return "sign health"
}

func nonEmpty(list ...string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}
