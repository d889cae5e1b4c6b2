package observer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Changes writes the timeline for a failing test: one line for each change, in order of time, with the seconds since the
// first look.
func (t Timeline) Changes() string {
	var all []change
	var zero time.Time
	for _, host := range t.Hosts() {
		looks := t.of(host)
		if zero.IsZero() || looks[0].From.Before(zero) {
			zero = looks[0].From
		}
		all = append(all, changes(host, looks)...)
	}
	slices.SortStableFunc(all, func(a, b change) int { return cmp.Or(a.at.Compare(b.at), strings.Compare(a.text, b.text)) })
	var b strings.Builder
	for _, c := range all {
		fmt.Fprintf(&b, "%8.3f %s\n", c.at.Sub(zero).Seconds(), c.text)
	}
	return b.String()
}

type change struct {
	at   time.Time
	text string
}

// changes are those at one host.
func changes(host string, looks []Look) []change {
	var all []change
	was := map[string]string{}
	answered := true
	for _, l := range looks {
		switch {
		case l.Err != "" && answered:
			all = append(all, change{l.To, host + " does not answer: " + l.Err})
		case l.Err == "" && !answered:
			all = append(all, change{l.To, host + " answers again"})
		}
		if answered = l.Err == ""; !answered {
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
			all = append(all, change{l.To, text})
		}
		for id, text := range was {
			if is[id] == "" {
				name, _, _ := strings.Cut(text, " ")
				all = append(all, change{l.To, name + " is gone"})
			}
		}
		was = is
	}
	return all
}
