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
	case unmetConstraint:
		return constraintReason(w, h, s == nil || s.stands(h))
	case withoutDevice:
		return fmt.Sprintf("host %s has no device %s", h.Name, w.missing(h).Host)
	case barred:
		return p.waitReason(w, s)
	case otherArch:
		return fmt.Sprintf("host %s is %s, the image of %s is not", h.Name, h.facts.Arch, w.Name)
	case volumeElsewhere:
		t, _ := elsewhere(p.ties(w, s), h)
		return p.tieReason(t)
	case portTaken:
		return p.obstacleReason(w, s, h)
	case atMaxPerHost:
		return fmt.Sprintf("max_per_host is %d, and host %s has %d", w.Placement.MaxPerHost, h.Name, w.count.at(h.index))
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

// constraintReason reads `zone of host web3 is "us", wanted zone in ["eu-a", "eu-b"]`.
func constraintReason(w *work, h *host, stands bool) string {
	t := w.unmet(h, stands)
	has, ok, _ := h.attribute(t.attribute)
	if !ok {
		return fmt.Sprintf("host %s has no %s, wanted %s", h.Name, t.attribute, t.text)
	}
	return fmt.Sprintf("%s of host %s is %q, wanted %s", t.attribute, h.Name, has, t.text)
}

// waitReason says why what is exclusive is not started anew.
func (p *pass) waitReason(w *work, s *seat) string {
	return fmt.Sprintf("%s is exclusive and may still run on %s, which is lost: it waits for that host", short(w.id(s)), s.current.Host)
}

// tieReason says where a volume is, and what is the matter with the host if there is only one.
func (p *pass) tieReason(t tie) string {
	at := make([]string, len(t.hosts))
	for i, n := range t.hosts {
		at[i] = string(n)
	}
	s := fmt.Sprintf("volume %s is on %s", t.volume, strings.Join(at, ", "))
	if len(t.hosts) != 1 {
		return s
	}
	if h := p.byName[t.hosts[0]]; h == nil {
		s += ", which is no longer in the configuration"
	} else if h.lost {
		s += ", which is lost: it waits for that host"
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

// holdings lists what is placed on a host.
func (p *pass) holdings(h *host) []holding {
	var out []holding
	for _, r := range p.residentsOf(h) {
		out = append(out, holding{r.id(), r.seat.takes(r.work)})
	}
	for _, t := range p.strays {
		if t.Host == h.Name {
			out = append(out, holding{t.id, t.Reserve})
		}
	}
	return out
}

// heldBy names the three replicas that take most of what is short.
func heldBy(f filter, hs []holding) string {
	hs = slices.DeleteFunc(hs, func(h holding) bool { return amount(f, h.reserve) == 0 })
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
