package observer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestViolations(t *testing.T) {
	floor := func(n int) func(Timeline) []Violation {
		return func(l Timeline) []Violation { return l.Floor("web", n, Span{}) }
	}
	ceiling := func(n int) func(Timeline) []Violation {
		return func(l Timeline) []Violation { return l.Ceiling("web", n, Span{}) }
	}
	overlaps := func(l Timeline) []Violation { return l.Overlaps("web", Span{}) }
	for name, test := range map[string]struct {
		timeline, want string
		ask            func(Timeline) []Violation
	}{
		"a steady workload keeps its floor": {`
			h1 0 web0g1+
			h1 100 web0g1+
			h1 200 web0g1+`, ``, floor(1)},
		"one answer that is not healthy breaks it": {`
			h1 0 web0g1+
			h1 100-110 web0g1-
			h1 200 web0g1+`, "100-110 web: 0 healthy, want at least 1: h1/web-0-g1\n", floor(1)},
		"several in a row are one violation, which ends with the last of them": {`
			h1 0 web0g1+ web1g1+
			h1 100-105 web0g1- web1g1+
			h1 200 web0g1x web1g1-
			h1 300-301 web1g1+
			h1 400 web0g2+ web1g1+
			h1 500 web0g2+ web1g1+`, "100-301 web: 0 healthy, want at least 2: h1/web-0-g1 h1/web-1-g1\n", floor(2)},
		"an old one that is healthy stands in for the new one of its slot": {`
			h1 0 web0g1+
			h1 100 web0g1+ web0g2-
			h1 200 web0g1+ web0g2+
			h1 300 web0g2+
			h1 400 web0g2+`, ``, floor(1)},
		"two healthy ones of one slot are one": {`
			h1 0 web0g1+ web0g2+ web1g1-
			h1 100 web0g1+ web0g2+ web1g1-`, "0-100 web: 1 healthy, want at least 2: h1/web-0-g1 h1/web-0-g2 h1/web-1-g1\n", floor(2)},
		"a move that is seen late on one host is no break": {`
			h1 0 web0g1+
			h2 10
			h1 100
			h2 110 web0g2+
			h1 200
			h2 210 web0g2+`, ``, floor(1)},
		"a new one may be there since before a slow answer without it": {`
			h1 0 web0g1+
			h2 0
			h2 50-150
			h1 100
			h1 200
			h2 250 web0g2+
			h1 300`, ``, floor(1)},
		"an old one may be there until the end of a slow answer without it": {`
			h1 0 web0g1+
			h2 0
			h1 90-200
			h2 100
			h2 250 web0g2+
			h1 300
			h2 350`, ``, floor(1)},
		"a move with a look at both between is a break": {`
			h1 0 web0g1+
			h2 10
			h1 100
			h2 110
			h1 200
			h2 210 web0g2+
			h1 300
			h2 310 web0g2+`, "100-110 web: 0 healthy, want at least 1:\n", floor(1)},
		"an engine that does not answer is no proof": {`
			h1 0 web0g1+
			h1 100 ?
			h1 200 ?
			h1 300 web0g1+`, ``, floor(1)},
		"nor is one that never answers again": {`
			h1 0 web0g1+
			h1 100 ?
			h1 200 ?`, ``, floor(1)},
		"what ends elsewhere meanwhile is, with the gap named": {`
			h1 0 web0g1+
			h2 0 web1g1+
			h1 100 ?
			h2 100 web1g1x
			h1 200 ?
			h2 200 web1g1x
			h1 300 web0g1+
			h2 300 web1g1x`, "100-300 web: 1 healthy, want at least 2: h2/web-1-g1 h1?\n", floor(2)},
		"who is not asked may be healthy": {`
			h1 0 web0g1.
			h1 100 web0g1.`, ``, floor(1)},
		"a slot that is not there is missing": {`
			h1 0 web0g1+
			h1 100 web0g1+`, "0-100 web: 1 healthy, want at least 2: h1/web-0-g1\n", floor(2)},

		"as many as allowed": {`
			h1 0 web0g1+ web0g2+
			h1 100 web0g1+ web0g2+`, ``, ceiling(2)},
		"too many in a single answer": {`
			h1 0 web0g1+
			h1 100-110 web0g1+ web0g2+ web1g1.
			h1 200 web0g1+`, "100-110 web: 3 live, want at most 2: h1/web-0-g1 h1/web-0-g2 h1/web-1-g1\n", ceiling(2)},
		"the ended and the made are not live": {`
			h1 0 web0g1+ web0g2x
			h1 100 web0g1+ web0g2x`, ``, ceiling(1)},
		"two hosts that take over between two looks": {`
			h1 0 web0g1+
			h2 50
			h1 100 web0g1+
			h2 150 web0g2+
			h1 200
			h2 250 web0g2+
			h1 300`, ``, ceiling(1)},
		"two hosts that overlap": {`
			h1 0 web0g1+
			h2 50
			h1 100 web0g1+
			h2 150 web0g2+
			h1 200 web0g1+
			h2 250 web0g2+
			h1 300`, "150-200 web: 2 live, want at most 1: h1/web-0-g1 h2/web-0-g2\n", ceiling(1)},
		"slow answers prove nothing of the time they took": {`
			h1 0 web0g1+
			h2 0
			h1 100 web0g1+
			h2 90-300 web0g2+
			h1 200-400
			h2 310 web0g2+
			h1 410`, ``, ceiling(1)},
		"in a gap nothing is sure": {`
			h1 0 web0g1+
			h2 0
			h1 100 ?
			h2 100 web0g2+
			h1 200 ?
			h2 200
			h1 300 web0g1+
			h2 300`, ``, ceiling(1)},
		"after a gap it is again": {`
			h1 0 web0g1+
			h2 0
			h1 100 ?
			h1 200 web0g1+
			h2 250 web0g2+
			h1 300 web0g1+
			h2 350 web0g2+
			h1 400 web0g1+`, "250-350 web: 2 live, want at most 1: h1/web-0-g1 h2/web-0-g2\n", ceiling(1)},
		"in a long silence nothing is sure": {`
			h1 0 web0g1+
			h2 0
			h2 900 web0g2+
			h2 1000 web0g2+
			h1 1900 web0g1+
			h2 1900`, ``, ceiling(1)},

		"two generations of a slot": {`
			h1 0 web0g1+ web1g1+
			h1 100 web0g1+ web0g2- web1g1+
			h1 200 web0g1+ web0g2+ web1g1+
			h1 300 web0g2+ web1g1+`, "100-200 web[0]: 2 live at once: h1/web-0-g1 h1/web-0-g2\n", overlaps},
		"one generation on two hosts": {`
			h1 0 web0g1+
			h2 0 web0g1+
			h1 100 web0g1+
			h2 100`, "0-0 web[0]: 2 live at once: h1/web-0-g1 h2/web-0-g1\n", overlaps},
		"one after the other": {`
			h1 0 web0g1+
			h1 100 web0g1x web0g2+
			h1 200 web0g2+`, ``, overlaps},
		"other workloads do not count": {`
			h1 0 web0g1+ db0g1+
			h1 100 web0g1+ db0g1+`, ``, ceiling(1)},

		"all is well at rest": {`
			h1 0 web0g1+
			h2 0 web1g4+`, ``, rest},
		"nothing is well at rest": {`
			h1 0 web0g1+ web0g2x db0g1+
			h2 0 web2g1+
			h3 0 ?`, "0-0 nothing is known of h3: h3?\n0-0 orphan: h1/db-0-g1\n0-0 orphan: h2/web-2-g1\n" +
			"0-0 web[0]: duplicate: h1/web-0-g1 h1/web-0-g2\n0-0 web[1]: none is live:\n", rest},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, text(test.ask(parse(t, test.timeline)))); diff != "" {
				t.Errorf("violations (-want +got):\n%s", diff)
			}
		})
	}
}

