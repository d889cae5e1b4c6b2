package observer

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Violation is something that must not be: when, what, and with which containers.
type Violation struct {
	Span
	What       string
	Containers []Container // as they were seen about then
	Silent     []string    // hosts with a gap then, of which nothing is known
}

// String is one line for the violation and one for each container.
func (v Violation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %s", v.Span, v.What)
	if len(v.Silent) > 0 {
		fmt.Fprintf(&b, " (no answer from %s)", strings.Join(v.Silent, ", "))
	}
	for _, c := range v.Containers {
		fmt.Fprintf(&b, "\n  %v", c)
		if c.Revision != "" {
			fmt.Fprintf(&b, " revision %s", c.Revision)
		}
		if c.Answer != "" {
			fmt.Fprintf(&b, ": %s", c.Answer)
		}
	}
	return b.String()
}

// finding is a count that breaks a bound.
type finding struct {
	Span
	n int
}

// Floor returns when fewer than want slots of a workload were healthy, even if all that is not known speaks for it.
func (t Timeline) Floor(workload string, want int, s Span) []Violation {
	var found []finding
	for _, c := range t.Healthy(workload, s) {
		if c.High < want {
			found = append(found, finding{c.Span, -c.High})
		}
	}
	return t.report(found, ofWorkload(workload), func(n int) string {
		return fmt.Sprintf("%s: %d healthy, want at least %d", workload, -n, want)
	})
}

// Ceiling returns when more than most containers of a workload were live, even if all that is not known speaks for it.
// A most of 1 is what an exclusive workload is held to; Most of Live says what could not be excluded.
func (t Timeline) Ceiling(workload string, most int, s Span) []Violation {
	var found []finding
	for _, c := range t.Live(workload, s) {
		if c.Low > most {
			found = append(found, finding{c.Span, c.Low})
		}
	}
	return t.report(found, ofWorkload(workload), func(n int) string {
		return fmt.Sprintf("%s: %d live, want at most %d", workload, n, most)
	})
}

// Overlaps returns when two containers of one slot were live at once: two generations, or the same one twice. An update
// that starts first makes them on purpose.
func (t Timeline) Overlaps(workload string, s Span) []Violation {
	slots := map[int][]*track{}
	for _, k := range t.tracks(workload, isLive) {
		slots[k.Slot] = append(slots[k.Slot], k)
	}
	delete(slots, -1)
	var all []Violation
	for _, slot := range slices.Sorted(maps.Keys(slots)) {
		var found []finding
		for _, c := range t.count(slots[slot], byContainer, s) {
			if c.Low > 1 {
				found = append(found, finding{c.Span, c.Low})
			}
		}
		here := func(c Container) bool { return c.Workload == workload && c.Slot == slot && c.Live() }
		all = append(all, t.report(found, here, func(n int) string {
			return fmt.Sprintf("%s[%d]: %d live at once", workload, slot, n)
		})...)
	}
	return all
}

func ofWorkload(name string) func(Container) bool {
	return func(c Container) bool { return c.Workload == name }
}

// report makes one violation of findings that touch, speaks of the largest, and says who was there at the first.
func (t Timeline) report(found []finding, who func(Container) bool, what func(n int) string) []Violation {
	slices.SortStableFunc(found, func(a, b finding) int { return a.From.Compare(b.From) })
	var all []Violation
	for i := 0; i < len(found); {
		whole := found[i]
		v := Violation{}
		there, _ := t.At(whole.To)
		for _, c := range there {
			if who(c) {
				v.Containers = append(v.Containers, c)
			}
		}
		for i++; i < len(found) && !found[i].From.After(whole.To); i++ {
			whole.n = max(whole.n, found[i].n)
			if found[i].To.After(whole.To) {
				whole.To = found[i].To
			}
		}
		v.Span, v.What = whole.Span, what(whole.n)
		for _, g := range t.Gaps(v.Span) {
			v.Silent = append(v.Silent, g.Host)
		}
		v.Silent = slices.Compact(v.Silent)
		all = append(all, v)
	}
	return all
}

func compareContainers(a, b Container) int {
	return cmp.Or(cmp.Compare(a.Workload, b.Workload), cmp.Compare(a.Slot, b.Slot), cmp.Compare(a.Generation, b.Generation),
		cmp.Compare(a.Host, b.Host), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
}
