package plan

import (
	"fmt"
	"slices"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/internal/sim/bug"
	"github.com/stowage-run/stowage/state"
)

// step adds a step of a slot, after the one that records what fills it.
func (m *maker) step(s *slot, st Step, needs ...int) int {
	st.Addr = s.addr()
	if st.Reason == "" {
		st.Reason = s.reason
	}
	n := m.add(st, needs...)
	if s.gate >= 0 && len(s.steps) <= 1 {
		m.need(n, s.gate)
	}
	if st.Kind != KindRecord && !s.isHook() && (len(s.steps) == 0 || len(s.steps) == 1 && s.gate >= 0) {
		m.need(n, s.work.pre)
	}
	s.steps = append(s.steps, n)
	return n
}

// named is a container as a step refers to it.
func (m *maker) named(c *fleet.Container) *Container {
	return m.containers.put(Container{ID: c.ID, Name: c.Name})
}

// emitAdopt records a container that the record does not know, or knows otherwise. It comes before anything is done to
// it, so that at every instant a container of ours has a record or an intent.
func (m *maker) emitAdopt(s *slot) {
	rec := m.adopted(s)
	c := s.have.Container
	reason := s.reason
	if s.action != Adopt {
		reason = "found on " + string(s.have.Host)
	}
	s.gate = m.step(s, Step{
		Kind: KindRecord, Host: s.have.Host, Reason: reason,
		Record: Record{PutReplica: m.replicas.put(rec), DeleteIntents: m.ops[c]},
	})
}

// adopted is the record of a container as it was found.
func (m *maker) adopted(s *slot) state.Replica {
	h, id := s.have, s.have.Container.Identity
	rec := state.Replica{
		Replica: s.id, Generation: id.Generation, Host: h.Host, Container: h.Container.ID,
		Revision: h.Revision(), Release: id.Release,
	}
	if h.Record != nil && h.Record.Generation == id.Generation {
		rec.Release = h.Record.Release
	}
	if h.Halfway {
		rec.Revision = Changing
	}
	if h.Last > rec.Generation {
		rec.Last = h.Last
	}
	spec := m.sent(s)
	if spec == nil && s.work.want != nil {
		spec = &s.work.want.Spec
	}
	rec.HostPorts = h.HostPorts(spec)
	return rec
}

// emitForget drops the record of a slot that nothing fills.
func (m *maker) emitForget(s *slot) {
	m.step(s, Step{Kind: KindRecord, Host: s.have.Host, Record: Record{DeleteReplica: &s.id}})
}

// prepare returns the steps that bring to a slot's host what a run there needs: image, networks, volumes.
func (m *maker) prepare(s *slot) []int {
	h := m.host(s.place.Host)
	fetch, _ := m.image(h, s.work)
	out := append(m.networksFor(h, s.work), m.volumesFor(h, s, nil)...)
	if fetch >= 0 {
		out = append(out, fetch)
	}
	return out
}

// emitRun makes the step that fills a slot anew.
func (m *maker) emitRun(s *slot, needs ...int) int {
	h, w := m.host(s.place.Host), s.work
	fetch, image := m.image(h, w)
	gen := s.generation()
	m.nameTaken(h, s, gen)
	inst := m.instances.put(fleet.Instance{
		Fleet: m.plan.Fleet, FleetName: m.plan.Name, Replica: s.id, Generation: gen, Revision: w.rev,
		Release: m.plan.Release, HostPorts: s.place.HostPorts, Networks: w.networks,
	})
	st := Step{
		Kind: KindRun, Host: h.Name, Instance: inst, Image: image,
		Record: Record{PutReplica: m.replicas.put(state.Replica{
			Replica: s.id, Generation: gen, Host: h.Name, Revision: w.rev, HostPorts: s.place.HostPorts, Release: m.plan.Release,
			Reason: s.reason,
		})},
	}
	networks := m.networksFor(h, w)
	volumes := m.volumesFor(h, s, inst)
	n := m.step(s, st, fetch)
	m.need(n, networks...)
	m.need(n, volumes...)
	m.need(n, needs...)
	m.runs = append(m.runs, n)
	s.end = n
	return n
}

