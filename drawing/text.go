package drawing

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stowage-run/stowage/fleet"
)

// longest bounds each text from outside, in characters: a name is not worth more on a drawing.
const longest = 240

// clean makes a text from outside fit for one line of XML: without control, formatting and private characters (which turn the
// direction of writing or are not XML), runs of blanks as one, and not longer than is of use.
func clean(s string) string {
	var b strings.Builder
	n, blank := 0, false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			blank = b.Len() > 0
			continue
		case r == utf8.RuneError, unicode.Is(unicode.C, r), r&0xfffe == 0xfffe, r >= 0xfdd0 && r <= 0xfdef:
			continue
		}
		if n++; n > longest {
			b.WriteString("…")
			break
		}
		if blank {
			b.WriteByte(' ')
			blank = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;")

// escape makes a clean text fit for XML, in elements and attributes.
func escape(s string) string { return escaper.Replace(s) }

// The widths of characters in thousandths of the font's size: those of Verdana and DejaVu Sans, the widest that a system is
// likely to take for sans-serif. What fits by them fits in Arial or Segoe with room to spare.
const (
	narrowest = 350  // ijl and marks
	narrow    = 460  // frt, brackets and blanks
	plain     = 645  // most small letters, digits
	wide      = 850  // capitals, w
	widest    = 1080 // m, W, %
	ideogram  = 1250 // whatever else: full width, and some for fonts that stand in

	bolder = 1.2 // how much wider bold is
)

func runeWidth(r rune) float64 {
	switch {
	case strings.ContainsRune("ijl!.,:;'`", r):
		return narrowest
	case strings.ContainsRune("frtI()[]{}-/|\\ ·\"", r):
		return narrow
	case strings.ContainsRune("mWM%@…→←", r):
		return widest
	case r >= 'A' && r <= 'Z', strings.ContainsRune("w+<>=~#&", r):
		return wide
	case r < 0x7f:
		return plain
	}
	return ideogram
}

// width is at least as much as the text takes in any usual font, in units of the drawing.
func width(s string, size float64) float64 {
	w := 0.0
	for _, r := range s {
		w += runeWidth(r)
	}
	return w * size / 1000
}

// shorten cuts a text to a width. What is left out is in the middle, since names that begin alike differ in their ends; the
// last keep characters stay. It returns nothing where not even that fits.
func shorten(s string, size, room float64, keep int) string {
	if s == "" || width(s, size) <= room {
		return s
	}
	runes := []rune(s)
	keep = min(keep, len(runes)-1)
	tail := string(runes[max(len(runes)-keep, 0):])
	for head := len(runes) - keep - 1; head >= 0; head-- {
		if short := strings.TrimRight(string(runes[:head]), " ") + "…" + tail; width(short, size) <= room {
			return short
		}
	}
	return ""
}

// replicaLabel shortens a replica's address and keeps its number, which is what tells it from its neighbours:
// "checkout-api[12]", "chec…[12]", "[12]", nothing.
func replicaLabel(s string, size, room float64) string {
	if s == "" || width(s, size) <= room {
		return s
	}
	number := ""
	if open := strings.LastIndexByte(s, '['); open > 0 {
		number = s[open:]
	}
	if short := shorten(s, size, room, utf8.RuneCountInString(number)); strings.IndexRune(short, '…') >= 3 {
		return short
	}
	if number != "" && width(number, size) <= room {
		return number
	}
	return ""
}

// memory writes a size as people compare it: 210MiB, 1.5GiB, 12GiB.
func memory(b fleet.Bytes) string {
	switch {
	case b <= 0:
		return "0"
	case b < fleet.MiB:
		return "under 1MiB"
	case b < fleet.GiB:
		return fmt.Sprintf("%dMiB", b/fleet.MiB)
	case b < 10*fleet.GiB:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(b)/float64(fleet.GiB)), ".0") + "GiB"
	case b < 10*fleet.TiB:
		return fmt.Sprintf("%dGiB", b/fleet.GiB)
	}
	return fmt.Sprintf("%dTiB", b/fleet.TiB)
}

// of writes an amount before its limit in one unit where that is possible: "1.5 of 8GiB".
func of(used, limit fleet.Bytes) string {
	a, b := memory(used), memory(limit)
	for _, unit := range []string{"MiB", "GiB", "TiB"} {
		if strings.HasSuffix(a, unit) && strings.HasSuffix(b, unit) {
			a = strings.TrimSuffix(a, unit)
		}
	}
	return a + " of " + b
}

// number counts things: "1 host", "3 hosts".
func number(n int, what, several string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %s", n, several)
}
