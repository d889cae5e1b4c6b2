package schedule

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/stowage-run/stowage/fleet"
)

// work is one workload in the making.
type work struct {
	*fleet.Workload
	global  bool
	frozen  bool
	packs   bool // strategy binpack
	rank    int
	wants   []want
	maps    map[portNumbers]map[string]uint16 // of host ports, shared by replicas that have the same
	archs   []string
	listed  []int32 // placement.hosts by index, sorted; nil: any
	tests   []test  // constraints
	wishes  []wish  // affinities
	byHost  bool    // the verdicts and liking are each host's, not each class's
	verdict []filter
	liking  []int32 // sum of the static affinities
	size    float64
	choice  int // hosts that pass what does not depend on others

	shared []fleet.VolumeName // tied volumes that are one thing; none in global mode
	own    []fleet.VolumeName // tied volumes of each replica

	now     []present // what stands of it, by slot
	seats   []seat    // by slot
	seated  int       // how many of them have a host
	away    int       // how many are frozen on hosts outside the fleet
	count   tally
	dropped map[fleet.Slot]string // global mode: why a slot lost its host

	base *tree // of the placement that questions are asked of
	ask  asked // what the question at hand has done to it
}

// present is a replica that stands now.
type present struct {
	slot fleet.Slot
	*Current
}

// seat is one slot of a workload.
type seat struct {
	slot      fleet.Slot
	current   *Current          // nil: stands nowhere
	host      *host             // nil: not placed
	target    *host             // global mode: the only host for it
	ports     map[string]uint16 // with host; shared, never changed
	reason    string            // why it is not where it was
	displaced bool              // it had to make room
}

// tally is how many replicas of one workload each host has.
type tally struct {
	dense  []int32
	sparse map[int32]int32
}

func (t *tally) at(host int) int32 {
	if t.dense != nil {
		return t.dense[host]
	}
	return t.sparse[int32(host)]
}

func (t *tally) add(host int, n int32) {
	if t.dense != nil {
		t.dense[host] += n
		return
	}
	if t.sparse[int32(host)] += n; t.sparse[int32(host)] == 0 {
		delete(t.sparse, int32(host))
	}
}

// each calls f for every host that has any, in no order.
func (t *tally) each(f func(host int, n int32)) {
	for h, n := range t.dense {
		if n != 0 {
			f(h, n)
		}
	}
	for h, n := range t.sparse {
		f(int(h), n)
	}
}

// denseCells is how many counters there may be before workloads keep theirs in maps: 64 MiB of them.
const denseCells = 16 << 20

func (p *pass) addWorks() {
	f := p.in.Fleet
	dense := len(f.Workloads)*len(f.Hosts) <= denseCells
	block := make([]work, len(f.Workloads))
	p.works = make([]*work, len(block))
	for i := range f.Workloads {
		w := &block[i]
		w.Workload = &f.Workloads[i]
		w.global = w.Mode == fleet.Global
		w.frozen = p.in.Frozen[w.Name]
		w.packs = w.Placement.Strategy == fleet.StrategyBinpack
		w.rank = w.Placement.Rank()
		w.wants = p.newWants(w.Workload)
		w.archs = p.in.Archs[w.Name]
		w.shared, w.own = p.tied(w)
		if dense {
			w.count.dense = make([]int32, len(p.hosts))
		} else {
			w.count.sparse = map[int32]int32{}
		}
		p.works[i] = w
		p.byWork[w.Name] = w
	}
	slices.SortFunc(p.works, func(a, b *work) int { return cmp.Compare(a.Name, b.Name) })
	for i, w := range p.works {
		if i == 0 || w.rank < p.lowest {
			p.lowest = w.rank
		}
		p.highest = max(p.highest, w.rank)
		p.list(w)
		w.tests = newTests(w.Placement.Constraints)
		w.wishes = p.newWishes(w)
	}
}

// list notes the hosts of placement.hosts that there are.
func (p *pass) list(w *work) {
	if len(w.Placement.Hosts) == 0 {
		return
	}
	w.listed = make([]int32, 0, len(w.Placement.Hosts))
	for _, n := range w.Placement.Hosts {
		if h := p.byName[n]; h != nil {
			w.listed = append(w.listed, int32(h.index))
		}
	}
	slices.Sort(w.listed)
	w.listed = slices.Compact(w.listed)
}

