package schedule

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/stowage-run/stowage/fleet"
)

// because says for people why a filter rejects a host. s may be nil for the filters of allows.
func (p *pass) because(f filter, w *work, s *seat, h *host) string {
	switch f {
	case notListed:
		return fmt.Sprintf("host %s is not in placement.hosts", h.Name)
	case otherLabels:
		return labelReason(w, h)
	case otherArch:
		return fmt.Sprintf("host %s is %s, the image of %s is not", h.Name, h.facts.Arch, w.Name)
	case volumeElsewhere:
		t, _ := elsewhere(p.ties(w, s), h)
		return p.tieReason(t)
	case portTaken:
		return p.blocked(w, s, h)
	case atMaxPerHost:
		return fmt.Sprintf("max_per_host is %d, and host %s has %d", w.Placement.MaxPerHost, h.Name, w.count[h])
	case shortOfCPU, shortOfMemory, shortOfGPUs:
		return shortReason(f, w, h)
	}
	return fmt.Sprintf("host %s is %s", h.Name, f)
}

func labelReason(w *work, h *host) string {
	k, _ := mislabelled(w, h)
	has, ok := h.Labels[k]
	if !ok {
		return fmt.Sprintf("host %s has no label %s, wanted %q", h.Name, k, w.Placement.Labels[k])
	}
	return fmt.Sprintf("label %s of host %s is %q, wanted %q", k, h.Name, has, w.Placement.Labels[k])
}

// tieReason says where a volume is, and what is the matter with the host if there is only one.
func (p *pass) tieReason(t tie) string {
	at := make([]string, len(t.hosts))
	for i, n := range t.hosts {
		at[i] = string(n)
	}
	s := fmt.Sprintf("volume %s is on %s", t.volume, strings.Join(at, ", "))
	if len(t.hosts) == 1 && p.byName[t.hosts[0]] == nil {
		s += ", which is no longer in the configuration"
	}
	return s
}

// amount is the part of r that a filter is about.
func amount(f filter, r fleet.Resources) int64 {
	switch f {
	case shortOfCPU:
		return int64(r.CPU)
	case shortOfMemory:
		return int64(r.Memory)
	case shortOfGPUs:
		return int64(r.GPUs)
	}
	return 0
}

// shortReason reads "web1 has 210MiB of 2GiB free, api needs 512MiB".
func shortReason(f filter, w *work, h *host) string {
	free, room, needs := max(amount(f, h.room.Sub(h.used)), 0), amount(f, h.room), amount(f, w.Reserve)
	unit := ""
	switch f {
	case shortOfCPU:
		unit = " cpu"
	case shortOfGPUs:
		unit = " gpus"
	}
	a, b := say(f, free, math.Floor), say(f, needs, math.Ceil)
	if a == b { // rounding hides what is missing
		a, b = fleet.Bytes(free).String(), fleet.Bytes(needs).String()
	}
	return fmt.Sprintf("%s has %s of %s%s free, %s needs %s", h.Name, a, say(f, room, math.Floor), unit, w.Name, b)
}

// say writes an amount for people, memory in the largest unit that it fills, with one decimal.
func say(f filter, n int64, round func(float64) float64) string {
	switch f {
	case shortOfCPU:
		return fleet.CPU(n).String()
	case shortOfGPUs:
		return fmt.Sprint(n)
	}
	unit, name := fleet.TiB, "TiB"
	for _, u := range []struct {
		size fleet.Bytes
		name string
	}{{fleet.GiB, "GiB"}, {fleet.MiB, "MiB"}, {fleet.KiB, "KiB"}, {1, "B"}} {
		if fleet.Bytes(n) < unit {
			unit, name = u.size, u.name
		}
	}
	return fmt.Sprint(round(float64(n)/float64(unit)*10)/10) + name
}

// holding is what one replica takes up on a host.
type holding struct {
	replica fleet.ReplicaID
	reserve fleet.Resources
}

// holdings lists by host what is placed.
func (p *pass) holdings() map[*host][]holding {
	out := map[*host][]holding{}
	for _, w := range p.works {
		for _, s := range w.seats {
			if s.host == nil {
				continue
			}
			r := w.Reserve
			if w.frozen {
				r = s.current.reserve(w)
			}
			out[s.host] = append(out[s.host], holding{w.id(s), r})
		}
	}
	for _, r := range p.strayIDs() {
		if h := p.byName[p.in.Current[r].Host]; h != nil {
			out[h] = append(out[h], holding{r, p.in.Current[r].Reserve})
		}
	}
	return out
}

// heldBy names the three replicas that take most of what is short.
func heldBy(f filter, hs []holding) string {
	hs = slices.DeleteFunc(slices.Clone(hs), func(h holding) bool { return amount(f, h.reserve) == 0 })
	slices.SortFunc(hs, func(a, b holding) int {
		return cmp.Or(cmp.Compare(amount(f, b.reserve), amount(f, a.reserve)), a.replica.Compare(b.replica))
	})
	const few = 3
	var out []string
	for i, h := range hs {
		if i == few {
			out = append(out, fmt.Sprintf("%d more", len(hs)-few))
			break
		}
		out = append(out, short(h.replica)+" "+say(f, amount(f, h.reserve), math.Ceil))
	}
	if len(out) == 0 {
		return ""
	}
	return "; held by " + strings.Join(out, ", ")
}
