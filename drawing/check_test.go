package drawing

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stowage-run/stowage/fleet"
)

// check reads a drawing back and says what is wrong with it: not XML, a box outside its hold or over another, text that runs
// out of its box or off the sheet, a box or hold missing.
func check(p Picture, svg []byte) error {
	s, err := read(svg)
	if err != nil {
		return err
	}
	holds, boxes := 0, len(p.Quay)
	for _, h := range p.Holds {
		holds++
		boxes += len(h.Boxes)
	}
	if s.holds != holds || len(s.boxes) != boxes {
		return fmt.Errorf("got %d holds and %d boxes, want %d and %d", s.holds, len(s.boxes), holds, boxes)
	}
	const hair = 0.011
	inside := func(r, of rect) bool {
		return r.x0 >= of.x0-hair && r.y0 >= of.y0-hair && r.x1 <= of.x1+hair && r.y1 <= of.y1+hair
	}
	byHold := map[int][]drawn{}
	for _, b := range s.boxes {
		if b.hold > 0 && !inside(b.place, s.rooms[b.hold]) {
			return fmt.Errorf("box %q %v is outside its hold %v", b.replica, b.place, s.rooms[b.hold])
		}
		for _, t := range b.texts {
			if !inside(t, b.place) {
				return fmt.Errorf("text %v of box %q is outside %v", t, b.replica, b.place)
			}
		}
		byHold[b.hold] = append(byHold[b.hold], b)
	}
	for _, l := range byHold {
		for i, a := range l {
			for _, b := range l[:i] {
				if min(a.place.x1, b.place.x1)-max(a.place.x0, b.place.x0) > hair && min(a.place.y1, b.place.y1)-max(a.place.y0, b.place.y0) > hair {
					return fmt.Errorf("boxes %q %v and %q %v overlap", a.replica, a.place, b.replica, b.place)
				}
			}
		}
	}
	for _, t := range s.texts {
		if !inside(t, rect{0, 0, s.sheet.x1, s.sheet.y1}) {
			return fmt.Errorf("text %v is off the sheet %v", t, s.sheet)
		}
	}
	return nil
}

// seen is a drawing read back.
type seen struct {
	sheet rect
	holds int
	rooms map[int]rect
	boxes []drawn
	texts []rect
	ids   map[string]bool
}

type drawn struct {
	replica string
	hold    int // 0: on the quay
	place   rect
	texts   []rect
}

// frame is an element that is open.
type frame struct {
	name, class string
	dx, dy      float64
	text        *rect
	size        float64
	end         bool
}

