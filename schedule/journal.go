package schedule

import (
	"cmp"
	"slices"

	"github.com/stowage-run/stowage/fleet"
)

// journal is what a question has done to the placement, so that it can be undone. A question changes the pass itself, in
// the same code that placed everything, and costs as much as it changes; copying a fleet of ten thousand hosts for each
// of ten thousand questions would cost a day.
type journal struct {
	changes []change
	touched []*host
	homes   []former
	left    []left
	lost    []*host
	works   []*work // that the question has to do with
	turns   []*work // those whose turn is to come, in order
	ranked  bool    // every workload's turn is set: some have affinities to others
}

// change is one replica's arrival on a host or its leaving one.
type change struct {
	work    *work
	seat    *seat
	before  seat // arrived: without a host
	arrived bool
}

// former is where a volume was before.
type former struct {
	volume fleet.VolumeName
	hosts  []fleet.HostName
}

// left is a port of what has left a host. Its container is still there when others come, and so it is on record.
type left struct {
	host *host
	port portKey
}

// noteLeft puts the ports of a replica that leaves its host on record. In the placement itself they are already.
func (p *pass) noteLeft(w *work, s *seat) {
	if p.journal == nil || s.host.lost {
		return
	}
	t := &s.host.ports
	p.eachBound(w, s, func(b bound) {
		if isAuto(b.number) && !t.recorded.has(b.portKey) {
			t.recorded.add(b.portKey)
			p.journal.left = append(p.journal.left, left{s.host, b.portKey})
		}
	})
}

// asked is what the question at hand has done to one workload.
type asked struct {
	joined  bool
	turn    int     // in the order, where the journal is ranked
	fewer   int     // hosts to choose from, by the loss
	deltas  []delta // of its tally
	pending []*seat // that lost their host
	synced  bool    // its base tree has been brought up to date
	dropped []*host // that its base tree has given up
}

// delta is a change of a workload's tally on one host.
type delta struct {
	host int
	by   int32
}

// note writes a change down.
func (p *pass) note(c change) {
	if p.journal == nil {
		return
	}
	p.journal.changes = append(p.journal.changes, c)
	d := delta{by: 1}
	h := c.seat.host
	if !c.arrived {
		h, d.by = c.before.host, -1
	}
	d.host = h.index
	c.work.ask.deltas = append(c.work.ask.deltas, d)
	p.touch(h)
	p.join(c.work)
}

func (p *pass) touch(h *host) {
	if !h.touched {
		h.touched = true
		p.journal.touched = append(p.journal.touched, h)
	}
}

func (p *pass) join(w *work) {
	if w.ask.joined {
		return
	}
	w.ask.joined = true
	p.journal.works = append(p.journal.works, w)
	for _, h := range p.journal.lost {
		h.lost = false
		if p.allows(w, h, false) == passes {
			w.ask.fewer++
		}
		h.lost = true
	}
}

// noteHome writes down where a volume was.
func (p *pass) noteHome(v fleet.VolumeName) {
	if p.journal != nil {
		p.journal.homes = append(p.journal.homes, former{v, p.homes[v]})
	}
}

// queue gives a workload another turn for a seat that has lost its host. In the placement itself every workload has one.
func (p *pass) queue(w *work, s *seat) {
	if p.journal == nil {
		return
	}
	w.ask.pending = append(w.ask.pending, s)
	p.wait(w)
}

// wait puts a workload among those whose turn is to come.
func (p *pass) wait(w *work) {
	p.join(w)
	compare := compareTurns
	if p.journal.ranked {
		compare = func(a, b *work) int { return cmp.Compare(a.ask.turn, b.ask.turn) }
	}
	i, ok := slices.BinarySearchFunc(p.journal.turns, w, compare)
	if !ok {
		p.journal.turns = slices.Insert(p.journal.turns, i, w)
	}
}

// undo takes back, last first, all that the question has done.
func (p *pass) undo() {
	j := p.journal
	p.journal = nil
	for _, c := range slices.Backward(j.changes) {
		if c.arrived {
			p.vacate(c.work, c.seat)
			*c.seat = c.before
			continue
		}
		*c.seat = c.before
		p.eachBound(c.work, c.seat, c.seat.host.ports.take)
		p.reside(c.work, c.seat)
		p.occupy(c.work, c.seat, c.work.Reserve)
	}
	for _, l := range j.left {
		l.host.ports.recorded.remove(l.port)
	}
	for _, f := range slices.Backward(j.homes) {
		p.homes[f.volume] = f.hosts
	}
	for _, h := range j.touched {
		h.touched = false
		h.lost = h.facts.Lost
	}
	for _, w := range j.works {
		if w.ask.synced {
			w.base.restore(j.touched)
		}
		w.ask = asked{deltas: w.ask.deltas[:0], pending: w.ask.pending[:0], dropped: w.ask.dropped[:0]}
	}
	p.evicted = false
}
