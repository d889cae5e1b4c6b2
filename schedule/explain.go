package schedule

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/stowage-run/stowage/fleet"
)

// Explain says a refusal in one line:
//
//	api[3] cannot be placed: 2 hosts drained (web1, web2); 1 host short of memory (web3 has 210MiB of
//	2GiB free, api needs 512MiB; held by redis[0] 1GiB)
func Explain(r fleet.Refusal) string {
	var parts []string
	for _, f := range r.Filters {
		parts = append(parts, ExplainFilter(f))
	}
	if len(parts) == 0 {
		parts = []string{"the fleet has no hosts"}
	}
	verdict := "cannot be placed"
	if r.Outranked {
		verdict = "cannot be placed while higher priorities take the room"
	}
	return fmt.Sprintf("%s %s: %s", slots(r), verdict, strings.Join(parts, "; "))
}

// ExplainFilter says one line of a refusal: `2 hosts drained (web1, web2)`.
func ExplainFilter(f fleet.FilterCount) string {
	s := fmt.Sprintf("%s %s", count(f.Hosts, "host"), f.Filter)
	if f.Detail != "" {
		s += " (" + f.Detail + ")"
	}
	return s
}

// slots names the refused replicas, with runs drawn together: `api[2], api[4-9]`.
func slots(r fleet.Refusal) string {
	var out []string
	for i := 0; i < len(r.Slots); {
		j := i
		for j+1 < len(r.Slots) && r.Slots[j+1] == r.Slots[j]+1 {
			j++
		}
		s := fmt.Sprintf("%s[%d]", r.Workload, r.Slots[i])
		if j > i {
			s = fmt.Sprintf("%s[%d-%d]", r.Workload, r.Slots[i], r.Slots[j])
		}
		out = append(out, s)
		i = j + 1
	}
	return strings.Join(out, ", ")
}

func short(r fleet.ReplicaID) string { return fmt.Sprintf("%s[%d]", r.Workload, r.Slot) }

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// refused explains every seat without a host. The counts are taken when all is placed: no host takes
// a replica then that it did not take before, and the numbers are those of the loads.
func (p *pass) refused() []fleet.Refusal { return p.refusedOf(p.works) }

func (p *pass) refusedOf(works []*work) []fleet.Refusal {
	var out []fleet.Refusal
	for _, w := range works {
		pending := w.pending()
		e := &explainer{p: p, w: w}
		switch {
		case len(pending) == 0:
		case w.global:
			out = append(out, e.global(pending)...)
		default:
			out = append(out, e.replicated(pending)...)
		}
	}
	return out
}

// explainer explains one workload's refusals.
type explainer struct {
	p *pass
	w *work
}

// rejected is the hosts that one filter rejected, for one seat or several.
type rejected struct {
	seat  *seat // one of them
	hosts []*host
}

// global counts each seat's only host. Those that only wait for room are a refusal of their own: the others are a mistake.
func (e *explainer) global(pending []*seat) []fleet.Refusal {
	var alike [2][]*seat
	for _, s := range pending {
		if e.p.outranked(e.w, s) {
			alike[1] = append(alike[1], s)
		} else {
			alike[0] = append(alike[0], s)
		}
	}
	var out []fleet.Refusal
	for i, seats := range alike {
		if len(seats) > 0 {
			out = append(out, e.together(seats, i == 1))
		}
	}
	slices.SortFunc(out, func(a, b fleet.Refusal) int { return cmp.Compare(a.Slots[0], b.Slots[0]) })
	return out
}

// together makes one refusal of seats with a host each.
func (e *explainer) together(seats []*seat, outranked bool) fleet.Refusal {
	r := fleet.Refusal{Workload: e.w.Name, Outranked: outranked}
	var by [filters]rejected
	for _, s := range seats {
		f := e.p.rejects(e.w, s, s.target)
		by[f].seat = s
		by[f].hosts = append(by[f].hosts, s.target)
		r.Slots = append(r.Slots, s.slot)
	}
	r.Filters = e.counts(by)
	return r
}

// replicated explains seats with the same bonds together: the filters treat them alike.
func (e *explainer) replicated(pending []*seat) []fleet.Refusal {
	var out []fleet.Refusal
	at := map[string]int{}
	for _, s := range pending {
		key := e.likeness(s)
		i, ok := at[key]
		if !ok {
			i = len(out)
			at[key] = i
			out = append(out, fleet.Refusal{
				Workload: e.w.Name, Filters: e.counts(e.sift(s)), Outranked: e.p.outranked(e.w, s),
			})
		}
		out[i].Slots = append(out[i].Slots, s.slot)
	}
	return out
}

// likeness is equal for seats that every host treats alike.
func (e *explainer) likeness(s *seat) string {
	b := e.p.bonds(e.w, s)
	var key strings.Builder
	for _, t := range b.ties {
		fmt.Fprintf(&key, "%s %q ", t.volume, t.hosts)
	}
	if b.waits != nil {
		fmt.Fprintf(&key, "%d", s.slot) // the reason names it
	}
	if s.current != nil {
		// A cordon or silence that it stood through does not count against it, nor do its own ports.
		if h := e.p.byName[s.current.Host]; h != nil && (h.Cordon || !h.facts.Known) {
			key.WriteString(string(h.Name))
		}
	}
	return key.String()
}

func (e *explainer) sift(s *seat) [filters]rejected {
	var by [filters]rejected
	b := e.p.bonds(e.w, s)
	for _, h := range e.p.hosts {
		f := b.bars(e.p, e.w, s, h)
		if f == passes {
			f = e.p.hasRoom(e.w, s, h)
		}
		by[f].seat = s
		by[f].hosts = append(by[f].hosts, h)
	}
	return by
}

func (e *explainer) counts(by [filters]rejected) []fleet.FilterCount {
	var out []fleet.FilterCount
	for f := passes + 1; f < filters; f++ {
		if len(by[f].hosts) > 0 {
			out = append(out, fleet.FilterCount{Hosts: len(by[f].hosts), Filter: f.String(), Detail: e.detail(f, by[f])})
		}
	}
	return out
}

// detail is what people need to know to change a filter's mind: the hosts, or the nearest miss.
func (e *explainer) detail(f filter, r rejected) string {
	switch f {
	case otherLabels, unmetConstraint, withoutDevice, portTaken, shortOfCPU, shortOfMemory, shortOfGPUs:
		h := e.nearest(f, r.hosts)
		s := e.p.because(f, e.w, r.seat, h)
		if f >= shortOfCPU {
			s += heldBy(f, e.p.holdings(h))
		}
		return s
	case volumeElsewhere, barred:
		return e.p.because(f, e.w, r.seat, r.hosts[0])
	}
	return names(r.hosts)
}

// nearest returns the host that misses by least: the one with most free of what is short, else the first.
func (e *explainer) nearest(f filter, hosts []*host) *host {
	return slices.MaxFunc(hosts, func(a, b *host) int {
		return cmp.Or(cmp.Compare(amount(f, a.room.Sub(a.used)), amount(f, b.room.Sub(b.used))), b.index-a.index)
	})
}

// names lists hosts, the first few by name.
func names(hosts []*host) string {
	const few = 5
	var out []string
	for i, h := range hosts {
		if i == few && len(hosts) > few+1 {
			return strings.Join(out, ", ") + fmt.Sprintf(" and %d more", len(hosts)-few)
		}
		out = append(out, string(h.Name))
	}
	return strings.Join(out, ", ")
}