func read(svg []byte) (*seen, error) {
	s := &seen{rooms: map[int]rect{}, ids: map[string]bool{}}
	var stack []frame
	hold, box := 0, -1
	d := xml.NewDecoder(strings.NewReader(string(svg)))
	d.Strict = true
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("not XML: %w", err)
		}
		switch e := tok.(type) {
		case xml.StartElement:
			f := frame{name: e.Name.Local}
			if len(stack) > 0 {
				f.dx, f.dy = stack[len(stack)-1].dx, stack[len(stack)-1].dy
			}
			a := map[string]string{}
			for _, x := range e.Attr {
				a[x.Name.Local] = x.Value
			}
			num := func(name string) float64 {
				x, err := strconv.ParseFloat(a[name], 64)
				if a[name] != "" && err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
					x = math.NaN()
				}
				return x
			}
			if id := a["id"]; id != "" {
				if s.ids[id] {
					return nil, fmt.Errorf("two elements have the id %q", id)
				}
				s.ids[id] = true
			}
			f.class = a["class"]
			words := " " + f.class + " "
			var tx, ty float64
			if n, _ := fmt.Sscanf(a["transform"], "translate(%g %g)", &tx, &ty); n == 2 {
				f.dx, f.dy = f.dx+tx, f.dy+ty
			}
			at := rect{f.dx + num("x"), f.dy + num("y"), f.dx + num("x") + num("width"), f.dy + num("y") + num("height")}
			switch {
			case f.name == "svg":
				fmt.Sscanf(a["viewBox"], "%g %g %g %g", &s.sheet.x0, &s.sheet.y0, &s.sheet.x1, &s.sheet.y1)
			case f.name == "g" && strings.Contains(words, " hold "):
				s.holds++
				hold = s.holds
			case f.name == "g" && strings.Contains(words, " quay "):
				hold = 0
			case f.name == "g" && f.class == "legend":
				box, hold = -1, -1
			case f.name == "g" && strings.Contains(words, " box ") && hold >= 0:
				s.boxes = append(s.boxes, drawn{replica: a["data-replica"], hold: hold})
				box = len(s.boxes) - 1
			case f.name == "rect" && f.class == "room" && hold > 0:
				s.rooms[hold] = at
			case f.name == "rect" && f.class == "" && box >= 0 && hold >= 0:
				if math.IsNaN(at.x0 + at.y0 + at.x1 + at.y1) {
					return nil, fmt.Errorf("box %q has no numbers for a place: %v", s.boxes[box].replica, a)
				}
				s.boxes[box].place = at
			case f.name == "text":
				f.text, f.size, f.end = &at, num("font-size"), a["text-anchor"] == "end"
			}
			stack = append(stack, f)
		case xml.EndElement:
			if f := stack[len(stack)-1]; f.name == "g" && strings.HasPrefix(f.class, "box ") {
				box = -1
			}
			stack = stack[:len(stack)-1]
		case xml.CharData:
			f := stack[max(len(stack)-1, 0):]
			if len(f) == 0 || f[0].text == nil {
				continue
			}
			size := f[0].size
			if strings.Contains(f[0].class, "strong") {
				size *= bolder
			}
			w := width(string(e), size)
			t := rect{f[0].text.x0, f[0].text.y0 - f[0].size*0.75, f[0].text.x0 + w, f[0].text.y0}
			if f[0].end {
				t.x0, t.x1 = t.x0-w, t.x0
			}
			if box >= 0 && hold >= 0 {
				s.boxes[box].texts = append(s.boxes[box].texts, t)
			}
			s.texts = append(s.texts, t)
		}
	}
	if s.sheet.x1 <= 0 {
		return nil, errors.New("no viewBox")
	}
	return s, nil
}

func TestAnyPicture(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyPicture().Draw(t, "picture")
		if err := check(p, Draw(p)); err != nil {
			t.Fatal(err)
		}
	})
}

// The area of a box is to that of its room as its memory is to the host's, and in a hold that holds too much all are
// smaller alike.
func TestAreasAreMemory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := anyHold().Draw(t, "hold")
		room := rect{10, 20, 310, 260}
		c := load(&h, room, float64(8*fleet.GiB))
		capacity, kept, used := max(float64(h.Capacity.Memory), 0), 0.0, 0.0
		if capacity > 0 {
			kept = min(max(float64(h.Reserve.Memory), 0), capacity)
		}
		for _, b := range h.Boxes {
			used += max(float64(b.Memory), 0)
		}
		if len(c.places) != len(h.Boxes) {
			t.Fatalf("got %d places for %d boxes", len(c.places), len(h.Boxes))
		}
		whole := room.w() * room.h()
		scale := 0.0 // area of a byte, by the first box that has memory
		bare := 0
		for i, b := range c.boxes {
			area := c.places[i].w() * c.places[i].h()
			if b.Memory <= 0 {
				bare++
				if area <= 0 {
					t.Fatalf("a box without a reserve has no area")
				}
				continue
			}
			if scale == 0 {
				scale = area / float64(b.Memory)
			}
			if want := scale * float64(b.Memory); math.Abs(area-want) > 1e-6*whole {
				t.Fatalf("box %d of %d bytes has the area %v, want %v as the others", i, b.Memory, area, want)
			}
		}
		if scale == 0 || capacity == 0 {
			return
		}
		// A hold with room enough is drawn to scale; one with too much is full, and not beyond what small boxes take.
		honest := whole / capacity
		if fits := used+kept <= capacity; fits && scale < honest/(1+crowdShare)-1e-9*honest || scale > honest*(1+1e-6) {
			t.Fatalf("a byte has the area %v, want %v: capacity %v, kept %v, used %v", scale, honest, capacity, kept, used)
		}
		if fits := used+kept+capacity*crowdShare <= capacity; fits && math.Abs(scale-honest) > 1e-6*honest {
			t.Fatalf("a hold with room to spare is not to scale: %v, want %v", scale, honest)
		}
		if (used+kept > capacity*1.07) != (c.line > 0) && math.Abs(used+kept-capacity*1.07) > capacity*0.07 {
			t.Fatalf("load line at %v: capacity %v, kept %v, used %v", c.line, capacity, kept, used)
		}
	})
}

