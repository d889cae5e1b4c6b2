package schedule

import (
	"cmp"
	"slices"
	"sort"

	"github.com/stowage-run/stowage/fleet"
)

// Place returns a place for every wanted replica, or why it has none. It is deterministic, changes
// nothing in in, and may be called concurrently.
func Place(in Input) fleet.Assignment {
	p := newPass(in)
	p.freeze()
	p.keep()
	p.fill()
	return fleet.Assignment{
		Placed:  p.placed(),
		Refused: p.refused(),
		Gone:    p.gone(),
		Loads:   p.loads(),
	}
}

// pass is one placement in the making.
type pass struct {
	in      Input
	hosts   []*host // by name
	byName  map[fleet.HostName]*host
	works   []*work // by name
	byWork  map[fleet.WorkloadName]*work
	volumes map[fleet.VolumeName]fleet.Volume
	homes   map[fleet.VolumeName][]fleet.HostName // of volumes that are one thing; none: not yet used
	fixed   map[portKey]bool                      // what somebody wants exactly: never given out as auto
	current []fleet.ReplicaID                     // the keys of in.Current, sorted
}

// work is one workload in the making.
type work struct {
	*fleet.Workload
	global bool
	frozen bool
	spec   request

	shared []fleet.VolumeName // tied volumes that are one thing; none in global mode
	own    []fleet.VolumeName // tied volumes of each replica

	seats   []*seat // by slot
	count   map[*host]int
	dropped map[fleet.Slot]string // global mode: why a slot lost its host
}

// seat is one slot of a workload.
type seat struct {
	slot    fleet.Slot
	current *Current          // nil: stands nowhere
	host    *host             // nil: not placed
	target  *host             // global mode: the only host for it
	away    fleet.HostName    // frozen on a host outside the fleet
	ports   map[string]uint16 // with host
	reason  string            // why it is not where it was
}

func newPass(in Input) *pass {
	f := in.Fleet
	p := &pass{
		in:      in,
		byName:  make(map[fleet.HostName]*host, len(f.Hosts)),
		byWork:  make(map[fleet.WorkloadName]*work, len(f.Workloads)),
		volumes: make(map[fleet.VolumeName]fleet.Volume, len(f.Volumes)),
		homes:   map[fleet.VolumeName][]fleet.HostName{},
		fixed:   map[portKey]bool{},
		current: make([]fleet.ReplicaID, 0, len(in.Current)),
	}
	for i := range f.Hosts {
		h := newHost(&f.Hosts[i], in.Hosts[f.Hosts[i].Name])
		p.hosts = append(p.hosts, h)
		p.byName[h.Name] = h
	}
	slices.SortFunc(p.hosts, func(a, b *host) int { return cmp.Compare(a.Name, b.Name) })
	for i, h := range p.hosts {
		h.index = i
	}
	for _, v := range f.Volumes {
		p.volumes[v.Name] = v
	}
	for r := range in.Current {
		p.current = append(p.current, r)
	}
	slices.SortFunc(p.current, fleet.ReplicaID.Compare)
	p.addWorks()
	p.addHomes()
	p.addRecordedPorts()
	return p
}

func (p *pass) addWorks() {
	for i := range p.in.Fleet.Workloads {
		w := &work{Workload: &p.in.Fleet.Workloads[i], count: map[*host]int{}}
		w.global = w.Mode == fleet.Global
		w.frozen = p.in.Frozen[w.Name]
		w.spec = newRequest(w.Workload)
		w.shared, w.own = p.tied(w)
		p.works = append(p.works, w)
		p.byWork[w.Name] = w
		for _, k := range w.spec.wants {
			if k.number != 0 {
				p.fixed[k.key()] = true
			}
		}
	}
	slices.SortFunc(p.works, func(a, b *work) int { return cmp.Compare(a.Name, b.Name) })
}

// currentOf returns the slots of a workload that stand now, in order.
func (p *pass) currentOf(n fleet.WorkloadName) []fleet.ReplicaID {
	lo := sort.Search(len(p.current), func(i int) bool { return p.current[i].Workload >= n })
	hi := lo
	for hi < len(p.current) && p.current[hi].Workload == n {
		hi++
	}
	return p.current[lo:hi]
}

// currentAt returns what stands in a slot now, or nil.
func (p *pass) currentAt(r fleet.ReplicaID) *Current {
	c, ok := p.in.Current[r]
	if !ok {
		return nil
	}
	return &c
}

func (w *work) id(s *seat) fleet.ReplicaID { return fleet.ReplicaID{Workload: w.Name, Slot: s.slot} }

// commit gives a seat its host. Nothing committed is taken back in a pass.
func (p *pass) commit(w *work, s *seat, h *host) {
	s.host = h
	s.ports = p.bind(w, s, h)
	h.used = h.used.Add(w.Reserve)
	h.replicas++
	w.count[h]++
	p.settle(w, h)
}

// placed lists the seats that have a host.
func (p *pass) placed() []fleet.Placed {
	var out []fleet.Placed
	for _, w := range p.works {
		for _, s := range w.seats {
			if s.host == nil && s.away == "" {
				continue
			}
			pl := fleet.Placed{Replica: w.id(s), Host: s.away, Reason: s.reason, HostPorts: s.ports}
			if s.host != nil {
				pl.Host = s.host.Name
			}
			if s.current != nil {
				pl.From = s.current.Host
			}
			out = append(out, pl)
		}
	}
	out = append(out, p.strays()...)
	slices.SortStableFunc(out, func(a, b fleet.Placed) int { return a.Replica.Compare(b.Replica) })
	return out
}

// gone lists what stands now and is not wanted.
func (p *pass) gone() []fleet.Gone {
	var out []fleet.Gone
	for _, r := range p.current {
		if p.in.Frozen[r.Workload] {
			continue
		}
		if reason := p.unwanted(r); reason != "" {
			out = append(out, fleet.Gone{Replica: r, Host: p.in.Current[r].Host, Reason: reason})
		}
	}
	return out
}
