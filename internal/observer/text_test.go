package observer

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	began = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	word  = regexp.MustCompile(`^([a-z]+)(\d+)g(\d+)([+\-.x])$`)
)

func at(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }

func between(from, to int) Span { return Span{at(from), at(to)} }

// parse reads a timeline, one look a line: host, milliseconds asked-answered or a single moment, and the containers, or
// ? for no answer. web0g2+ is generation 2 of web[0]; it is live and healthy (+), unhealthy (-), of unknown health (.),
// or has ended (x). A generation's image and revision are called after it.
func parse(t *testing.T, text string) Timeline {
	t.Helper()
	line := Timeline{Silence: time.Second}
	for row := range strings.Lines(text) {
		fields := strings.Fields(row)
		if len(fields) == 0 {
			continue
		}
		from, to, ok := strings.Cut(fields[1], "-")
		if !ok {
			to = from
		}
		l := Look{Host: fields[0], Span: between(atoi(t, from), atoi(t, to))}
		for _, w := range fields[2:] {
			if w == "?" {
				l.Err = "silence"
				continue
			}
			l.Containers = append(l.Containers, parseContainer(t, l, w))
		}
		line.Looks = append(line.Looks, l)
	}
	return line
}

func parseContainer(t *testing.T, l Look, w string) Container {
	t.Helper()
	m := word.FindStringSubmatch(w)
	if m == nil {
		t.Fatalf("no container: %q", w)
	}
	name := m[1] + "-" + m[2] + "-g" + m[3]
	c := Container{
		Host: l.Host, Name: name, ID: l.Host + name, State: "running", Image: "image:" + m[3],
		Identity: Identity{m[1], atoi(t, m[2]), atoi(t, m[3]), "r" + m[3]},
	}
	switch m[4] {
	case "+":
		c.Health, c.Probed = Healthy, l.Span
	case "-":
		c.Health, c.Probed = Unhealthy, l.Span
	case "x":
		c.Health, c.State = Unhealthy, "exited"
	}
	return c
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// text writes violations, one a line: from-to in milliseconds, what, containers, and the silent hosts.
func text(violations []Violation) string {
	var b strings.Builder
	for _, v := range violations {
		fmt.Fprintf(&b, "%d-%d %s:", v.From.Sub(began).Milliseconds(), v.To.Sub(began).Milliseconds(), v.What)
		for _, c := range v.Containers {
			fmt.Fprintf(&b, " %s/%s", c.Host, c.Name)
		}
		for _, h := range v.Silent {
			fmt.Fprintf(&b, " %s?", h)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