// addCurrent hands what stands to its workloads.
func (p *pass) addCurrent() {
	var block []Current // one allocation for many
	for r, c := range p.in.Current {
		w := p.byWork[r.Workload]
		switch {
		case w != nil:
			if len(block) == cap(block) {
				block = make([]Current, 0, min(len(p.in.Current), 1024))
			}
			block = append(block, c)
			w.now = append(w.now, present{r.Slot, &block[len(block)-1]})
		case p.in.Frozen[r.Workload]:
			p.strays = append(p.strays, stray{r, c})
		default:
			p.loose = append(p.loose, r)
		}
		if h := p.byName[c.Host]; h != nil {
			p.record(h, w, c.HostPorts)
			h.before = h.before.Add(c.reserve(w))
		}
	}
	for _, w := range p.works {
		slices.SortFunc(w.now, func(a, b present) int { return cmp.Compare(a.slot, b.slot) })
	}
	slices.SortFunc(p.strays, func(a, b stray) int { return a.id.Compare(b.id) })
	slices.SortFunc(p.loose, fleet.ReplicaID.Compare)
}

func (w *work) id(s *seat) fleet.ReplicaID { return fleet.ReplicaID{Workload: w.Name, Slot: s.slot} }

// seatOf returns the seat of a slot, or nil.
func (w *work) seatOf(n fleet.Slot) *seat {
	if i := int(n); i >= 0 && i < len(w.seats) && w.seats[i].slot == n {
		return &w.seats[i] // always so, but in global mode and when frozen
	}
	i, ok := slices.BinarySearchFunc(w.seats, n, func(s seat, n fleet.Slot) int { return cmp.Compare(s.slot, n) })
	if !ok {
		return nil
	}
	return &w.seats[i]
}

// unwanted says why a replica that stands is not wanted; empty: it is.
func (w *work) unwanted(n fleet.Slot) string {
	if w.frozen || w.seatOf(n) != nil {
		return ""
	}
	if w.global {
		return w.dropped[n]
	}
	return fmt.Sprintf("replicas is now %d", w.Replicas)
}

// pending returns the seats that have no host, in order.
func (w *work) pending() []*seat {
	if w.frozen || w.seated == len(w.seats) {
		return nil
	}
	out := make([]*seat, 0, len(w.seats)-w.seated)
	for i := range w.seats {
		if w.seats[i].host == nil {
			out = append(out, &w.seats[i])
		}
	}
	return out
}

// commit gives a seat its host. Only displacing takes it back.
func (p *pass) commit(w *work, s *seat, h *host) {
	before := *s
	s.host = h
	p.reside(w, s)
	s.ports = p.bind(w, s, h) // which looks up who stands there where a port is held, itself included
	p.occupy(w, s, w.Reserve)
	p.settle(w, h)
	p.note(change{work: w, seat: s, before: before, arrived: true})
}

// occupy counts a seat in on its host. Its ports are taken already.
func (p *pass) occupy(w *work, s *seat, r fleet.Resources) {
	h := s.host
	h.used = h.used.Add(r)
	h.replicas++
	w.count.add(h.index, 1)
	w.seated++
}

// reside notes a seat among those on its host. Where nobody has asked for them yet, the first who asks finds it there.
func (p *pass) reside(w *work, s *seat) {
	if p.residents != nil {
		p.residents[s.host.index] = append(p.residents[s.host.index], resident{w, s})
	}
}

// vacate counts a seat out and frees its ports. It is not frozen.
func (p *pass) vacate(w *work, s *seat) {
	h := s.host
	h.used = h.used.Sub(w.Reserve)
	h.replicas--
	w.count.add(h.index, -1)
	w.seated--
	p.release(w, s)
	if p.residents != nil {
		rs := p.residents[h.index]
		i := slices.Index(rs, resident{w, s})
		rs[i] = rs[len(rs)-1]
		p.residents[h.index] = rs[:len(rs)-1]
	}
}

// leave takes a seat's host away.
func (p *pass) leave(w *work, s *seat) {
	before := *s
	p.noteLeft(w, s)
	p.vacate(w, s)
	s.host, s.ports = nil, nil
	if p.journal != nil { // what is placed stands now, for the question
		s.current = &Current{Host: before.host.Name, HostPorts: before.ports, Holds: w.bondage() == 0}
	}
	p.note(change{work: w, seat: s, before: before})
}

// resident is a seat that stands on a host.
type resident struct {
	work *work
	seat *seat
}

func (r resident) id() fleet.ReplicaID { return r.work.id(r.seat) }

// residentsOf returns who stands on a host, in no order. The first call looks at every seat once.
func (p *pass) residentsOf(h *host) []resident {
	if p.residents == nil {
		p.residents = make([][]resident, len(p.hosts))
		total := 0
		for _, h := range p.hosts {
			total += h.replicas
		}
		block := make([]resident, 0, total)
		for i, h := range p.hosts {
			end := len(block) + h.replicas
			p.residents[i] = block[len(block):len(block):end]
			block = block[:end]
		}
		for _, w := range p.works {
			for i := range w.seats {
				if s := &w.seats[i]; s.host != nil {
					p.residents[s.host.index] = append(p.residents[s.host.index], resident{w, s})
				}
			}
		}
	}
	return p.residents[h.index]
}
