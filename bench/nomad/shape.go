package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/schedule"
)

const racks = 50

// shape is one fleet and the job to place on it.
type shape struct {
	hosts, replicas int
	spread          bool
}

func allShapes(most int) []shape {
	var out []shape
	for _, hosts := range []int{1000, 5000} {
		for _, replicas := range []int{300, 1200} {
			if replicas <= most {
				out = append(out, shape{hosts, replicas, false}, shape{hosts, replicas, true})
			}
		}
	}
	return out
}

// String names a shape as Nomad's benchmark does.
func (s shape) String() string {
	if s.spread {
		return fmt.Sprintf("%d nodes %d racks %d allocs spread", s.hosts, racks, s.replicas)
	}
	return fmt.Sprintf("%d nodes %d racks %d allocs no spread", s.hosts, racks, s.replicas)
}

// fits is how many replicas have a place at all: two a host, on half of the hosts.
func (s shape) fits() int { return min(s.replicas, s.hosts/2*2) }

// input is the fleet with nothing on it. Nomad's job lists the racks that it may stand on in a constraint, and so does this.
func (s shape) input(each fleet.Resources, strategy fleet.Strategy) schedule.Input {
	f := &fleet.Fleet{Name: "bench"}
	facts := make(map[fleet.HostName]schedule.HostFacts, s.hosts)
	capacity := fleet.Resources{CPU: 14 * fleet.Core, Memory: 32000 * fleet.MiB}
	for i := range s.hosts {
		name := fleet.HostName(fmt.Sprintf("h%05d", i))
		f.Hosts = append(f.Hosts, fleet.Host{Name: name, Labels: map[string]string{"rack": fmt.Sprintf("r%d", i%racks)}})
		facts[name] = schedule.HostFacts{Known: true, Capacity: capacity, Arch: "amd64", OS: "linux", Engine: "docker"}
	}
	half := fleet.Constraint{Attribute: "rack", Operator: fleet.OpIn}
	for i := range racks / 2 {
		half.Values = append(half.Values, fmt.Sprintf("r%d", i))
	}
	w := fleet.Workload{
		Name: "job", Mode: fleet.Replicated, Replicas: s.replicas, Reserve: each,
		Placement: fleet.Placement{Constraints: []fleet.Constraint{half}, Strategy: strategy},
	}
	if s.spread {
		w.Placement.Spread = []string{"rack"}
	}
	f.Workloads = append(f.Workloads, w)
	return schedule.Input{Fleet: f, Hosts: facts}
}

func (s shape) asked() fleet.Resources {
	return fleet.Resources{CPU: 6 * fleet.Core, Memory: 6000 * fleet.MiB}
}

// rate is how many replicas are placed in a second, as an average over a second.
func (s shape) rate() float64 {
	in := s.input(s.asked(), "")
	n, start := 0, time.Now()
	for time.Since(start) < time.Second {
		n += len(schedule.Place(in).Placed)
	}
	return float64(n) / time.Since(start).Seconds()
}

// quality says how even the racks are, and how few hosts are used where replicas of 1 GHz and 1 GB are packed.
func (s shape) quality() string {
	even := s.count(schedule.Place(s.input(s.asked(), "")))
	out := fmt.Sprintf("placed %d of %d, %d..%d a rack, %d hosts", even.placed, s.fits(), even.least, even.most, even.hosts)
	if !s.spread {
		small := fleet.Resources{CPU: fleet.Core, Memory: 1000 * fleet.MiB}
		packed := s.count(schedule.Place(s.input(small, fleet.StrategyBinpack)))
		out += fmt.Sprintf("; packed, 14 fit a host: %d hosts, %d are the fewest", packed.hosts, (packed.placed+13)/14)
	}
	return out
}

type counts struct{ placed, least, most, hosts int }

func (s shape) count(a fleet.Assignment) counts {
	byRack, byHost := make([]int, racks/2), map[fleet.HostName]bool{}
	for _, p := range a.Placed {
		var i int
		if _, err := fmt.Sscanf(string(p.Host), "h%d", &i); err == nil && i%racks < racks/2 {
			byRack[i%racks]++
		}
		byHost[p.Host] = true
	}
	return counts{len(a.Placed), slices.Min(byRack), slices.Max(byRack), len(byHost)}
}
