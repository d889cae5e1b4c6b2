package schedule

import (
	"slices"

	"github.com/stowage-run/stowage/fleet"
)

// Place returns a place for every wanted replica, or why it has none. It is deterministic, changes
// nothing in in, and may be called concurrently. Replicas with the same host ports share one map of them.
func Place(in Input) fleet.Assignment { return Stand(in).Assignment() }

// pass is one placement in the making.
type pass struct {
	in      Input
	hosts   []*host // by name
	byName  map[fleet.HostName]*host
	classes int     // of hosts that are alike to every workload
	works   []*work // by name
	byWork  map[fleet.WorkloadName]*work
	order   []*work // in which workloads are filled; nil until somebody is pending
	listed  []*work // the same as it would be without affinities to workloads; nil: there are none
	volumes map[fleet.VolumeName]fleet.Volume
	homes   map[fleet.VolumeName][]fleet.HostName // of volumes that are one thing; none: not yet used
	strays  []stray                               // frozen and no longer declared; by replica
	loose   []fleet.ReplicaID                     // neither declared nor frozen; by replica
	shapes  map[string]*shape                     // by the spread labels

	protocols []string // by index
	fixed     portSets // what somebody wants exactly: never given out as auto

	keys      []key        // scratch of owned trees
	residents [][]resident // who stands on each host; nil until asked for
	lowest    int          // rank of any workload
	highest   int
	evicted   bool     // something was displaced
	journal   *journal // of a question; nil while the placement itself is made
	growing   int      // how much dearer it is to bring a tree up to date with a host than to grow it with one
}

// stray is a frozen replica of a workload that is not declared.
type stray struct {
	id fleet.ReplicaID
	Current
}

func newPass(in Input) *pass {
	f := in.Fleet
	p := &pass{
		in:        in,
		byName:    make(map[fleet.HostName]*host, len(f.Hosts)),
		byWork:    make(map[fleet.WorkloadName]*work, len(f.Workloads)),
		volumes:   make(map[fleet.VolumeName]fleet.Volume, len(f.Volumes)),
		homes:     map[fleet.VolumeName][]fleet.HostName{},
		shapes:    map[string]*shape{},
		protocols: protocols(),
		growing:   growing,
	}
	p.addHosts()
	for _, v := range f.Volumes {
		p.volumes[v.Name] = v
	}
	p.addWorks()
	p.addCurrent()
	p.addHomes()
	p.classify()
	return p
}

// placed lists the seats that have a host, by replica: workloads and their seats are in order already.
func (p *pass) placed() []fleet.Placed {
	n := len(p.strays)
	for _, w := range p.works {
		n += w.seated + w.away
	}
	if n == 0 {
		return nil
	}
	out := make([]fleet.Placed, 0, n)
	for _, w := range p.works {
		for i := range w.seats {
			if pl, ok := w.placedAt(&w.seats[i]); ok {
				out = append(out, pl)
			}
		}
	}
	if len(p.strays) == 0 {
		return out
	}
	for _, s := range p.strays {
		out = append(out, s.placed())
	}
	slices.SortStableFunc(out, func(a, b fleet.Placed) int { return a.Replica.Compare(b.Replica) })
	return out
}

// placedAt says where a seat is. ok is false where it has no host.
func (w *work) placedAt(s *seat) (pl fleet.Placed, ok bool) {
	switch {
	case s.host != nil:
		pl.Host = s.host.Name
	case w.frozen:
		pl.Host = s.current.Host
	default:
		return pl, false
	}
	pl.Replica, pl.Reason, pl.HostPorts = w.id(s), s.reason, s.ports
	if s.current != nil {
		pl.From = s.current.Host
	}
	return pl, true
}

// gone lists what stands now and is not wanted.
func (p *pass) gone() []fleet.Gone {
	var out []fleet.Gone
	for _, r := range p.loose {
		out = append(out, fleet.Gone{
			Replica: r, Host: p.in.Current[r].Host, Reason: "workload " + string(r.Workload) + " is no longer in the configuration",
		})
	}
	for _, w := range p.works {
		for _, n := range w.now {
			if reason := w.unwanted(n.slot); reason != "" {
				out = append(out, fleet.Gone{Replica: fleet.ReplicaID{Workload: w.Name, Slot: n.slot}, Host: n.Host, Reason: reason})
			}
		}
	}
	slices.SortFunc(out, func(a, b fleet.Gone) int { return a.Replica.Compare(b.Replica) })
	return out
}

// displaced lists what had to make room and found no other place, by replica.
func (p *pass) displaced() []fleet.Gone {
	if !p.evicted {
		return nil
	}
	var out []fleet.Gone
	for _, w := range p.works {
		for i := range w.seats {
			if s := &w.seats[i]; s.displaced && s.host == nil {
				out = append(out, fleet.Gone{Replica: w.id(s), Host: s.current.Host, Reason: s.reason})
			}
		}
	}
	return out
}
