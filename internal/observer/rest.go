package observer

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// At returns the containers as the last answers before a moment have them, in whatever state, ordered by workload, slot,
// generation and host; and the hosts of which nothing is known then, whose containers are left out.
func (t Timeline) At(moment time.Time) (containers []Container, silent []string) {
	for _, host := range t.Hosts() {
		var last *Look
		looks := t.of(host)
		for i, l := range looks {
			if !l.To.After(moment) {
				last = &looks[i]
			}
		}
		if last == nil || last.Err != "" || t.silent(last.To, moment) {
			silent = append(silent, host)
			continue
		}
		containers = append(containers, last.Containers...)
	}
	slices.SortStableFunc(containers, compareContainers)
	return containers, silent
}

// Revisions counts the live containers of a workload by revision at a moment.
func (t Timeline) Revisions(workload string, moment time.Time) map[string]int {
	return t.tally(workload, moment, func(c Container) string { return c.Revision })
}

// Images counts the live containers of a workload by the image they were made of, as it was asked for, at a moment.
func (t Timeline) Images(workload string, moment time.Time) map[string]int {
	return t.tally(workload, moment, func(c Container) string { return c.Image })
}

func (t Timeline) tally(workload string, moment time.Time, by func(Container) string) map[string]int {
	n := map[string]int{}
	containers, _ := t.At(moment)
	for _, c := range containers {
		if c.Workload == workload && c.Live() {
			n[by(c)]++
		}
	}
	return n
}

// LastNew returns when the last of a workload's new containers began to run: it did between From, the last answer
// without it, and To, the first one with it. isNew says which are new, such as those of a revision; n is how many there
// were. The healthy ones alone are asked for with isNew that looks at Health.
func (t Timeline) LastNew(workload string, isNew func(Container) bool) (began Span, n int) {
	for _, host := range t.Hosts() {
		seen := map[string]bool{}
		var before time.Time
		for _, l := range t.of(host) {
			if l.Err != "" {
				continue
			}
			for _, c := range l.Containers {
				if c.Workload != workload || !c.Live() || seen[c.ID] || !isNew(c) {
					continue
				}
				seen[c.ID] = true
				n++
				to := l.To
				if !c.Probed.To.IsZero() && c.Health == Healthy {
					to = c.Probed.To
				}
				if to.After(began.To) {
					began = Span{before, to}
				}
			}
			before = l.From
		}
	}
	return began, n
}

// Rest returns what is wrong at a moment at which nothing should be under way. want is how many replicas each workload
// has, in slots from 0. Every container of ours counts, also one that was never started or has ended: a slot without a
// live container, a second container of a slot, and one that belongs to no slot that is wanted, are a violation each.
// So is a host of which nothing is known.
func (t Timeline) Rest(moment time.Time, want map[string]int) []Violation {
	containers, silent := t.At(moment)
	var all []Violation
	add := func(what string, cs ...Container) {
		all = append(all, Violation{Span: Span{moment, moment}, What: what, Containers: cs})
	}
	for _, host := range silent {
		add("nothing is known of " + host)
		all[len(all)-1].Silent = []string{host}
	}
	type replica struct {
		workload string
		slot     int
	}
	of := map[replica][]Container{}
	for _, c := range containers {
		if c.Slot < 0 || c.Slot >= want[c.Workload] {
			add("orphan", c)
			continue
		}
		r := replica{c.Workload, c.Slot}
		of[r] = append(of[r], c)
	}
	for _, workload := range slices.Sorted(maps.Keys(want)) {
		for slot := range want[workload] {
			cs := of[replica{workload, slot}]
			name := fmt.Sprintf("%s[%d]", workload, slot)
			if len(cs) > 1 {
				add(name+": duplicate", cs...)
			}
			if !slices.ContainsFunc(cs, Container.Live) {
				add(name+": none is live", cs...)
			}
		}
	}
	return all
}
