package plan

import (
	"cmp"
	"slices"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/internal/sim/bug"
)

// policy is how many replicas of a workload are changed at once, and how.
type policy struct {
	fleet.Update
	parallel    int // slots under way at once, at least 1
	surge       int // live ones beyond those wanted
	unavailable int // that may be down at once
}

func policyOf(w *fleet.Workload, wanted int) policy {
	u := w.Update
	p := policy{Update: u, parallel: max(1, u.MaxParallel.Ceil(wanted)), surge: u.MaxSurge.Ceil(wanted), unavailable: u.MaxUnavailable.Floor(wanted)}
	switch u.Strategy {
	case fleet.UpdateBlueGreen:
		p.parallel, p.surge = max(1, wanted), max(1, wanted)
	case fleet.UpdateRecreate:
		p.parallel, p.unavailable, p.surge = max(1, wanted), wanted, 0
	}
	return p
}

// gated reports whether a workload says when a replica counts as healthy. One that says nothing counts once it runs.
func gated(w *fleet.Workload) bool {
	return w != nil && (w.Update != fleet.Update{} || w.Health.Kind != fleet.CheckImage)
}

// batch is slots that are changed at once.
type batch struct {
	slots  []*slot
	starts bool // the new container of each starts before the old one stops
}

// batches cuts a chain of changes: as many slots at once as the policy lets be down, or be there twice. The first batch of
// an update with canaries is these alone.
func (m *maker) batches(w *work, chain []*slot) []batch {
	wanted := 0
	for i := range w.slots {
		if w.slots[i].wanted() {
			wanted++
		}
	}
	p := policyOf(w.want, wanted)
	var out []batch
	canaries := min(p.Canary, len(chain))
	for i := 0; i < len(chain); {
		b := batch{starts: m.startsFirst(chain[i], p)}
		size := min(p.parallel, max(p.unavailable, 1))
		if b.starts {
			size = min(p.parallel, max(p.surge, 1))
			if bug.SurgeUncounted {
				size = p.parallel + 1
			}
		}
		if bug.BatchTooBig {
			size++
		}
		if i < canaries {
			size = min(size, canaries-i)
		}
		w.forced = cmp.Or(w.forced, m.forced(chain[i], p, b.starts))
		room := map[fleet.HostName]int{}
		for ; i < len(chain) && len(b.slots) < size; i++ {
			s := chain[i]
			if len(b.slots) > 0 && (m.startsFirst(s, p) != b.starts || b.starts && s.action == Replace && !m.fitsTwice(s, room[s.place.Host]+1)) {
				break
			}
			room[s.place.Host]++
			b.slots = append(b.slots, s)
		}
		w.most = max(w.most, len(b.slots))
		for _, s := range b.slots {
			if b.starts && s.action == Replace {
				w.starts++
			}
		}
		out = append(out, b)
	}
	return out
}

// forced says why a slot that was to start before it stops cannot; empty: nothing forces it.
func (m *maker) forced(s *slot, p policy, starts bool) string {
	w := s.work.want
	switch {
	case starts || s.action != Replace || p.Order != fleet.StartFirst || p.Strategy == fleet.UpdateRecreate:
		return ""
	case w.Exclusive:
		return "exclusive"
	case overlapForbidden(w):
		return "a volume that two could write at once"
	case !m.mayOverlap(s):
		return "a host port that only one can have"
	case p.surge == 0:
		return "max_surge 0"
	}
	return "no room for two on " + string(s.place.Host)
}

// startsFirst reports whether a slot's new container starts while its old one still runs.
func (m *maker) startsFirst(s *slot, p policy) bool {
	switch s.action {
	case Move:
		return !overlapForbidden(s.work.want) && s.container() != nil
	case Replace:
		return p.Order == fleet.StartFirst && p.surge > 0 && m.mayOverlap(s) && m.fitsTwice(s, 1)
	}
	return false
}

// overlapForbidden reports whether two containers of one slot may not run at once: where it is exclusive, and where it mounts
// volumes, since two at once could write the same data.
func overlapForbidden(w *fleet.Workload) bool {
	return w.Exclusive && !bug.ExclusiveTwice || slices.ContainsFunc(w.Spec.Mounts, func(m fleet.Mount) bool { return m.Kind == fleet.MountVolume && !m.ReadOnly })
}