// emitCreate fills an empty slot.
func (m *maker) emitCreate(s *slot) {
	m.emitRun(s, m.dependenciesReady(s.work)...)
	s.work.before = append(s.work.before, m.emitBriefGate(s))
}

// emitStop stops a container where it runs, and notes which ports that sets free.
func (m *maker) emitStop(s *slot, from fleet.HostName, c *fleet.Container, needs ...int) {
	if c.Phase != fleet.PhaseRunning && c.Phase != fleet.PhasePaused && c.Phase != fleet.PhaseRestarting {
		return
	}
	n := m.step(s, Step{Kind: KindStop, Host: from, Container: m.named(c), Timeout: s.work.stopTimeout()}, needs...)
	m.frees(m.host(from), c, n)
}

// emitRemove removes a container, and records that.
func (m *maker) emitRemove(s *slot, from fleet.HostName, c *fleet.Container, r Record, needs ...int) int {
	if k := len(s.steps); k > 0 && s.steps[k-1] != s.gate {
		needs = append(needs, s.steps[k-1])
	}
	n := m.step(s, Step{Kind: KindRemove, Host: from, Container: m.named(c), Record: r}, needs...)
	h := m.host(from)
	h.removes = append(h.removes, n)
	if s.action != Replace {
		h.leaves = append(h.leaves, n)
	}
	return n
}

// emitDelete stops and removes a container for good. It returns its first step.
func (m *maker) emitDelete(s *slot) int {
	first := len(m.list)
	m.emitStop(s, s.have.Host, s.have.Container)
	m.emitRemove(s, s.have.Host, s.have.Container, Record{DeleteReplica: &s.id})
	return m.head(s, first)
}

// emitInPlace changes a container without making a new one: first what brings it back, then what is new.
func (m *maker) emitInPlace(s *slot) {
	c := s.have.Container
	last := -1
	do := func(st Step) {
		st.Host, st.Container = s.have.Host, m.named(c)
		last = m.step(s, st, last)
	}
	m.emitFixes(s, do)
	if d := s.delta; d != nil {
		m.emitDelta(s, d, do)
	}
	if s.fix.start || s.delta != nil && s.delta.restarts {
		do(Step{Kind: KindStart})
		s.end = last
	}
	if s.delta != nil {
		rec := m.adopted(s)
		rec.Revision, rec.Release = s.work.rev, m.plan.Release
		if last < 0 { // nothing to send
			last = m.step(s, Step{Kind: KindRecord, Host: s.have.Host})
		}
		m.list[last].Record.PutReplica = m.replicas.put(rec)
	}
	if s.end >= 0 {
		s.work.before = append(s.work.before, m.emitGate(s))
	}
}

// emitFixes undoes what somebody did to the container.
func (m *maker) emitFixes(s *slot, do func(Step)) {
	c := s.have.Container
	if s.fix.unpause {
		do(Step{Kind: KindUnpause})
	}
	if s.fix.rename {
		name := fleet.ContainerName(m.plan.Name, c.Identity.Replica, c.Identity.Generation)
		do(Step{Kind: KindRename})
		m.list[len(m.list)-1].Container = m.containers.put(Container{ID: c.ID, Name: name})
	}
	for _, n := range s.fix.disconnect {
		do(Step{Kind: KindDisconnect, Network: &Network{Engine: n}})
	}
	for _, n := range s.fix.connect {
		w := fleet.Flat(string(s.id.Workload))
		made := m.networksFor(m.host(s.have.Host), s.work)
		do(Step{Kind: KindConnect, Network: &Network{
			Name: m.declaredNetwork(s.work, n), Engine: n, Aliases: []string{w, fmt.Sprintf("%s-%d", w, s.id.Slot)},
		}})
		m.need(len(m.list)-1, made...)
	}
	if s.fix.update || s.delta != nil && s.delta.limits {
		spec := &s.work.want.Spec
		do(Step{Kind: KindUpdate, Limits: &spec.Limits, Restart: spec.Restart})
	}
}

