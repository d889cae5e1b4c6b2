package schedule

import (
	"cmp"
	"slices"

	"github.com/stowage-run/stowage/fleet"
)

// slow places a fleet in the most obvious way: for each seat it looks at every host, and for each look it counts again
// from the list of what is placed. There is no tree, no heap, no class of equal hosts and no running total in it, so that
// it can be read and believed. Place is compared with it in TestPlaceIsTheSlowPlace.
//
// It shares with the scheduler the types of the contract and nothing else.
type slow struct {
	in     Input
	hosts  []*fleet.Host     // by name
	works  []*fleet.Workload // by name
	seats  []*slowSeat       // by workload and slot
	placed []*slowSeat       // those with a host or on an undeclared one, in the order in which they got it
	used   []slowUse         // of volumes; who is displaced has used them all the same
	gone   map[fleet.ReplicaID]bool
}

// slowSeat is one replica that is wanted, or frozen.
type slowSeat struct {
	id      fleet.ReplicaID
	work    *fleet.Workload // nil: frozen and not declared
	frozen  bool
	current *Current // nil: stands nowhere
	target  *fleet.Host

	at      fleet.HostName // empty: not placed
	ports   map[string]uint16
	bound   []slowPort // ports, and those in the way that are not published
	changed bool       // it has a reason
	ousted  bool       // it was displaced
}

// slowUse is a workload that was placed on a host.
type slowUse struct {
	work *fleet.Workload
	at   fleet.HostName
}

// slowPort is one port on one address. An empty protocol is all of them, an empty bind all addresses.
type slowPort struct {
	protocol string
	number   uint16
	bind     string
}

func newSlow(in Input) *slow {
	s := &slow{in: in, gone: map[fleet.ReplicaID]bool{}}
	for i := range in.Fleet.Hosts {
		s.hosts = append(s.hosts, &in.Fleet.Hosts[i])
	}
	for i := range in.Fleet.Workloads {
		s.works = append(s.works, &in.Fleet.Workloads[i])
	}
	slices.SortFunc(s.hosts, func(a, b *fleet.Host) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.works, func(a, b *fleet.Workload) int { return cmp.Compare(a.Name, b.Name) })
	s.freeze()
	for _, w := range s.works {
		switch {
		case in.Frozen[w.Name]:
		case w.Mode == fleet.Global:
			s.seatGlobal(w)
		default:
			for i := range w.Replicas {
				s.seat(w, fleet.Slot(i), nil)
			}
		}
	}
	slices.SortFunc(s.seats, func(a, b *slowSeat) int { return a.id.Compare(b.id) })
	for _, id := range s.standing() {
		wanted := slices.ContainsFunc(s.seats, func(t *slowSeat) bool { return t.id == id })
		s.gone[id] = !wanted && !in.Frozen[id.Workload]
	}
	return s
}

// place is what Place does.
func (s *slow) place() {
	s.keep()
	for _, w := range s.order() {
		s.fill(w)
	}
}

func (s *slow) host(n fleet.HostName) *fleet.Host {
	for _, h := range s.hosts {
		if h.Name == n {
			return h
		}
	}
	return nil
}

func (s *slow) work(n fleet.WorkloadName) *fleet.Workload {
	for _, w := range s.works {
		if w.Name == n {
			return w
		}
	}
	return nil
}

// standing lists what stands, by replica.
func (s *slow) standing() []fleet.ReplicaID {
	var out []fleet.ReplicaID
	for id := range s.in.Current {
		out = append(out, id)
	}
	slices.SortFunc(out, fleet.ReplicaID.Compare)
	return out
}

func (s *slow) seat(w *fleet.Workload, slot fleet.Slot, target *fleet.Host) *slowSeat {
	t := &slowSeat{id: fleet.ReplicaID{Workload: w.Name, Slot: slot}, work: w, target: target}
	if c, ok := s.in.Current[t.id]; ok {
		t.current = &c
	}
	s.seats = append(s.seats, t)
	return t
}

