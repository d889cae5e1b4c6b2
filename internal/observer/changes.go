package observer

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Changes writes the timeline for a failing test: one line for each change, in order of time, with the seconds since the
// first look.
func (t Timeline) Changes() string {
	type line struct {
		at   time.Time
		text string
	}
	var lines []line
	for _, host := range t.Hosts() {
		was := map[string]string{}
		answered := true
		for _, l := range t.of(host) {
			if (l.Err == "") != answered {
				answered = !answered
				text := host + " answers again"
				if !answered {
					text = host + " does not answer: " + l.Err
				}
				lines = append(lines, line{l.To, text})
			}
			if l.Err != "" {
				continue
			}
			is := map[string]string{}
			for _, c := range l.Containers {
				is[c.ID] = c.String()
				if was[c.ID] == is[c.ID] {
					continue
				}
				text := is[c.ID]
				if c.Answer != "" {
					text += ": " + c.Answer
				}
				lines = append(lines, line{l.To, text})
			}
			for id, text := range was {
				if is[id] == "" {
					name, _, _ := strings.Cut(text, " ")
					lines = append(lines, line{l.To, name + " is gone"})
				}
			}
			was = is
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int {
		if a.at.Equal(b.at) {
			return strings.Compare(a.text, b.text)
		}
		return a.at.Compare(b.at)
	})
	var b strings.Builder
	var zero time.Time
	for _, l := range t.Looks {
		if zero.IsZero() || l.From.Before(zero) {
			zero = l.From
		}
	}
	for _, l := range lines {
		fmt.Fprintf(&b, "%8.3f %s\n", l.at.Sub(zero).Seconds(), l.text)
	}
	return b.String()
}