func anyMemory() *rapid.Generator[fleet.Bytes] {
	return rapid.OneOf(
		rapid.Just(fleet.Bytes(0)),
		rapid.Map(rapid.Int64Range(1, 64), func(n int64) fleet.Bytes { return fleet.Bytes(n) * 128 * fleet.MiB }),
		rapid.Map(rapid.Int64(), func(n int64) fleet.Bytes { return fleet.Bytes(n) }),
	)
}

func usualMemory() *rapid.Generator[fleet.Bytes] {
	return rapid.Map(rapid.Int64Range(-1, 200), func(n int64) fleet.Bytes { return fleet.Bytes(n) * 32 * fleet.MiB })
}

func anyBox(m *rapid.Generator[fleet.Bytes]) *rapid.Generator[Box] {
	return rapid.Custom(func(t *rapid.T) Box {
		return Box{
			Replica: rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z]{1,20}\[[0-9]{1,4}\]`)).Draw(t, "replica"),
			Memory:  m.Draw(t, "memory"),
			CPU:     fleet.CPU(rapid.Int64Range(-1, 9000).Draw(t, "cpu")),
			Mark:    Mark(rapid.IntRange(-1, 7).Draw(t, "mark")),
			Other:   rapid.String().Draw(t, "other"),
			Health:  Health(rapid.IntRange(-1, 7).Draw(t, "health")),
			Facts:   rapid.SliceOfN(rapid.String(), 0, 2).Draw(t, "facts"),
		}
	})
}

func anyHold() *rapid.Generator[Hold] { return holdOf(usualMemory(), 60) }

func holdOf(m *rapid.Generator[fleet.Bytes], boxes int) *rapid.Generator[Hold] {
	return rapid.Custom(func(t *rapid.T) Hold {
		return Hold{
			Host:     rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z0-9-]{1,30}`)).Draw(t, "host"),
			Address:  rapid.String().Draw(t, "address"),
			Group:    rapid.SampledFrom([]string{"", "eu-a", "eu-b", "\x00<", strings.Repeat("M", 90)}).Draw(t, "group"),
			Capacity: fleet.Resources{Memory: m.Draw(t, "capacity"), CPU: fleet.CPU(rapid.Int64Range(-1, 64000).Draw(t, "cores"))},
			Reserve:  fleet.Resources{Memory: m.Draw(t, "reserve") / 16},
			State:    State(rapid.IntRange(-1, 7).Draw(t, "state")),
			Boxes:    rapid.SliceOfN(anyBox(m), 0, boxes).Draw(t, "boxes"),
		}
	})
}

func anyPicture() *rapid.Generator[Picture] {
	return rapid.Custom(func(t *rapid.T) Picture {
		m := rapid.SampledFrom([]*rapid.Generator[fleet.Bytes]{usualMemory(), anyMemory()}).Draw(t, "sizes")
		p := Picture{
			Title:    rapid.String().Draw(t, "title"),
			Subtitle: rapid.String().Draw(t, "subtitle"),
			GroupBy:  rapid.SampledFrom([]string{"", "zone"}).Draw(t, "by"),
			Quay:     rapid.SliceOfN(anyBox(m), 0, 8).Draw(t, "quay"),
		}
		most := rapid.SampledFrom([]int{1, 3, 12, 40, 130}).Draw(t, "hosts")
		p.Holds = rapid.SliceOfN(holdOf(m, min(20, 200/most)), 0, most).Draw(t, "holds")
		return p
	})
}