// freeze takes over, as it stands, what is frozen.
func (s *slow) freeze() {
	for _, id := range s.standing() {
		if !s.in.Frozen[id.Workload] {
			continue
		}
		c := s.in.Current[id]
		t := &slowSeat{id: id, work: s.work(id.Workload), frozen: true, current: &c, at: c.Host, ports: c.HostPorts}
		for name, n := range c.HostPorts {
			p := slowPort{number: n}
			if k, ok := wantOf(t.work, name); ok {
				p.protocol, p.bind = k.protocol, k.bind
			}
			t.bound = append(t.bound, p)
		}
		s.seats = append(s.seats, t)
		s.add(t)
	}
}

// pending lists the seats of a workload without a host, by slot.
func (s *slow) pending(w *fleet.Workload) []*slowSeat {
	var out []*slowSeat
	for _, t := range s.seats {
		if t.work == w && w != nil && t.at == "" {
			out = append(out, t)
		}
	}
	return out
}

// keep leaves what stands where it is, if it may stay: first what has not grown, of that first what cannot go elsewhere.
func (s *slow) keep() {
	for _, grown := range []bool{false, true} {
		for _, free := range []bool{false, true} {
			for _, t := range s.seats {
				if t.frozen || t.current == nil || t.at != "" || t.changed || s.free(t.work) != free || s.grown(t) != grown {
					continue
				}
				h := s.host(t.current.Host)
				if h == nil || s.rejects(t, h) != "" {
					t.changed = true
					continue
				}
				s.put(t, h)
			}
		}
	}
}

// free reports whether a workload's replicas may stand on any host, as far as their mode and volumes go.
func (s *slow) free(w *fleet.Workload) bool {
	return w.Mode != fleet.Global && len(s.shared(w)) == 0 && len(s.own(w)) == 0
}

func (s *slow) grown(t *slowSeat) bool {
	was, now := t.current.Reserve, t.work.Reserve
	return was != fleet.Resources{} && (now.CPU > was.CPU || now.Memory > was.Memory || now.GPUs > was.GPUs)
}

// put gives a seat its host and ports.
func (s *slow) put(t *slowSeat, h *fleet.Host) {
	t.ports, t.bound = s.choosePorts(t, h)
	t.changed = t.current == nil || t.current.Host != h.Name || s.lostPort(t, h)
	t.at = h.Name
	s.add(t)
}

func (s *slow) add(t *slowSeat) {
	s.placed = append(s.placed, t)
	if t.work != nil && s.host(t.at) != nil {
		s.used = append(s.used, slowUse{t.work, t.at})
	}
}

// order is the order in which workloads are placed.
func (s *slow) order() []*fleet.Workload {
	left := slices.DeleteFunc(slices.Clone(s.works), func(w *fleet.Workload) bool {
		return !slices.ContainsFunc(s.seats, func(t *slowSeat) bool { return t.work == w && !t.frozen })
	})
	var out []*fleet.Workload
	for len(left) > 0 {
		// The highest rank is first. Of that, those that wish for nobody who is still to come; if all do, the first by name.
		rank := 0
		for _, w := range left {
			rank = max(rank, w.Placement.Rank())
		}
		peers := slices.DeleteFunc(slices.Clone(left), func(w *fleet.Workload) bool { return w.Placement.Rank() != rank })
		ready := slices.DeleteFunc(slices.Clone(peers), func(w *fleet.Workload) bool { return s.waits(w, peers) })
		next := peers[0]
		if len(ready) > 0 {
			next = slices.MinFunc(ready, s.compareWorks)
		}
		out = append(out, next)
		left = slices.DeleteFunc(left, func(w *fleet.Workload) bool { return w == next })
	}
	return out
}

// waits reports whether a workload has an affinity to another one of those.
func (s *slow) waits(w *fleet.Workload, others []*fleet.Workload) bool {
	for _, o := range others {
		for _, a := range w.Placement.Affinities {
			if o != w && a.Attribute == "workload."+string(o.Name) {
				return true
			}
		}
	}
	return false
}