// emitDelta brings files up to date. A container that has to restart for them is stopped here and started by the
// caller.
func (m *maker) emitDelta(s *slot, d *delta, do func(Step)) {
	if len(d.files) == 0 {
		return
	}
	id := s.have.Container.Identity
	do(Step{Kind: KindWriteFiles, Files: d.files, Instance: m.instances.put(fleet.Instance{
		Fleet: m.plan.Fleet, FleetName: m.plan.Name, Replica: s.id, Generation: id.Generation, Revision: s.work.rev,
		Release: m.plan.Release, HostPorts: s.have.HostPorts(&s.work.want.Spec), Networks: s.work.networks,
	})})
	wrote := len(m.list) - 1
	running := s.have.Container.Phase == fleet.PhaseRunning || s.fix.unpause
	if d.restarts || running && len(d.signals) > 0 || s.fix.start {
		rec := m.adopted(s)
		rec.Revision = Changing
		m.list[wrote].Record.PutReplica = m.replicas.put(rec)
	}
	switch {
	case !running:
	case d.restarts:
		do(Step{Kind: KindStop, Timeout: s.work.stopTimeout()})
	default:
		for _, sig := range d.signals {
			do(Step{Kind: KindSignal, Signal: sig})
		}
	}
}

// emitLeftovers removes containers of ours that have no place, each after its slot is up: the one that has the
// place may not have been proven yet. What is later than the one that has the place goes first.
func (m *maker) emitLeftovers() {
	for i := range m.in.Inventory.Leftovers {
		if bug.LeftoverKept {
			break
		}
		l := &m.in.Inventory.Leftovers[i]
		id := l.Container.Identity
		s := m.slotOf(id.Replica)
		if s == nil || !m.sel.slot(s) {
			continue
		}
		what := fmt.Sprintf("left over from generation %d", id.Generation)
		if !m.removes(s) {
			m.drift(s, l.Host, what, "")
			continue
		}
		m.drift(s, l.Host, what, "be removed")
		gone := &slot{id: s.id, work: s.work, have: s.have, action: Delete, reason: what, gate: -1, end: -1}
		first := len(m.list)
		m.emitStop(gone, l.Host, l.Container)
		m.emitRemove(gone, l.Host, l.Container, Record{DeleteIntents: m.ops[l.Container]})
		if s.adopt && s.gate >= 0 && id.Generation > s.have.Container.Identity.Generation {
			m.need(s.gate, m.last(gone)) // it has lost its slot, and its record until it is gone: see Settle
		} else if disrupts(s) && len(s.steps) > 0 && s.have.Container != nil && s.have.Container.Phase == fleet.PhaseRunning &&
			id.Generation > s.have.Container.Identity.Generation {
			m.prefer(safety, s.steps[0], m.last(gone)) // or three of the slot would run
		} else {
			m.prefer(safety, first, s.end)
		}
		if !disrupts(s) { // whose turn comes before all others'
			for _, head := range s.work.heads {
				m.prefer(safety, head, m.last(gone)) // it counts as one beyond those wanted
			}
		}
		m.noteUsed(s, id.Generation, first)
		m.plan.Changes = append(m.plan.Changes, Change{
			Addr: s.addr(), Action: Delete, Reason: what, Host: l.Host, Before: id.Revision, Steps: gone.steps, Leftover: true,
		})
	}
}

// noteUsed records a generation that is about to be removed and that no record would know of then: a number is used once.
func (m *maker) noteUsed(s *slot, g fleet.Generation, remove int) {
	rec := s.have.Record
	if rec == nil || s.adopt || g <= max(rec.Generation, rec.Last) {
		return
	}
	used := *rec
	used.Last = s.have.Last
	n := m.add(Step{
		Kind: KindRecord, Host: rec.Host, Addr: s.addr(), Reason: fmt.Sprintf("generation %d was used", g),
		Record: Record{PutReplica: m.replicas.put(used)},
	})
	m.need(remove, n)
	if len(s.steps) > 0 {
		m.need(s.steps[0], n)
	}
}

// slotOf finds a slot.
func (m *maker) slotOf(r fleet.ReplicaID) *slot {
	i, ok := slices.BinarySearchFunc(m.slots, r, func(s slot, r fleet.ReplicaID) int { return s.id.Compare(r) })
	if !ok {
		return nil
	}
	return &m.slots[i]
}