// mayOverlap reports whether the old and the new container of a slot can run on one host at once: nothing that only one of
// them can have is wanted.
func (m *maker) mayOverlap(s *slot) bool {
	w := s.work.want
	if overlapForbidden(w) || w.Spec.NetworkMode == "host" && len(w.Spec.Ports) > 0 {
		return false
	}
	old := s.have.HostPorts(&w.Spec)
	for _, p := range w.Spec.Ports {
		if p.Policy == fleet.PortFixed || p.Policy == fleet.PortAuto && old[p.Name] == s.place.HostPorts[p.Name] {
			return false
		}
	}
	return true
}

// fitsTwice reports whether n replicas like a slot's fit on its host beside all that will be there.
func (m *maker) fitsTwice(s *slot, n int) bool {
	for _, l := range m.in.Assignment.Loads {
		if l.Host == s.place.Host {
			r := s.work.want.Reserve
			more := fleet.Resources{CPU: r.CPU * fleet.CPU(n), Memory: r.Memory * fleet.Bytes(n), GPUs: r.GPUs * n}
			return !exceeds(l.After.Add(more), l.Capacity) || more == fleet.Resources{}
		}
	}
	return true
}

// emitChain makes the changes that take replicas down or put new ones in their place, a batch after the other: those that
// are down already first, and none before all that is new runs and all images, networks and volumes are there. A
// batch waits until the one before it is up, and counts as healthy where that is asked for.
func (m *maker) emitChain(w *work, chain []*slot) {
	if len(chain) == 0 {
		return
	}
	if chain = m.canaries(w, chain); len(chain) == 0 {
		return
	}
	slices.SortStableFunc(chain, func(a, b *slot) int { return runningFirst(a) - runningFirst(b) })
	var prepared []int
	for _, s := range chain {
		if s.action != Update {
			prepared = append(prepared, m.prepare(s)...)
		}
	}
	for _, b := range m.batches(w, chain) {
		first := len(m.list)
		m.emitBatch(w, b)
		var ends []int
		for _, s := range b.slots {
			if len(s.steps) == 0 {
				continue
			}
			head := m.head(s, first)
			if w.last >= 0 {
				m.prefer(safety, head, w.last)
			} else {
				w.heads = append(w.heads, head)
				m.prefer(safety, head, w.before...)
				m.need(head, prepared...)
				m.prefer(comfort, head, m.dependenciesReady(w)...)
				m.need(head, m.jobsReady(w)...)
			}
			ends = append(ends, m.last(s))
		}
		if end := m.join(w.addr, "a batch of "+string(w.addr)+" is done", ends); end >= 0 {
			w.last = end
		}
	}
}

// last is the last step of a slot.
func (m *maker) last(s *slot) int { return slices.Max(s.steps) }

// emitBatch makes the steps of the slots of a batch, that go their ways at once. Two strategies have all of them wait: with
// blue-green no old one stops before every new one is healthy, with recreate no new one starts before every old one is gone.
func (m *maker) emitBatch(w *work, b batch) {
	together := w.want.Update.Strategy == fleet.UpdateBlueGreen || w.want.Update.Strategy == fleet.UpdateRecreate
	var halves []int
	var rest []func(needs ...int)
	for _, s := range b.slots {
		var half int
		var finish func(needs ...int)
		switch {
		case s.action == Update:
			m.emitInPlace(s)
			continue
		case b.starts:
			half, finish = m.emitBeside(s)
		case s.action == Move && s.container() == nil:
			m.emitRun(s) // its host is silent, and no longer declared or supposed to be lost
			m.emitGate(s)
			continue
		default:
			half, finish = m.emitInstead(s)
		}
		if !together {
			finish(half)
			continue
		}
		halves, rest = append(halves, half), append(rest, finish)
	}
	if len(rest) > 0 {
		all := m.join(w.addr, "all of "+string(w.addr)+" have come so far", halves)
		for _, finish := range rest {
			finish(all)
		}
	}
}

