package schedule

import (
	"maps"

	"github.com/stowage-run/stowage/fleet"
)

// loseSlowly answers with another placement of everything.
func (s *Standing) loseSlowly(lost []*host) Delta {
	after := Place(s.after(lost))
	var d Delta
	at := make(map[fleet.ReplicaID]fleet.HostName, len(s.assignment.Placed))
	for _, pl := range s.assignment.Placed {
		at[pl.Replica] = pl.Host
	}
	for _, pl := range after.Placed {
		if at[pl.Replica] != pl.Host || pl.Reason != "" {
			d.Placed = append(d.Placed, pl)
		}
	}
	d.Refused = s.further(after.Refused)
	d.Displaced = after.Displaced
	return d
}

// after is the input as it will be once the placement was carried out and the hosts are lost: what is placed stands, with
// its data where it has any; what is refused and stands is left alone, unless it was displaced.
func (s *Standing) after(lost []*host) Input {
	in := s.in
	in.Rebalance = false
	in.Current = make(map[fleet.ReplicaID]Current, len(s.assignment.Placed))
	for r := range s.asking.refused {
		if c, ok := s.in.Current[r]; ok && !s.asking.displaced[r] {
			in.Current[r] = c
		}
	}
	for _, pl := range s.assignment.Placed {
		c := Current{Host: pl.Host, HostPorts: pl.HostPorts}
		was, stood := s.in.Current[pl.Replica]
		w := s.pass.byWork[pl.Replica.Workload]
		switch {
		case s.in.Frozen[pl.Replica.Workload]:
			c = was
		case w != nil:
			c.Holds = w.bondage() == 0
			c.Unhealthy = stood && was.Unhealthy && was.Host == pl.Host
		}
		in.Current[pl.Replica] = c
	}
	in.Hosts = maps.Clone(s.in.Hosts)
	if in.Hosts == nil {
		in.Hosts = map[fleet.HostName]HostFacts{}
	}
	for _, h := range lost {
		f := in.Hosts[h.Name]
		f.Lost = true
		in.Hosts[h.Name] = f
	}
	return in
}
