package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/stowage-run/stowage/fleet"
)

// parsePlaced reads what the scheduler says beyond what the one of the fixtures does: it knows no priorities and no losses.
func (w *world) parsePlaced(text string) error {
	return eachLine(text, func(f []string) error {
		switch f[0] {
		case "survives":
			w.survival = &fleet.Survival{Hosts: 2, Labels: f[1:]}
			return nil
		case "loss":
			l := fleet.Loss{Hosts: []fleet.HostName{fleet.HostName(f[1])}}
			l.Label, l.Value, _ = strings.Cut(option(f, "label", ""), ":")
			if d := option(f, "down", ""); d != "" {
				l.Down = []fleet.WorkloadName{fleet.WorkloadName(d)}
			}
			if r := option(f, "refused", ""); r != "" {
				l.Refused = []fleet.Refusal{{Workload: fleet.WorkloadName(r), Slots: []fleet.Slot{0, 1, 2}, Filters: []fleet.FilterCount{{Hosts: 1, Filter: "short of memory"}}}}
			}
			w.survival.Losses = append(w.survival.Losses, l)
			return nil
		case "load":
			return w.parseLoad(f)
		}
		r, err := parseReplica(f[1])
		if err != nil {
			return err
		}
		change, ok := map[string]func(*fleet.Assignment){
			"move":      func(a *fleet.Assignment) { move(a, r, fleet.HostName(f[2]), strings.Join(f[3:], " ")) },
			"refuse":    func(a *fleet.Assignment) { refuse(a, r, slices.Contains(f, "outranked")) },
			"displaced": func(a *fleet.Assignment) { displace(a, r, fleet.HostName(f[2]), strings.Join(f[3:], " ")) },
		}[f[0]]
		if !ok {
			return fmt.Errorf("unknown word %q", f[0])
		}
		w.placed = append(w.placed, change)
		return nil
	})
}

// parseLoad reads: load HOST BEFORE-MiB of CAPACITY-MiB.
func (w *world) parseLoad(f []string) error {
	before, err := strconv.Atoi(f[2])
	if err != nil {
		return err
	}
	capacity, err := strconv.Atoi(f[4])
	if err != nil {
		return err
	}
	l := fleet.Load{Host: fleet.HostName(f[1])}
	l.Before.Memory, l.Capacity.Memory = fleet.Bytes(before)*fleet.MiB, fleet.Bytes(capacity)*fleet.MiB
	w.placed = append(w.placed, func(a *fleet.Assignment) { a.Loads = append(a.Loads, l) })
	return nil
}

func move(a *fleet.Assignment, r fleet.ReplicaID, to fleet.HostName, reason string) {
	for i := range a.Placed {
		if p := &a.Placed[i]; p.Replica == r {
			p.Host, p.Reason = to, reason
		}
	}
}

func refuse(a *fleet.Assignment, r fleet.ReplicaID, outranked bool) {
	a.Placed = slices.DeleteFunc(a.Placed, func(p fleet.Placed) bool { return p.Replica == r })
	a.Refused = append(a.Refused, fleet.Refusal{
		Workload: r.Workload, Slots: []fleet.Slot{r.Slot}, Outranked: outranked,
		Filters: []fleet.FilterCount{{Hosts: 2, Filter: "short of memory", Detail: "web1 has 0B of 1GiB free"}},
	})
}

func displace(a *fleet.Assignment, r fleet.ReplicaID, from fleet.HostName, reason string) {
	refuse(a, r, true)
	a.Displaced = append(a.Displaced, fleet.Gone{Replica: r, Host: from, Reason: reason})
}