func rest(l Timeline) []Violation { return l.Rest(at(0), map[string]int{"web": 2}) }

func TestBounds(t *testing.T) {
	l := parse(t, `
		h1 0 web0g1+
		h2 10 web1g1+
		h1 100 web0g1+
		h2 110 ?
		h1 200 web0g1-
		h2 210 web1g1+ web1g2.
		h1 300 web0g1-
		h2 310 web1g2.`)
	healthy, live := l.Healthy("web", Span{}), l.Live("web", Span{})
	got := fmt.Sprintln(Least(healthy)) + fmt.Sprintln(Most(healthy)) + fmt.Sprintln(Least(live)) + fmt.Sprintln(Most(live))
	// web[0] is surely unhealthy from 200 on, and web[1] may have been so from 110 on.
	if diff := cmp.Diff("0 1\n2 2\n1 2\n3 3\n", got); diff != "" {
		t.Errorf("least and most healthy, least and most live (-want +got):\n%s", diff)
	}
	if got := l.Floor("web", 2, between(0, 190)); len(got) > 0 {
		t.Errorf("within the time that was asked for: %v", got)
	}
}

// What is not known before the first answer and after the last question does not lower what was there all the time.
func TestBoundsOfWhatIsSteady(t *testing.T) {
	l := parse(t, `
		h1 0-20 web0g1+
		h2 5-30 web1g1+
		h1 100-120 web0g1+
		h2 105-130 web1g1+
		h1 200-220 web0g1+
		h2 205-230 web1g1+`)
	if got, want := l.Observed(), between(30, 200); got != want {
		t.Errorf("observed %v, want %v", got, want)
	}
	if low, high := Least(l.Healthy("web", Span{})); low != 2 || high != 2 {
		t.Errorf("least healthy %d..%d, want 2", low, high)
	}
}

func TestGaps(t *testing.T) {
	l := parse(t, `
		h1 0-10
		h1 100 ?
		h1 200 ?
		h1 300
		h1 400
		h1 1500
		h1 1600 ?
		h2 0 ?
		h2 1700 ?
		h3 0
		h3 900
		h3 1800`)
	var got strings.Builder
	for _, g := range l.Gaps(Span{at(0), at(1800)}) {
		fmt.Fprintln(&got, g.Host, g.From.Sub(began).Milliseconds(), g.To.Sub(began).Milliseconds(), g.Err)
	}
	want := "h1 10 300 silence\nh1 400 1500 \nh1 1500 1600 silence\nh2 0 1700 silence\n"
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
	if got := l.Gaps(between(310, 390)); len(got) != 1 || got[0].Host != "h2" {
		t.Errorf("gaps between two answers of h1: %v, want those of h2 only", got)
	}
}

