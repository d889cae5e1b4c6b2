package drawing

import (
	"bytes"
	"math"
	"strconv"
	"strings"
)

// pen writes elements. Its text arguments are clean and not yet escaped.
type pen struct{ bytes.Buffer }

// num writes a length with at most two decimals: a hundredth of a unit is finer than any screen.
func num(x float64) string {
	s := strconv.FormatFloat(math.Round(x*100)/100, 'f', 2, 64)
	s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	if s == "-0" || s == "" {
		return "0"
	}
	return s
}

// put writes a piece of markup in which each % stands for the next of the lengths.
func (p *pen) put(format string, lengths ...float64) {
	for _, x := range lengths {
		before, after, _ := strings.Cut(format, "%")
		p.WriteString(before)
		p.WriteString(num(x))
		format = after
	}
	p.WriteString(format)
}

// attr writes one attribute.
func (p *pen) attr(name, value string) {
	p.WriteString(" " + name + `="` + escape(value) + `"`)
}

// title writes what the reader sees who points at the element around it: a line each.
func (p *pen) title(lines ...string) {
	var said []string
	for _, l := range lines {
		if l != "" {
			said = append(said, escape(l))
		}
	}
	if len(said) > 0 {
		p.WriteString("<title>" + strings.Join(said, "\n") + "</title>")
	}
}

// text writes a text that begins at a place, its base line at y.
func (p *pen) text(x, y, size float64, class, s string) {
	p.anchored(x, y, size, class, "", s)
}

// textEnd writes a text that ends at a place.
func (p *pen) textEnd(x, y, size float64, class, s string) {
	p.anchored(x, y, size, class, "end", s)
}

func (p *pen) anchored(x, y, size float64, class, anchor, s string) {
	if s == "" {
		return
	}
	p.put(`<text x="%" y="%" font-size="%"`, x, y, size)
	if class != "" {
		p.attr("class", class)
	}
	if anchor != "" {
		p.attr("text-anchor", anchor)
	}
	p.WriteString(">" + escape(s) + "</text>")
}

// rect writes a rectangle; round is the radius of its corners.
func (p *pen) rect(r rect, class string, round float64) {
	// Edges are rounded, not sizes: what touches goes on touching, and does not overlap.
	x0, y0, x1, y1 := hundredths(r.x0), hundredths(r.y0), hundredths(r.x1), hundredths(r.y1)
	p.put(`<rect x="%" y="%" width="%" height="%"`, x0, y0, max(x1-x0, 0), max(y1-y0, 0))
	if class != "" {
		p.attr("class", class)
	}
	if round > 0 {
		p.put(` rx="%"`, round)
	}
	p.WriteString("/>")
}

func hundredths(x float64) float64 { return math.Round(x*100) / 100 }

// sign writes a sign in a square.
func (p *pen) sign(x, y, size float64, name, class string) {
	p.put(`<use href="#stw-sign-`+name+`" class="`+class+`" x="%" y="%" width="%" height="%"/>`, x, y, size, size)
}