// compareWorks puts first what has the least choice: bound ones, those with fewer hosts, more fixed ports, bigger ones.
func (s *slow) compareWorks(a, b *fleet.Workload) int {
	bond := func(w *fleet.Workload) int {
		if s.free(w) {
			return 1
		}
		return 0
	}
	hosts := func(w *fleet.Workload) (n int) {
		for _, h := range s.hosts {
			if s.forbids(w, h, false) == "" {
				n++
			}
		}
		return n
	}
	return cmp.Or(
		cmp.Compare(bond(a), bond(b)),
		cmp.Compare(hosts(a), hosts(b)),
		cmp.Compare(fixedPorts(b), fixedPorts(a)),
		cmp.Compare(s.size(b), s.size(a)),
		cmp.Compare(a.Name, b.Name),
	)
}

// size is the largest part that one replica takes of the most that any host has of something.
func (s *slow) size(w *fleet.Workload) float64 {
	var most fleet.Resources
	for _, h := range s.hosts {
		room, _ := s.room(h)
		most = fleet.Resources{CPU: max(most.CPU, room.CPU), Memory: max(most.Memory, room.Memory), GPUs: max(most.GPUs, room.GPUs)}
	}
	return fullest(w.Reserve, most, bounds{w.Reserve.CPU > 0, w.Reserve.Memory > 0, w.Reserve.GPUs > 0})
}

// fill places what is pending of a workload: first what is tied to hosts by volumes, then the rest.
func (s *slow) fill(w *fleet.Workload) {
	var free []*slowSeat
	for _, t := range s.pending(w) {
		if t.target == nil && len(s.ties(t)) == 0 {
			free = append(free, t)
			continue
		}
		s.settle(t)
	}
	for _, t := range free {
		if len(s.shared(w)) > 0 && len(s.ties(t)) == 0 {
			if h := s.bestHome(t); h != nil {
				s.put(t, h)
				continue
			}
		}
		s.settle(t)
	}
}

// settle gives a seat the best host that takes it, or makes room for it.
func (s *slow) settle(t *slowSeat) {
	best := s.best(t, func(h *fleet.Host) bool { return s.rejects(t, h) == "" })
	if best == nil {
		best = s.displace(t)
	}
	if best != nil {
		s.put(t, best)
	}
}

// best returns the host that a seat likes best of those that pass; nil: none does.
func (s *slow) best(t *slowSeat, pass func(*fleet.Host) bool) *fleet.Host {
	var best *fleet.Host
	for _, h := range s.hosts {
		if (t.target == nil || t.target == h) && pass(h) && (best == nil || s.compareHosts(t.work, h, best) < 0) {
			best = h
		}
	}
	return best
}

// bestHome returns the host for the first user of a shared volume: the one that takes most of those who share it.
func (s *slow) bestHome(t *slowSeat) *fleet.Host {
	most := 0
	for _, h := range s.hosts {
		if s.rejects(t, h) == "" {
			most = max(most, s.company(t.work, h))
		}
	}
	return s.best(t, func(h *fleet.Host) bool { return s.rejects(t, h) == "" && s.company(t.work, h) == most })
}

// company counts how many pending replicas of the workloads that share a volume with w a host takes together.
func (s *slow) company(w *fleet.Workload, h *fleet.Host) int {
	users := []*fleet.Workload{w}
	for _, o := range s.works {
		if o != w && slices.ContainsFunc(s.shared(o), func(v fleet.VolumeName) bool { return slices.Contains(s.shared(w), v) }) {
			users = append(users, o)
		}
	}
	var more fleet.Resources
	n := 0
	for _, o := range users {
		if s.forbids(o, h, false) != "" {
			continue
		}
		here := s.count(o, h)
		for _, t := range s.pending(o) {
			full := o.Placement.MaxPerHost > 0 && here >= o.Placement.MaxPerHost
			if full || fixedPorts(o) > 0 && here > s.count(o, h) || s.portTaken(t, h) || s.short(h, more, o.Reserve) != "" {
				break
			}
			more = more.Add(o.Reserve)
			here++
			n++
		}
	}
	return n
}