// emitBeside runs a slot's new container beside its old one, which is then taken away, so that the replica is never missing.
func (m *maker) emitBeside(s *slot) (half int, finish func(needs ...int)) {
	c := s.container()
	s.beside = true
	run := m.emitRun(s)
	half = m.emitGate(s)
	if bug.OldFirst {
		half = run
	}
	return half, func(needs ...int) {
		m.emitStop(s, s.have.Host, c, append(needs, half)...)
		m.emitRemove(s, s.have.Host, c, Record{}, append(needs, run, half)...)
	}
}

// emitInstead stops and removes a slot's old container and runs the new one after it.
func (m *maker) emitInstead(s *slot) (half int, finish func(needs ...int)) {
	c := s.container()
	m.emitStop(s, s.have.Host, c)
	vacant := m.adopted(s)
	vacant.Container = ""
	half = m.emitRemove(s, s.have.Host, c, Record{PutReplica: m.replicas.put(vacant)})
	return half, func(needs ...int) {
		m.emitRun(s, append(needs, half)...)
		m.emitGate(s)
	}
}

// emitGate makes what follows a Run or a Start wait until the replica counts as healthy. It returns the step to wait for.
func (m *maker) emitGate(s *slot) int {
	w := s.work.want
	if s.end < 0 || !gated(w) {
		return s.end
	}
	up := &m.list[s.end]
	proven := up.Record.PutReplica
	if proven == nil {
		proven = m.replicas.put(m.adopted(s))
	}
	rec := *proven
	rec.Proven = true
	s.end = m.step(s, Step{
		Kind: KindGate, Host: up.Host, Container: up.Container, Instance: up.Instance, Gate: gateOf(w),
		Record: Record{PutReplica: m.replicas.put(rec)},
	}, s.end)
	return s.end
}

// emitBriefGate makes what depends on a new replica wait until it is healthy, once: it has taken nobody's place, so there is no
// way back to guard. An apply of a hundred new replicas need not wait for how they do in the long run.
func (m *maker) emitBriefGate(s *slot) int {
	if s.end < 0 || !gated(s.work.want) {
		return s.end
	}
	g := gateOf(s.work.want)
	g.Healthy, g.Brief = 0, true
	up := &m.list[s.end]
	s.end = m.step(s, Step{Kind: KindGate, Host: up.Host, Instance: up.Instance, Gate: g}, s.end)
	return s.end
}

// unproven reports whether a slot was brought up by a rollout that was cut off before it was seen to be healthy.
func (m *maker) unproven(s *slot) bool {
	rec, ok := m.snap.Rollouts[s.id.Workload]
	if !ok || !rec.Under() || !gated(s.work.want) || !s.wanted() || s.have == nil || s.have.Presence != Seen || s.have.Revision() != s.work.rev {
		return false
	}
	if !s.have.Recorded() {
		return !bug.AdoptedUnasked && s.adopt && s.have.Container.Identity.Release >= rec.Release // the run was cut off before it was recorded
	}
	return !s.have.Record.Proven && s.have.Record.Release >= rec.Release
}

// emitProof makes the rest of a rollout wait for a slot that a run which was cut off has brought up.
func (m *maker) emitProof(s *slot) {
	rec := m.adopted(s)
	rec.Proven = true
	s.reason = "was brought up by a run that was cut off"
	s.end = m.step(s, Step{
		Kind: KindGate, Host: s.have.Host, Container: m.named(s.have.Container), Gate: gateOf(s.work.want),
		Record: Record{PutReplica: m.replicas.put(rec)},
	})
	s.work.before = append(s.work.before, s.end)
}

// gateOf is what a workload's replicas have to show.
func gateOf(w *fleet.Workload) *Gate {
	g := &Gate{
		Health: w.Health, Healthy: w.Update.MinHealthyTime, Deadline: w.Update.HealthyDeadline, Progress: w.Update.ProgressDeadline,
		Lenient: w.Update.OnFailure == fleet.FailureContinue, HostPort: w.Spec.NetworkMode == "host",
	}
	for _, p := range w.Spec.Ports {
		if p.Name == w.Health.Port {
			g.Port = p.Container
		}
	}
	return g
}
