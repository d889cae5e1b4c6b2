package plan

import (
	"fmt"
	"strings"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// whatIf says what is supposed, before all else: nobody may take the answer for the plan.
func (t *text) whatIf() {
	if len(t.plan.WhatIf) > 0 {
		t.printf("%s %s. This is an answer, not a plan to apply: nothing was changed.\n\n",
			t.style.bold("What if"), strings.Join(t.plan.WhatIf, ", and "))
	}
}

// held says which workloads stay what they were although something else is wanted.
func (t *text) held() {
	for _, h := range t.plan.Held {
		t.printf("%s workload.%s %s\n", t.style.change("Held:"), h.Workload, h.state())
		if h.Why != "" {
			t.printf("  because %s\n", h.Why)
		}
		for _, line := range h.ways() {
			t.printf("  %s\n", line)
		}
		t.printf("\n")
	}
}

// state says where a held workload is.
func (h Held) state() string {
	switch h.Status {
	case state.RolloutBack:
		return fmt.Sprintf("is being taken back to release %d: its change of release %d failed", h.Good, h.Release)
	case state.RolloutTaken:
		return fmt.Sprintf("was taken back to release %d: its change of release %d failed, and is not tried again as it is", h.Good, h.Release)
	case state.RolloutCanary:
		return fmt.Sprintf("waits for a promotion in its change of release %d: its canaries are healthy", h.Release)
	case state.RolloutPaused:
		return fmt.Sprintf("is paused in its change of release %d", h.Release)
	}
	return fmt.Sprintf("is halted: its change of release %d failed, and there is no way back", h.Release)
}

// ways are what a person can do.
func (h Held) ways() []string {
	switch h.Status {
	case state.RolloutBack:
		return nil
	case state.RolloutCanary:
		return []string{fmt.Sprintf("stowage promote %s    lets the others follow", h.Workload), fmt.Sprintf("stowage cancel %s    goes back", h.Workload)}
	case state.RolloutPaused:
		return []string{fmt.Sprintf("stowage resume %s    goes on", h.Workload), fmt.Sprintf("stowage cancel %s    goes back", h.Workload)}
	}
	return []string{"Change it, or try the same again with -force."}
}

func (t *text) unplaced() {
	for _, u := range t.plan.Unplaced {
		head := "Cannot be placed:"
		if u.Waits {
			head = "Waits for room:"
		}
		t.printf("%s workload.%s[%s]\n", t.style.remove(head), u.Workload, ranges(u.Slots))
		for _, w := range u.Why {
			t.printf("  %s\n", w)
		}
		t.printf("\n")
	}
}

// mostLosses bounds what is said of the losses that a fleet does not survive: the rest is counted.
const mostLosses = 5

// survival says whether the fleet survives the loss of any one host, and of any one value of a spread label.
func (t *text) survival() {
	s := t.plan.Survival
	if s == nil || s.Hosts == 0 {
		return
	}
	for _, label := range append([]string{""}, s.Labels...) {
		what := label
		if label == "" {
			what = "host"
		}
		var losses []fleet.Loss
		for _, l := range s.Losses {
			if l.Label == label {
				losses = append(losses, l)
			}
		}
		if len(losses) == 0 {
			t.printf("%s %s\n", t.style.bold("Survives the loss of any one "+what+":"), t.style.add("yes"))
			continue
		}
		t.printf("%s %s\n", t.style.bold("Survives the loss of any one "+what+":"), t.style.remove("no"))
		for i, l := range losses {
			if i == mostLosses {
				t.printf("  and %d more\n", len(losses)-i)
				break
			}
			t.printf("  %s\n", t.loss(l))
		}
	}
	t.printf("\n")
}

// loss reads "without web1: api[2] has no place (2 hosts short of memory); db is down until it is placed again".
func (t *text) loss(l fleet.Loss) string {
	name := string(l.Hosts[0])
	if l.Label != "" {
		name = fmt.Sprintf("%s=%s (%s)", l.Label, l.Value, hostList(l.Hosts))
	}
	var parts []string
	refused := map[fleet.WorkloadName]bool{}
	for _, r := range l.Refused {
		refused[r.Workload] = true
		p := fmt.Sprintf("%s[%s] would have no place", r.Workload, ranges(r.Slots))
		var why []string
		for _, f := range r.Filters {
			if f.Hosts > 0 {
				why = append(why, number(f.Hosts, "host")+" "+f.Filter)
			}
		}
		if len(why) > 0 {
			p += " (" + strings.Join(why, ", ") + ")"
		}
		parts = append(parts, p)
	}
	var down []string
	for _, w := range l.Down {
		if !refused[w] {
			down = append(down, string(w))
		}
	}
	if len(down) > 0 {
		parts = append(parts, few(down)+" would be down until placed again")
	}
	return "without " + name + ": " + strings.Join(parts, "; ")
}