func TestHostThatIsOff(t *testing.T) {
	l := parse(t, `
		h1 0 web0g1+
		h1 100 ?
		h1 200 ?
		h1 300 web0g1+`)
	off := l.Off("h1", between(90, 250))
	if diff := cmp.Diff("100-200 web: 0 healthy, want at least 1:\n", text(off.Floor("web", 1, Span{}))); diff != "" {
		t.Errorf("without power (-want +got):\n%s", diff)
	}
	if got := off.Gaps(Span{}); len(got) > 0 {
		t.Errorf("gaps of a host that is known to be off: %v", got)
	}
	if got := l.Gaps(Span{}); len(got) != 1 {
		t.Errorf("Off changed the timeline it was asked of: gaps %v", got)
	}
}

func TestAtAMoment(t *testing.T) {
	l := parse(t, `
		h1 0 web0g1+ web1g1+
		h2 0 web2g1+
		h1 100 web0g2. web1g1+
		h2 100 web2g1x
		h1 200 web0g2+ web1g2+
		h2 200 ?
		h1 300 web0g2+ web1g2+`)
	for ms, want := range map[int]string{
		50:  "map[r1:3] map[image:1:3]",
		100: "map[r1:1 r2:1] map[image:1:1 image:2:1]",
		250: "map[r2:2] map[image:2:2]",
	} {
		got := fmt.Sprint(l.Revisions("web", at(ms)), l.Images("web", at(ms)))
		if got != want {
			t.Errorf("at %d ms: got %s, want %s", ms, got, want)
		}
	}
	if _, silent := l.At(at(250)); !cmp.Equal(silent, []string{"h2"}) {
		t.Errorf("silent at 250 ms: %v, want h2", silent)
	}
	if _, silent := l.At(at(-1)); !cmp.Equal(silent, []string{"h1", "h2"}) {
		t.Errorf("silent before the first look: %v, want all", silent)
	}
	began, n := l.LastNew("web", func(c Container) bool { return c.Revision == "r2" })
	if began != between(100, 200) || n != 2 {
		t.Errorf("last of r2 began %v, %d of them, want 100..200 ms and 2", began, n)
	}
	began, n = l.LastNew("web", func(c Container) bool { return c.Revision == "r2" && c.Name == "web-0-g2" && c.Health == Healthy })
	if began != between(100, 200) || n != 1 {
		t.Errorf("web[0] of r2 was healthy %v, %d of them, want 100..200 ms and 1", began, n)
	}
}

func TestChanges(t *testing.T) {
	l := parse(t, `
		h1 0 web0g1+
		h1 100 web0g1+
		h1 200 ?
		h1 300 ?
		h1 400 web0g1x
		h1 500`)
	want := `   0.000 h1/web-0-g1 running healthy
   0.200 h1 does not answer: silence
   0.400 h1 answers again
   0.400 h1/web-0-g1 exited unhealthy
   0.500 h1/web-0-g1 is gone
`
	if diff := cmp.Diff(want, l.Changes()); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestTouched(t *testing.T) {
	before := Foreign{"h1 container db": "a since 1", "h1 volume v": "1", "h2 network n": "2"}
	after := Foreign{"h1 container db": "a since 2", "h2 network n": "2", "h2 volume w": "3"}
	want := []string{"h1 container db: was a since 1, is a since 2", "h1 volume v: gone", "h2 volume w: new"}
	if diff := cmp.Diff(want, Touched(before, after)); diff != "" {
		t.Errorf("touched (-want +got):\n%s", diff)
	}
	if got := Touched(before, before); len(got) > 0 {
		t.Errorf("nothing happened, got %v", got)
	}
}

func TestReaders(t *testing.T) {
	labels := map[string]string{labelFleet: "u", labelWorkload: "db", labelSlot: "4", labelGeneration: "7", labelRevision: "r"}
	for name, want := range map[string]string{
		"shop-web-2-g13":   "{web 2 13 r} true",
		"shop-my-web-0-g1": "{my-web 0 1 r} true",
		"shop-odd":         "{odd -1 -1 r} true",
		"shopping-web":     "{ 0 0 } false",
	} {
		if s := fmt.Sprint(ByName("shop")(name, labels)); s != want {
			t.Errorf("ByName(%s) = %s, want %s", name, s, want)
		}
	}
	if got, ours := ByFleet("u")("x", labels); fmt.Sprint(got, ours) != "{db 4 7 r} true" {
		t.Errorf("ByFleet = %v %v", got, ours)
	}
	if _, ours := ByFleet("v")("x", labels); ours {
		t.Error("ByFleet took another fleet's container")
	}
	if _, ours := ByFleet("")("x", nil); ours {
		t.Error("ByFleet without a UUID took a container without one")
	}
}
